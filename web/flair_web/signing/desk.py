"""Plans, takes signed transactions, sends them on, and says how far they are.

The desk holds no key. What it plans are the verbs of the command line; what comes back
is sent on only if it is what was planned.
"""

import logging
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from flair_client.chain.errors import transaction_error
from flair_client.chain.events import event_block
from flair_client.chain.sending import (
    ALREADY_PROCESSED,
    BLOCKHASH_UNKNOWN,
    PREFLIGHT_FAILED,
    read_result,
)
from flair_client.chain.signer import verify_signature
from flair_client.chain.unsigned import (
    LAMPORTS_PER_SIGNATURE,
    check_signed,
    try_out,
    unsigned_message,
)
from flair_client.context import Context
from flair_client.encoding import (
    commit_id,
    encode_commit,
    encode_unsigned_commit,
    signing_text,
)
from flair_client.errors import ChainError, Refused, RpcRefused
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Address
from flair_client.site_rules import SiteRules
from flair_client.store.base import Store
from flair_client.store.disk import DiskStore
from flair_client.store.memory import MemoryStore
from flair_client.store.overlay import OverlayStore
from flair_web.signing.action import Action, Form, Planned, Prepare
from flair_web.signing.cost import Rent, rents
from flair_web.signing.pending import PendingPlan, PendingPlans
from flair_web.signing.planning import PlanningContext, planning
from flair_web.site import Site

_log = logging.getLogger("flair_web")
# Making a merge again takes a while; readers are answered by the other threads.
_AT_ONCE: Final = 2


class Expired(Refused):
    """The wallet signed too late: the blockhash is no longer taken."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan as it is handed out.

    Attributes:
        blocks_left: until its blockhash expires.
        commit_block: the signed commit, where one was made.
    """

    plan: PendingPlan
    planned: Planned
    genesis_hash: str
    blocks_left: int
    fee_lamports: int
    rent: tuple[Rent, ...]
    commit_block: bytes | None


