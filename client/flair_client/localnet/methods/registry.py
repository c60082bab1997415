"""Which function answers which method."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from flair_client.chain.signer import KeypairSigner
from flair_client.localnet.bank import Bank
from flair_client.localnet.params import Params


@dataclass(frozen=True, slots=True)
class Node:
    """What methods work on.

    Attributes:
        bank: the chain.
        genesis_hash: in base58.
        faucet: pays for airdrops; None: this chain has none.
        airdrop_limit_lamports: at most so much at once.
    """

    bank: Bank
    genesis_hash: str
    faucet: KeypairSigner | None = field(default=None, repr=False)
    airdrop_limit_lamports: int = 1_000 * 1_000_000_000


Method: TypeAlias = Callable[[Node, Params], Any]
METHODS: Final[dict[str, Method]] = {}


def method(name: str) -> Callable[[Method], Method]:
    """Makes a function the answer to a method."""

    def register(function: Method) -> Method:
        METHODS[name] = function
        return function

    return register


def with_context(node: Node, value: Any) -> dict[str, Any]:
    """Gives a value with the slot that it holds for."""
    slot = node.bank.clock.now().slot
    return {"context": {"apiVersion": "2.0.0", "slot": slot}, "value": value}
