"""The strategy that a policy chose, with its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from flair_client.errors import ObjectInvalid
from flair_client.strategies.base import Strategy
from flair_client.strategies.parameters import unpack


class StrategyPolicy(Protocol):
    """What a policy says about merging (`chain.accounts.PolicyParams` is one)."""

    @property
    def strategy(self) -> int:
        """Number of the strategy."""

    @property
    def strategy_params(self) -> bytes:
        """Its parameters, 64 bytes."""

    @property
    def eta_q24(self) -> int:
        """Server learning rate, in units of 2^-24."""

    @property
    def scale_exp(self) -> int:
        """Deltas are in units of `2 ** scale_exp`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How the updates of a round are to be merged.

    Attributes:
        params: of the strategy, by `Parameter.key`.
        eta_q24: server learning rate, in units of 2^-24.
        scale_exp: deltas are in units of `2 ** scale_exp`.
    """

    strategy: Strategy
    params: Mapping[str, int]
    eta_q24: int
    scale_exp: int


def choose(strategies: Mapping[str, Strategy], policy: StrategyPolicy) -> Choice:
    """What a policy chose among these strategies.

    Raises:
        ObjectInvalid: there is no such strategy, or its parameters cannot be.
    """
    for strategy in strategies.values():
        if strategy.number == policy.strategy:
            params = unpack(strategy.parameters, policy.strategy_params)
            return Choice(strategy, params, policy.eta_q24, policy.scale_exp)
    raise ObjectInvalid("policy.strategy", f"there is no strategy {policy.strategy}")