@dataclass(frozen=True, slots=True)
class CommitOffer:
    """A commit that the wallet signs first."""

    plan: PendingPlan
    block: bytes
    text: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transaction is.

    Attributes:
        state: `unknown`, `failed`, or the commitment level that it reached.
        error: the program's own words, where it failed.
        expired: whether it can no longer be taken.
    """

    state: str
    error: str | None = None
    expired: bool = False


class Desk:
    """One per application."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seats = threading.BoundedSemaphore(_AT_ONCE)
        self.pending = PendingPlans(site.now)

    def plan(
        self, owner: str, wallet: Address, action: Action, form: Form
    ) -> Offer | CommitOffer:
        """Plans an action for a wallet; with a commit first where it needs one.

        Raises:
            FlairError: the action's own refusal.
            Refused: too many others plan at this moment.
            ProgramRefused: it would fail; the program's words.
        """
        if not action.slow:
            return self._first(owner, wallet, action, form)
        if not self._seats.acquire(blocking=False):
            raise Refused("the site is planning for others: try again in a moment")
        try:
            if action.prepare is None:
                return self._first(owner, wallet, action, form)
            return self._prepared(owner, wallet, action, form, action.prepare)
        finally:
            self._seats.release()

    def _prepared(
        self,
        owner: str,
        wallet: Address,
        action: Action,
        form: Form,
        prepare: Prepare,
    ) -> CommitOffer:
        folder = Path(mkdtemp(prefix="flair-plan-"))
        written = DiskStore(folder / "blocks")
        pending = PendingPlan(
            *(owner, wallet, action, form, self._site.now(), written),
            folder=folder,
        )
        try:
            space = folder / "workspace"
            space.mkdir()
            made = prepare(self._context(wallet, written), form, space)
        except BaseException:
            pending.forget()
            raise
        pending.commit = made.commit
        self.pending.keep(pending)
        text = signing_text(made.commit).decode("ascii")
        block = encode_unsigned_commit(made.commit)
        return CommitOffer(pending, block, text, made.lines)

    def _first(self, owner: str, wallet: Address, action: Action, form: Form) -> Offer:
        if action.plan is None:
            raise AssertionError("an action either plans or prepares")
        written = MemoryStore()
        planned = action.plan(self._context(wallet, written), form)
        pending = PendingPlan(owner, wallet, action, form, self._site.now(), written)
        return self._offer(pending, planned, None)

    def take_commit(self, pending: PendingPlan, signature: bytes) -> Offer:
        """Goes on with the commit that the wallet signed.

        Raises:
            Refused: the plan waits for no commit.
            SignatureInvalid: the text is not signed by the wallet.
            StaleBase: the branch moved on meanwhile.
        """
        if pending.commit is None or pending.action.finish is None:
            raise Refused("this plan waits for no commit")
        text = signing_text(pending.commit)
        verify_signature(pending.wallet, text, signature)
        commit = replace(pending.commit, signature=signature)
        block = encode_commit(commit)
        pending.written.put(CODEC_DAG_CBOR, block)
        ctx = self._context(pending.wallet, pending.written)
        planned = pending.action.finish(ctx, pending.form, commit, commit_id(block))
        return self._offer(pending, planned, block)

    def refresh(self, pending: PendingPlan) -> int:
        """Puts a new blockhash into the plan's message; gives the blocks left.

        Raises:
            Refused: its commit was not signed yet.
        """
        if not pending.instructions:
            raise Refused("the commit is signed first")
        rpc = self._site.chain.rpc
        latest = rpc.get_latest_blockhash()
        pending.message = unsigned_message(
            pending.instructions, pending.wallet, latest.blockhash
        )
        pending.last_valid_height = latest.last_valid_block_height
        return max(0, latest.last_valid_block_height - rpc.get_block_height())

    def send(self, pending: PendingPlan, wire: bytes) -> str:
        """Sends what the wallet signed, if it is what was planned; gives its name.

        Raises:
            ObjectInvalid, SignatureInvalid: it is not.
            ProgramRefused: it would fail; nothing was charged.
            Expired: it was signed too late.
        """
        if not pending.message:
            raise Refused("the commit is signed first")
        signature = check_signed(wire, pending.message)
        rpc = self._site.chain.rpc
        # Nobody puts blocks into the store with a transaction that is not taken.
        _require_success(rpc.simulate_transaction(wire).err)
        for cid in pending.written:
            # What the chain is about to name must be there for everybody.
            self._site.store.put(cid.codec, pending.written.get(cid))
        pending.signature = signature
        try:
            rpc.send_transaction(wire)
        except RpcRefused as exc:
            err = exc.data.get("err") if isinstance(exc.data, dict) else None
            if exc.code != PREFLIGHT_FAILED or err is None:
                raise
            _require_success(err)
        return signature

    def progress(self, pending: PendingPlan) -> Progress:
        """Says how far the plan's transaction is; its events go into the store once.

        Raises:
            Refused: nothing was sent.
        """
        if pending.signature is None:
            raise Refused("nothing was sent yet")
        rpc = self._site.chain.rpc
        (status,) = rpc.get_signature_statuses([pending.signature], search_history=True)
        if status is None:
            expired = rpc.get_block_height() > pending.last_valid_height
            return Progress("unknown", expired=expired)
        if status.err is not None:
            return Progress("failed", str(transaction_error(status.err)))
        if status.has_reached(rpc.commitment_level) and not pending.published:
            self._publish(pending)
        return Progress(status.commitment_level)

    def _publish(self, pending: PendingPlan) -> None:
        """Keeps the transaction's events for those who come when nodes have pruned."""
        rpc = self._site.chain.rpc
        (status,) = rpc.get_signature_statuses([pending.signature or ""])
        if status is None:
            return
        try:
            found = read_result(
                *(rpc, pending.signature or "", status, self._site.chain.program_id)
            )
            for payload in found.events:
                self._site.store.put(CODEC_RAW, event_block(payload))
        except ChainError:
            # The next look tries again; the indexer has them in any case.
            _log.warning("events not kept", extra={"signature": pending.signature})
            return
        pending.published = True

    def _offer(
        self, pending: PendingPlan, planned: Planned, block: bytes | None
    ) -> Offer:
        rpc = self._site.chain.rpc
        pending.instructions = planned.instructions
        blocks_left = self.refresh(pending)
        tried = try_out(rpc, pending.message)
        if tried.err is not None:
            raise transaction_error(tried.err)
        self.pending.keep(pending)
        n_signers = pending.message[0]
        return Offer(
            pending,
            planned,
            rpc.get_genesis_hash(),
            blocks_left,
            n_signers * LAMPORTS_PER_SIGNATURE,
            rents(*(rpc, planned.instructions, planned.back, planned.deposit_lamports)),
            block,
        )

    def _context(self, wallet: Address, written: Store) -> PlanningContext:
        own = Context(
            network=self._site.network,
            chain=self._site.chain,
            remote=self._site.store,
            now=self._site.now,
            site=SiteRules(),
        )
        return planning(own, wallet, OverlayStore(written, self._site.store))


def _require_success(err: Any) -> None:
    """Raises what a trial run found; a transaction that was taken before is none.

    Raises:
        Expired: the blockhash is no longer taken.
        ProgramRefused: the program's own words.
    """
    if err == BLOCKHASH_UNKNOWN:
        raise Expired("it expired before it was sent: nothing was charged")
    if err is not None and err != ALREADY_PROCESSED:
        raise transaction_error(err)
