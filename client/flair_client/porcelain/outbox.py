"""What a push sends, to the byte, before it sends it.

`flair outbox`, `flair push --dry-run`, the audit log and `flair push` itself all take
it from `plan_push`. What cannot be known before is named instead: a transaction's
blockhash and signature, and the copies of the program's events that are put into the
store once the chain has made them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final

from flair_client.chain import instructions
from flair_client.chain.accounts import Scope
from flair_client.chain.arguments import ARGUMENTS
from flair_client.chain.events import (
    EVENT_PREFIX,
    BranchAdvanced,
    BranchMerged,
    RoundOpened,
    UpdatePushed,
    event_size,
)
from flair_client.chain.instructions import Instruction, account_flags
from flair_client.chain.layout import DISCRIMINATOR_SIZE, decode
from flair_client.config_file import write_text
from flair_client.context import Context, signed_by
from flair_client.encoding import decode_delta
from flair_client.errors import OutputExists, WorkspaceError
from flair_client.history.graph import read_commit
from flair_client.ids import Address, CommitId, Digest
from flair_client.objects import Commit, CommitKind
from flair_client.porcelain.checkout import blocks_of
from flair_client.porcelain.commit import PENDING
from flair_client.porcelain.outbox_digest import outbox_digest
from flair_client.porcelain.push_move import move_instruction
from flair_client.porcelain.pushed import Destination, destinations
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.terms import DAMAGE
from flair_client.porcelain.transfer import Outgoing, blocks_of_commit
from flair_client.store.base import Store
from flair_client.workspace import Workspace

_EVENTS: Final[Mapping[str, tuple[str, type[Any]]]] = {
    "round_open": ("RoundOpened", RoundOpened),
    "update_push": ("UpdatePushed", UpdatePushed),
    "branch_advance": ("BranchAdvanced", BranchAdvanced),
    "branch_merge": ("BranchMerged", BranchMerged),
}


@dataclass(frozen=True, slots=True)
class OutgoingTransaction:
    """A transaction that a push signs and sends.

    Attributes:
        instruction: its one instruction.
        accounts: name of the account → address, signer and writable as the program
            lists them.
        fields: name of the argument → value.
        data: all bytes of the instruction, in hex.
    """

    instruction: str
    program_id: Address
    accounts: tuple[tuple[str, Address], ...]
    fields: Mapping[str, str]
    data: str


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """A copy of an event that the chain makes, put into the store once it is there.

    Attributes:
        name: of the event.
        size: bytes of the block. It repeats the transaction's fields, beside the time
            and the number that the chain gives it.
    """

    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Everything that a push sends.

    Attributes:
        contributor: who it belongs to: its author, or whom the author pushes for.
        hosts: where it goes. They see this machine's address as well, and which
            accounts and blocks are asked for.
        blocks: what is put into the store, where it is not there already.
        fields: what the commit and its delta say, by dotted name.
        transactions: in the order in which they are sent.
        events: blocks that follow from them.
        n_bytes: of all blocks, without events.
        genesis_hash: of the cluster that the transactions are for; None where the
            network's profile pins none.
        digest: sha-256 over all of it, hosts with their paths, which an approval signs.
    """

    commit: CommitId
    kind: CommitKind
    repo: str
    branch: str
    author: Address
    contributor: Address
    hosts: tuple[Destination, ...]
    genesis_hash: str | None
    blocks: tuple[Outgoing, ...]
    fields: tuple[tuple[str, str], ...]
    transactions: tuple[OutgoingTransaction, ...]
    events: tuple[OutgoingEvent, ...]
    n_bytes: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """The commit that the next push sends, and its marker's other values.

    Attributes:
        contributor: who it belongs to: its author, or whom the author pushes for.
        weight: 0 where it is no update.
        nonce: empty where it is no update.
        source: the data source behind it, where it is known.
    """

    commit_id: CommitId
    commit: Commit
    contributor: Address
    weight: int
    nonce: bytes
    source: str | None


