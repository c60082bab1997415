"""Updates of a round: listed, shown, rejected by the owner, withdrawn."""

from dataclasses import dataclass
from enum import IntEnum

from flair_client.chain import instructions
from flair_client.chain.accounts import UpdateAccount, UpdateStatus
from flair_client.chain.pdas import find_update_pda
from flair_client.context import Context
from flair_client.errors import AccountMissing
from flair_client.ids import Address, CommitId, Digest
from flair_client.porcelain.target import RoundTarget, find_repo
from flair_client.repo_address import RepoAddress


class RejectReason(IntEnum):
    """Why an owner rejects an update: the public code in `update_reject`."""

    MALFORMED = 1
    SIGNATURE = 2
    MISSING = 3
    BASE = 4
    SHAPE = 5
    RANGE = 6
    NORM = 7
    PRIVACY = 8
    OUTLIER = 9
    SCORE = 10
    COPY = 11
    OTHER = 255


@dataclass(frozen=True, slots=True)
class UpdateRow:
    """An update as people see it.

    Attributes:
        reject_reason: name of the code; None where it is not rejected.
    """

    contributor: Address
    commit_id: CommitId
    payload_digest: Digest
    weight: int
    status: UpdateStatus
    reject_reason: str | None
    pushed_at: int
    deposit_lamports: int


@dataclass(frozen=True, slots=True)
class UpdateList:
    """The updates of a round in the order in which they are summed."""

    repo: RepoAddress
    branch: str
    round_index: int
    updates: tuple[UpdateRow, ...]


@dataclass(frozen=True, slots=True)
class UpdateShown:
    """One update."""

    repo: RepoAddress
    branch: str
    round_index: int
    update: UpdateRow


@dataclass(frozen=True, slots=True)
class UpdateMoved:
    """An update that was rejected or withdrawn."""

    repo: RepoAddress
    branch: str
    round_index: int
    contributor: Address
    commit_id: CommitId
    reason: str | None
    tx_signature: str


def reason_name(code: int) -> str:
    """Gives the name of a reject reason; codes of others as `code 42`."""
    try:
        return RejectReason(code).name.lower()
    except ValueError:
        return f"code {code}"


def show_update(account: UpdateAccount) -> UpdateRow:
    """Gives an update's account as people see it."""
    code = account.reject_reason
    return UpdateRow(
        contributor=account.contributor,
        commit_id=account.commit_id,
        payload_digest=account.payload_digest,
        weight=account.weight,
        status=account.status,
        reject_reason=reason_name(code) if code else None,
        pushed_at=account.pushed_at,
        deposit_lamports=account.deposit_lamports,
    )


def update_list(
    ctx: Context, repo: RepoAddress, branch: str, index: int | None = None
) -> UpdateList:
    """Lists the updates of a round; without an index the live or the last one.

    Raises:
        AccountMissing: there is no such round (any more).
    """
    target = find_repo(ctx, repo).branch(branch).round(index)
    updates = tuple(show_update(item) for item in ctx.chain.updates(target.address))
    return UpdateList(repo, branch, target.account.round_index, updates)


def update_show(
    ctx: Context,
    repo: RepoAddress,
    branch: str,
    contributor: Address,
    index: int | None = None,
) -> UpdateShown:
    """Gives a contributor's update of a round.

    Raises:
        AccountMissing: there is none.
    """
    target = find_repo(ctx, repo).branch(branch).round(index)
    found = _find(ctx, target, contributor)
    return UpdateShown(repo, branch, target.account.round_index, show_update(found))


def update_reject(
    ctx: Context,
    repo: RepoAddress,
    branch: str,
    contributor: Address,
    reason: RejectReason | int,
) -> UpdateMoved:
    """Strikes an update from the live round; the owner alone may, with a public reason.

    Raises:
        AccountMissing: there is no such update.
        ProgramRefused: the wallet may not, or it is too late.
    """
    target = find_repo(ctx, repo).branch(branch).round()
    found = _find(ctx, target, contributor)
    sent = ctx.send(
        [
            instructions.update_reject(
                authority=ctx.wallet.address,
                repo=target.branch.repo.address,
                branch=target.branch.address,
                round_index=target.account.round_index,
                contributor=contributor,
                reason=int(reason),
                program_id=ctx.program_id,
            )
        ]
    )
    named = reason_name(int(reason))
    return _moved(repo, target, found, named, str(sent.signature))


def update_withdraw(ctx: Context, repo: RepoAddress, branch: str) -> UpdateMoved:
    """Takes one's own update out of the open round; rent and deposit come back.

    Raises:
        AccountMissing: there is no such update.
        ProgramRefused: the round takes no more changes.
    """
    target = find_repo(ctx, repo).branch(branch).round()
    found = _find(ctx, target, ctx.contributor)
    sent = ctx.send(
        [
            instructions.update_withdraw(
                actor=ctx.wallet.address,
                contributor=found.contributor,
                repo=target.branch.repo.address,
                branch=target.branch.address,
                round_index=target.account.round_index,
                rent_payer=found.rent_payer,
                program_id=ctx.program_id,
            )
        ],
        payer=target.branch.repo.payer,
    )
    return _moved(repo, target, found, None, str(sent.signature))


def _find(ctx: Context, target: RoundTarget, contributor: Address) -> UpdateAccount:
    found = ctx.chain.update(target.address, contributor)
    if found is not None:
        return found
    address = find_update_pda(target.address, contributor, ctx.program_id)[0]
    of = f"of {contributor} in round {target.account.round_index}"
    raise AccountMissing(address, "update", of)


def _moved(
    repo: RepoAddress,
    target: RoundTarget,
    update: UpdateAccount,
    reason: str | None,
    tx_signature: str,
) -> UpdateMoved:
    return UpdateMoved(
        repo,
        target.branch.account.name,
        target.account.round_index,
        update.contributor,
        update.commit_id,
        reason,
        tx_signature,
    )
