"""FedProx: contributors stay close to the base; merged as by FedAvg (Li et al. 2020).

The proximal term is in the contributors' training (`prox_mu` of the recipe). A merge
does not see it: this strategy only says that it is asked for.
"""

from flair_client.strategies.fedavg import FedAvg


class FedProx(FedAvg):
    """As FedAvg."""

    id = "fedprox"
    number = 2
