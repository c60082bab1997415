"""A context whose wallet is elsewhere: what a verb would send is taken down, not sent.

The verbs of the command line decide what may be done and what is sent; the site has no
rules of its own. Nothing here holds a key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from flair_client.chain.instructions import Instruction
from flair_client.chain.signer import Signer
from flair_client.context import Context
from flair_client.errors import Refused, WalletError
from flair_client.ids import Address
from flair_client.store.base import Store


@dataclass(frozen=True, slots=True)
class DistantWallet:
    """The wallet of somebody who looks at a page; it cannot sign here."""

    address: Address

    def sign(self, message: bytes) -> bytes:  # noqa: ARG002 - as any signer
        """Never signs.

        Raises:
            WalletError: always.
        """
        raise WalletError(f"{self.address} signs in its owner's browser")


class InstructionsReady(Exception):
    """What a verb would have sent; no error, and caught by `instructions_of` alone."""

    def __init__(self, instructions: tuple[Instruction, ...]) -> None:
        super().__init__("the instructions are ready to be signed elsewhere")
        self.instructions = instructions


@dataclass(frozen=True, slots=True)
class PlanningContext(Context):
    """A context that sends nothing."""

    def send(
        self,
        instructions: Sequence[Instruction],
        *,
        payer: Address | None = None,  # noqa: ARG002 - as in the base
        more: Sequence[Signer] = (),  # noqa: ARG002 - as in the base
    ) -> NoReturn:
        """Hands the instructions to whoever plans.

        Raises:
            InstructionsReady: always.
        """
        raise InstructionsReady(tuple(instructions))


def planning(ctx: Context, wallet: Address, store: Store) -> PlanningContext:
    """Gives the context in which a wallet's actions are planned.

    Args:
        ctx: of the site: chain and clock.
        wallet: whose actions.
        store: takes what would be written, and gives what is there.
    """
    return PlanningContext(
        network=ctx.network,
        chain=ctx.chain,
        remote=store,
        signer=DistantWallet(wallet),
        now=ctx.now,
        site=ctx.site,
    )


def instructions_of(verb: Callable[[], object]) -> tuple[Instruction, ...]:
    """Runs a verb up to where it would send, and gives what it would.

    Raises:
        Refused: there is nothing to send; it stands like that already.
        FlairError: as the verb.
    """
    try:
        verb()
    except InstructionsReady as ready:
        return ready.instructions
    raise Refused("it stands like that already: there is nothing to sign")