@dataclass(frozen=True, slots=True)
class _Author:
    """Stands for the author's wallet where nothing is signed."""

    address: Address

    def sign(self, message: bytes) -> bytes:
        """Never signs.

        Raises:
            WorkspaceError: always.
        """
        raise WorkspaceError(f"{len(message)} bytes cannot be signed without a wallet")


def read_pending(store: Store, workspace: Workspace) -> PendingCommit:
    """Reads the commit that waits for a push.

    Raises:
        WorkspaceError: there is none, or its marker was damaged.
    """
    marker = workspace.marker(PENDING)
    if marker is None:
        raise WorkspaceError("nothing is committed that could be pushed")
    try:
        commit_id = CommitId.parse(str(marker["commit"]))
        is_update = marker.get("kind", "update") == "update"
        weight = int(marker["weight"]) if is_update else 0
        nonce = bytes.fromhex(str(marker["nonce"])) if is_update else b""
        source = marker.get("source")
    except DAMAGE as exc:
        raise WorkspaceError(f"the marker of the commit is damaged: {exc}") from exc
    named = None if source is None else str(source)
    commit = read_commit(store, commit_id)
    contributor = contributor_in(store, commit)
    return PendingCommit(commit_id, commit, contributor, weight, nonce, named)


def contributor_in(store: Store, commit: Commit) -> Address:
    """Gives who a commit belongs to: an update says so, of others it is the author."""
    if commit.delta is None:
        return commit.author
    return decode_delta(store.get(commit.delta)).contributor


def outbox(ctx: Context, workspace: Workspace) -> Outbox:
    """Lists what the next push sends; sends and signs nothing, needs no wallet.

    Raises:
        WorkspaceError: nothing was committed.
        AccountMissing: the repository or branch is not there.
    """
    store = blocks_of(ctx, workspace)
    pending = read_pending(store, workspace)
    as_author = replace(ctx, signer=_Author(pending.commit.author))
    place = find_repo(as_author, workspace.repo()).branch(pending.commit.branch)
    return plan_push(as_author, store, place, pending)


def plan_push(
    ctx: Context, store: Store, place: BranchTarget, pending: PendingCommit
) -> Outbox:
    """Gives everything that pushing a commit sends, as the branch stands now."""
    commit_id, commit = pending.commit_id, pending.commit
    blocks = tuple(blocks_of_commit(store, commit_id))
    said = tuple(_said(store, pending))
    if commit.kind is not CommitKind.UPDATE:
        whole = [move_instruction(ctx, place, commit_id, commit)]
        planned = whole
    else:
        whole = _sent(ctx, place, _opening_and_update(ctx, place, pending))
        planned = whole[1:] if place.account.round_live else whole
    return Outbox(
        commit=commit_id,
        kind=commit.kind,
        repo=str(place.repo.name),
        branch=commit.branch,
        author=commit.author,
        contributor=pending.contributor,
        hosts=destinations(ctx),
        genesis_hash=ctx.network.genesis_hash,
        blocks=blocks,
        fields=said,
        transactions=tuple(map(described, planned)),
        events=tuple(map(_event_of, planned)),
        n_bytes=sum(one.size for one in blocks),
        digest=outbox_digest(ctx, commit_id, blocks, said, whole),
    )


def _sent(
    ctx: Context, place: BranchTarget, planned: Iterable[Instruction]
) -> list[Instruction]:
    """The instructions as they are sent, each in a transaction of its own."""
    if place.repo.payer == ctx.wallet.address:
        return list(planned)
    # A sponsor wants to know who asks.
    return [one for each in planned for one in signed_by([each], ctx.wallet.address)]


def update_instructions(
    ctx: Context, place: BranchTarget, pending: PendingCommit
) -> tuple[Instruction, ...]:
    """What pushing an update asks of the chain: a round where there is none, then it.

    Raises:
        WorkspaceError: the commit is no update.
    """
    opening, update = _opening_and_update(ctx, place, pending)
    return (update,) if place.account.round_live else (opening, update)


