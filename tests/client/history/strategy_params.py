"""Policies of every strategy, for tests of histories."""

from dataclasses import replace

from history_world import PARAMS

from flair_client.strategies import get_strategy
from flair_client.strategies.parameters import from_numbers, pack

# What has no default.
NEEDED = {"norm_clipping": {"norm": 0.01}, "scaffold": {"rate": 0.5}}


def params_of(name, **given):
    """A policy with the strategy, half of eta and up to eight updates."""
    strategy = get_strategy(name)
    values = from_numbers(name, strategy.parameters, NEEDED.get(name, {}) | given)
    return replace(
        PARAMS,
        strategy=strategy.number,
        strategy_params=pack(strategy.parameters, values),
        eta_q24=1 << 23,
        max_updates=8,
    )
