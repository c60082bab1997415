"""What names blocks: a workspace's own files, and the chain; part of `gc`, no verb."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flair_client.chain.accounts import RepoAccount
from flair_client.chain.pdas import find_branch_pda, find_repo_pda, find_round_pda
from flair_client.context import Context
from flair_client.errors import AccountInvalid, AccountMissing, IdentifierInvalid
from flair_client.history.events import collect_events
from flair_client.ids import Address, Cid, CommitId
from flair_client.repo_address import RepoAddress
from flair_client.workspace import Workspace

_HEX: Final = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_CID: Final = re.compile(rb"(?<![a-z0-9])b[a-z2-7]{58}(?![a-z0-9])")
_MAX_STATE_BYTES: Final = 1 << 20
# It only remembers what was seen; blocks that it knows are asked for before use.
_NOT_NAMING: Final = frozenset(("commits", "fingerprints", "lock", "lock.pid"))


@dataclass(slots=True)
class Named:
    """What something names.

    Attributes:
        heads: commits that must be there, with all behind them.
        digests: of blocks that stay where they are there.
        events: bytes in which digests stand.
    """

    heads: dict[CommitId, str] = field(default_factory=dict)
    digests: set[bytes] = field(default_factory=set)
    events: list[bytes] = field(default_factory=list)


def named_by_files(workspace: Workspace) -> set[bytes]:
    """Every digest that stands in one of the workspace's files about itself.

    Whatever a marker is for, also one of a later version: what it names stays.
    """
    return {
        digest
        for path in _state_files(workspace)
        for digest in _digests_in(_content(path))
    }


def _state_files(workspace: Workspace) -> Iterator[Path]:
    for folder in (workspace.state_folder, workspace.state_folder / "state"):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_file() and path.name not in _NOT_NAMING:
                yield path


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_STATE_BYTES)


def _digests_in(content: bytes) -> Iterator[bytes]:
    for found in _HEX.findall(content):
        yield bytes.fromhex(found.decode("ascii"))
    for found in _CID.findall(content):
        try:
            yield Cid.parse(found.decode("ascii")).digest
        except IdentifierInvalid:
            continue


def named_by_repo(ctx: Context, address: Address, named: Named) -> RepoAccount:
    """Adds what a repository's accounts name: heads, open rounds, policies.

    Raises:
        AccountMissing: there is no such repository on this chain.
        AccountInvalid: it is another program's.
        RpcUnavailable: the chain does not answer.
    """
    account = ctx.chain.repo(address)
    named.digests |= {account.history_root.raw, account.keyring_digest.raw}
    for index in range(account.policy_count):
        named.digests.add(ctx.chain.policy(address, index).params.recipe_digest.raw)
    for branch in ctx.chain.branches(address):
        if any(branch.head_commit.raw):
            named.heads[branch.head_commit] = f"head of branch {branch.name}"
        where = find_branch_pda(address, branch.name, ctx.program_id)[0]
        for item in ctx.chain.rounds(where):
            named.digests |= {item.base_commit.raw, item.merge_commit.raw}
            place = find_round_pda(where, item.round_index, ctx.program_id)[0]
            for update in ctx.chain.updates(place):
                named.digests |= {update.commit_id.raw, update.payload_digest.raw}
        for candidate in ctx.chain.branch_candidates(where):
            named.digests.add(candidate.commit_id.raw)
    for request in ctx.chain.join_requests(address):
        named.digests.add(request.note_digest.raw)
    return account


def named_by_chain(
    ctx: Context, repos: Iterable[Address], *, with_events: bool
) -> tuple[Named, set[Address]]:
    """What the accounts of repositories name; and which are not on this chain.

    Args:
        ctx: its chain is asked; events are looked for in its store first.
        repos: their addresses.
        with_events: whether all events of their histories are gathered as well.

    Raises:
        VerificationError: events of a repository can be found nowhere.
        RpcUnavailable: the chain does not answer.
    """
    named = Named()
    strangers = set()
    for address in sorted(repos):
        try:
            account = named_by_repo(ctx, address, named)
        except (AccountMissing, AccountInvalid):
            strangers.add(address)
            continue
        if with_events:
            named.events += collect_events(ctx.chain, ctx.remote, account)
    return named, strangers


def address_of(ctx: Context, repo: RepoAddress) -> Address:
    """Where a repository's account is."""
    return find_repo_pda(repo.creator, repo.name, ctx.program_id)[0]