def _opening_and_update(
    ctx: Context, place: BranchTarget, pending: PendingCommit
) -> tuple[Instruction, Instruction]:
    account, commit = place.account, pending.commit
    if commit.delta is None:
        raise WorkspaceError(f"commit {pending.commit_id.short} is no update")
    policy = place.policy_address(account.policy_index)
    if account.round_live:
        policy = place.round(account.round_index).account.policy
    opening = instructions.round_open(
        payer=place.repo.payer,
        repo=place.repo.address,
        branch=place.address,
        policy=policy,
        round_index=account.round_index,
        program_id=ctx.program_id,
    )
    update = instructions.update_push(
        payer=place.repo.payer,
        contributor=pending.contributor,
        signer=ctx.wallet.address,
        repo=place.repo.address,
        branch=place.address,
        policy=policy,
        round_index=account.round_index,
        commit_id=pending.commit_id,
        expected_base=commit.parents[0],
        weight=pending.weight,
        payload_digest=Digest(commit.delta.digest),
        nonce=pending.nonce,
        role=place.repo.right(Scope.CONTRIBUTE, place.address, of=pending.contributor),
        program_id=ctx.program_id,
    )
    return opening, update


def save_outbox(
    ctx: Context, workspace: Workspace, listed: Outbox, told: str, folder: Path
) -> None:
    """Writes the list and every byte of every block into a new folder.

    Args:
        ctx: as for `outbox`.
        workspace: has the blocks.
        listed: what goes out.
        told: the list as JSON.
        folder: gets `outbox.json` and `blocks/CID`.

    Raises:
        OutputExists: the folder is there and not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise OutputExists(f"{folder} is not empty")
    store = blocks_of(ctx, workspace)
    (folder / "blocks").mkdir(parents=True, exist_ok=True, mode=0o700)
    for one in listed.blocks:
        (folder / "blocks" / str(one.cid)).write_bytes(store.get(one.cid))
    write_text(folder / "outbox.json", told)


def described(instruction: Instruction) -> OutgoingTransaction:
    """Says what a transaction does, to the byte."""
    arguments: Any = decode(
        ARGUMENTS[instruction.name], instruction.data[DISCRIMINATOR_SIZE:]
    )
    names = [name for name, _ in account_flags(instruction.name)]
    names += ["event_authority", "program", "signer"]
    return OutgoingTransaction(
        instruction.name,
        instruction.program_id,
        tuple(
            (name, meta.address)
            for name, meta in zip(names, instruction.accounts, strict=False)
        ),
        {item.name: _text(getattr(arguments, item.name)) for item in fields(arguments)},
        instruction.data.hex(),
    )


def _event_of(instruction: Instruction) -> OutgoingEvent:
    name, kind = _EVENTS[instruction.name]
    return OutgoingEvent(name, len(EVENT_PREFIX) + event_size(kind))


def _said(store: Store, pending: PendingCommit) -> Iterator[tuple[str, str]]:
    """Every field of the commit and of its delta's header."""
    yield from _flat("commit", pending.commit)
    if pending.commit.delta is not None:
        delta = decode_delta(store.get(pending.commit.delta))
        yield from _flat("delta", replace(delta, tensors=()))
        for tensor in delta.tensors:
            yield (
                f"delta.tensors.{tensor.name}",
                f"{tensor.n_values} integers, {tensor.encoding.value}",
            )
        yield "update.weight", str(pending.weight)
        yield "update.nonce", pending.nonce.hex()


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if value is None or value == ():
        return
    if is_dataclass(value) and type(value).__module__ == Commit.__module__:
        for item in fields(value):
            yield from _flat(f"{path}.{item.name}", getattr(value, item.name))
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from _flat(f"{path}.{name}", value[name])
    elif isinstance(value, tuple):
        for place, part in enumerate(value):
            yield from _flat(f"{path}[{place}]", part)
    else:
        yield path, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    # Not str(): a float keeps all of its digits, a text stays as it is.
    return repr(value) if isinstance(value, float) else str(value)
