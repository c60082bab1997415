"""Which function answers which method."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from flair_client.chain.signer import KeypairSigner
from flair_client.localnet.bank import Bank
from flair_client.localnet.faults import invalid_params
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


def method(name: str, most: int, *, least: int = 0) -> Callable[[Method], Method]:
    """Makes a function the answer to a method.

    Args:
        name: of Solana's JSON-RPC.
        most: parameters that it takes.
        least: of them must be given; the function itself refuses fewer.
    """

    def register(function: Method) -> Method:
        def answer(node: Node, params: Params) -> Any:
            _check_count(params, least, most)
            return function(node, params)

        METHODS[name] = answer
        return function

    return register


def _check_count(params: Params, least: int, most: int) -> None:
    count = len(params.values)
    if count <= most:
        return
    if most == 0:
        raise invalid_params("Invalid parameters: No parameters were expected")
    fault = invalid_params(
        f"Invalid parameters: Expected from {least} to {most} parameters."
    )
    fault.data = f'"Got: {count}"'
    raise fault


def with_context(node: Node, value: Any) -> dict[str, Any]:
    """Gives a value with the slot that it holds for."""
    slot = node.bank.clock.now().slot
    return {"context": {"apiVersion": "2.0.0", "slot": slot}, "value": value}
