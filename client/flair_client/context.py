"""What a porcelain function needs from outside: chain, store, signer, clock."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flair_client.audit import AuditKind, write_audit
from flair_client.errors import UploadRefused, UsageError, WalletError
from flair_client.ids import CODEC_RAW, Address
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.settings import NetworkProfile
from flair_client.site_rules import SiteRules, load_site_rules

if TYPE_CHECKING:
    from flair_client.chain.client import ChainClient
    from flair_client.chain.instructions import Instruction
    from flair_client.chain.sending import TxResult
    from flair_client.chain.signer import Signer
    from flair_client.store.base import Store


# Privacy loss of a data source over all repositories where no setting says another.
DEFAULT_MAX_EPSILON = 10.0


def wall_clock() -> int:
    """Gives the seconds since 1970 by this machine's clock."""
    return int(time.time())


@dataclass(frozen=True, slots=True)
class Context:
    """The world as a command sees it.

    Attributes:
        network: the profile of the network in use.
        chain: reads accounts and sends instructions.
        remote: the store that is shared with others.
        signer: the user's wallet; None where the command only reads.
        progress: shows how far long work is.
        now: seconds since 1970; the author's claim, never a rule.
        site: what this machine's own IT allows; its hosts are checked at once.
        home: the user's folder, with audit log and privacy ledgers; None where nothing
            is written down.
        max_epsilon: privacy loss that one data source may have, all updates together.
        on_behalf_of: the wallet that the signer, a machine key, contributes for.
        sponsor_url: who is asked to pay for joining and contributing.
    """

    network: NetworkProfile
    chain: "ChainClient"
    remote: "Store"
    signer: "Signer | None" = None
    progress: Progress = NO_PROGRESS
    now: Callable[[], int] = wall_clock
    site: SiteRules = field(default_factory=load_site_rules)
    home: Path | None = None
    max_epsilon: float = DEFAULT_MAX_EPSILON
    on_behalf_of: Address | None = None
    sponsor_url: str | None = None

    def __post_init__(self) -> None:
        """Refuses hosts that the site does not talk to.

        Raises:
            SiteRefused: names the host.
        """
        for url in (self.network.rpc_url, *self.network.more_rpc_urls):
            self.site.check_url(url)
        self.site.check_url(self.network.store_url)
        if self.sponsor_url is not None:
            self.site.check_url(self.sponsor_url)

    @property
    def wallet(self) -> "Signer":
        """The user's wallet.

        Raises:
            WalletError: there is none.
        """
        if self.signer is None:
            raise WalletError("this needs a wallet")
        return self.signer

    @property
    def contributor(self) -> Address:
        """Who updates that are made here belong to.

        Raises:
            WalletError: there is no wallet.
        """
        return self.wallet.address if self.on_behalf_of is None else self.on_behalf_of

    @property
    def program_id(self) -> Address:
        """The program that this network's profile pins."""
        return self.network.program_id

    def write_audit(self, kind: AuditKind, **details: Any) -> None:
        """Writes into the audit log, where there is one.

        Raises:
            OSError: it could not be written; the work must not go on.
        """
        if self.home is not None:
            write_audit(self.home, kind, self.now(), details)

    def publish(self, block: bytes) -> None:
        """Puts an event's block into the shared store.

        A store server may not know the wallet yet, or no more: whoever asks to join has
        no role. The chain has the event all the same, and who moves a head next brings
        it along.
        """
        with suppress(UploadRefused):
            self.remote.put(CODEC_RAW, block)

    def send(
        self,
        instructions: "Sequence[Instruction]",
        *,
        payer: Address | None = None,
        more: "Sequence[Signer]" = (),
    ) -> "TxResult":
        """Signs with the user's wallet, sends, and publishes the events.

        Args:
            instructions: run together or not at all.
            payer: who pays the fee; another one than the user's wallet is the
                repository's sponsor, and is asked to sign.
            more: others who sign here.

        Raises:
            ChainError: refused, or not confirmed in time.
            WalletError: there is no wallet.
            SponsorRefused: the sponsor does not pay for this.
        """
        wallet = self.wallet
        if payer is None or payer == wallet.address:
            return self.chain.send(instructions, [wallet, *more], publish=self.publish)
        if self.sponsor_url is None:
            raise UsageError("there is no sponsor to ask")
        from flair_client.sponsor.signer import SponsorSigner

        return self.chain.send(
            signed_by(instructions, wallet.address),
            [SponsorSigner(self.sponsor_url, payer), wallet, *more],
            publish=self.publish,
        )


def signed_by(
    instructions: "Sequence[Instruction]", wallet: Address
) -> "list[Instruction]":
    """Adds the wallet behind the accounts where no instruction has it sign.

    Nobody signs for opening a round but who pays. A sponsor wants to know who asks.
    """
    from flair_client.chain.instructions import AccountMeta

    if any(
        meta.is_signer and meta.address == wallet
        for one in instructions
        for meta in one.accounts
    ):
        return list(instructions)
    first, *others = instructions
    asker = AccountMeta(wallet, is_signer=True, is_writable=False)
    return [replace(first, accounts=(*first.accounts, asker)), *others]
