"""The registry of merge methods."""

from flair_client.errors import UsageError
from flair_client.merging.base import MergeMethod
from flair_client.merging.dare_linear import DareLinear
from flair_client.merging.dare_ties import DareTies
from flair_client.merging.linear import Linear
from flair_client.merging.slerp import Slerp
from flair_client.merging.task_arithmetic import TaskArithmetic
from flair_client.merging.ties import Ties

_ALL: tuple[MergeMethod, ...] = (
    Linear(),
    Slerp(),
    TaskArithmetic(),
    Ties(),
    DareLinear(),
    DareTies(),
)
METHODS: dict[str, MergeMethod] = {method.id: method for method in _ALL}


def get_method(name: str) -> MergeMethod:
    """The method of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in METHODS:
        listed = ", ".join(METHODS)
        raise UsageError(f"there is no merge method {name!r}; there are {listed}")
    return METHODS[name]
