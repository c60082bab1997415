"""Rounds: opened, closed, aborted and cleared away by anyone; shown and listed."""

from dataclasses import dataclass

from flair_client.chain import instructions
from flair_client.chain.accounts import (
    PolicyParams,
    RoundAccount,
    RoundState,
    UpdateAccount,
)
from flair_client.chain.pdas import find_policy_pda, find_round_pda
from flair_client.context import Context
from flair_client.errors import AccountMissing
from flair_client.ids import Address, CommitId
from flair_client.porcelain.target import BranchTarget, RoundTarget, find_repo
from flair_client.porcelain.update import UpdateRow, show_update
from flair_client.repo_address import RepoAddress


@dataclass(frozen=True, slots=True)
class Round:
    """A round as people see it.

    Attributes:
        live: whether it is the branch's round in progress.
        closed_at: None while it is open.
        min_updates, max_updates: of its policy.
        approvals_needed: 1 where the owner has to approve a merge.
        attestations_needed: how many others have to attest it.
        abort_after: when it may be aborted if it is closed and nobody merges; None
            while it is open.
        merge_commit: None until it is merged.
    """

    branch: str
    round_index: int
    address: Address
    state: RoundState
    live: bool
    base_commit: CommitId
    policy_index: int
    opened_at: int
    deadline: int
    closed_at: int | None
    abort_after: int | None
    n_live: int
    n_accepted: int
    n_accumulated: int
    n_settled: int
    min_updates: int
    max_updates: int
    approvals_needed: int
    attestations_needed: int
    weight_sum: int
    merge_commit: CommitId | None


@dataclass(frozen=True, slots=True)
class RoundShown:
    """A round with its updates."""

    repo: RepoAddress
    round: Round
    updates: tuple[UpdateRow, ...]


@dataclass(frozen=True, slots=True)
class RoundList:
    """Rounds whose accounts still exist, newest first; merged ones are in the log."""

    repo: RepoAddress
    branch: str
    next_round_index: int
    rounds: tuple[Round, ...]


@dataclass(frozen=True, slots=True)
class RoundMoved:
    """A round that was opened, closed or aborted.

    Attributes:
        deadline: until when it takes updates.
    """

    repo: RepoAddress
    branch: str
    round_index: int
    state: RoundState
    deadline: int
    n_accepted: int
    tx_signature: str


@dataclass(frozen=True, slots=True)
class RoundCleared:
    """What was cleared away of a round that is over.

    Attributes:
        n_updates: updates whose rent and deposit went back.
        n_candidates: merge candidates whose rent went back.
        n_attestations: attestations whose rent went back.
    """

    repo: RepoAddress
    branch: str
    round_index: int
    n_updates: int
    n_candidates: int
    n_attestations: int
    tx_signatures: tuple[str, ...]


def show_round(target: RoundTarget) -> Round:
    """Gives a round's account as people see it, with its policy's limits."""
    account, branch = target.account, target.branch.account
    params = target.branch.policy(account.policy_index).params
    merged = account.merge_commit
    return Round(
        branch=branch.name,
        round_index=account.round_index,
        address=target.address,
        state=account.state,
        live=branch.round_live and branch.round_index == account.round_index,
        base_commit=account.base_commit,
        policy_index=account.policy_index,
        opened_at=account.opened_at,
        deadline=account.deadline,
        closed_at=account.closed_at or None,
        abort_after=abort_time(account, params),
        n_live=account.n_live,
        n_accepted=account.n_accepted,
        n_accumulated=account.n_accumulated,
        n_settled=account.n_settled,
        min_updates=params.min_updates,
        max_updates=params.max_updates,
        approvals_needed=params.approvals_needed,
        attestations_needed=params.attestations_needed,
        weight_sum=account.weight_sum,
        merge_commit=merged if any(merged.raw) else None,
    )


def abort_time(account: RoundAccount, params: PolicyParams) -> int | None:
    """Gives when a closed round may be ended without a merge; None while it is open."""
    if not account.closed_at:
        return None
    return account.closed_at + params.challenge_s + params.merge_grace_s


def round_show(
    ctx: Context, repo: RepoAddress, branch: str, index: int | None = None
) -> RoundShown:
    """Gives a round and its updates; without an index the live or the last one.

    Raises:
        AccountMissing: there is no such round (any more).
    """
    target = find_repo(ctx, repo).branch(branch).round(index)
    updates = tuple(show_update(item) for item in ctx.chain.updates(target.address))
    return RoundShown(repo, show_round(target), updates)


def round_list(
    ctx: Context, repo: RepoAddress, branch: str, *, limit: int = 20
) -> RoundList:
    """Lists the newest rounds whose accounts still exist."""
    place = find_repo(ctx, repo).branch(branch)
    newest = place.account.round_index
    rounds = []
    for index in range(newest, max(newest - limit, -1), -1):
        account = ctx.chain.round(place.address, index)
        if account is not None:
            address = find_round_pda(place.address, index, ctx.program_id)[0]
            rounds.append(show_round(RoundTarget(place, address, account)))
    following = newest + int(place.account.round_live)
    return RoundList(repo, branch, following, tuple(rounds))


def round_open(ctx: Context, repo: RepoAddress, branch: str) -> RoundMoved:
    """Opens the branch's next round; anyone may.

    Raises:
        ProgramRefused: a round is in progress, or the branch has no root.
    """
    place = find_repo(ctx, repo).branch(branch)
    account = place.account
    sent = ctx.send(
        [
            instructions.round_open(
                payer=place.repo.payer,
                repo=place.repo.address,
                branch=place.address,
                policy=place.policy_address(account.policy_index),
                round_index=account.round_index,
                program_id=ctx.program_id,
            )
        ],
        payer=place.repo.payer,
    )
    opened = place.round(account.round_index).account
    return RoundMoved(
        repo,
        branch,
        account.round_index,
        RoundState.OPEN,
        opened.deadline,
        opened.n_accepted,
        str(sent.signature),
    )


def round_close(ctx: Context, repo: RepoAddress, branch: str) -> RoundMoved:
    """Closes the live round for updates; anyone may, when it is full or over.

    Raises:
        ProgramRefused: there is no live round, or it is not ready.
    """
    place = find_repo(ctx, repo).branch(branch)
    target = place.round(place.account.round_index)
    sent = ctx.send(
        [
            instructions.round_close(
                actor=ctx.wallet.address,
                repo=place.repo.address,
                branch=place.address,
                policy=target.account.policy,
                round_index=target.account.round_index,
                program_id=ctx.program_id,
            )
        ]
    )
    return _moved(repo, target, RoundState.CLOSED, str(sent.signature))


def round_abort(
    ctx: Context, repo: RepoAddress, branch: str, index: int | None = None
) -> RoundMoved:
    """Ends a round that can no longer be merged; anyone may.

    Raises:
        ProgramRefused: it can still be finished.
    """
    target = find_repo(ctx, repo).branch(branch).round(index)
    sent = ctx.send([_abort(ctx, target)])
    return _moved(repo, target, RoundState.ABORTED, str(sent.signature))


def round_expire(
    ctx: Context, repo: RepoAddress, branch: str, index: int | None = None
) -> RoundCleared:
    """Clears away what is left of a round that is over; rent goes to its payers.

    Each step is a transaction of its own, so that a kill in between loses nothing: run
    again, it goes on with what is left.

    Raises:
        ProgramRefused: the round is still in progress.
    """
    place = find_repo(ctx, repo).branch(branch)
    try:
        target = place.round(index)
    except AccountMissing:
        # The last update that was closed took the round along.
        given = _expire_attestations(ctx, place, index)
        if index is None or not given:
            raise
        return RoundCleared(repo, branch, index, 0, 0, len(given), tuple(given))
    account = target.account
    signatures = []
    candidates = ctx.chain.candidates(target.address)
    for candidate in candidates:
        expire = instructions.merge_expire(
            actor=ctx.wallet.address,
            repo=place.repo.address,
            branch=place.address,
            round_index=account.round_index,
            commit_id=candidate.commit_id,
            candidate_payer=candidate.payer,
            program_id=ctx.program_id,
        )
        signatures.append(str(ctx.send([expire]).signature))
    given = _expire_attestations(ctx, place, account.round_index)
    signatures += given
    updates = ctx.chain.updates(target.address)
    for update in updates:
        signatures.append(str(ctx.send([_clear(ctx, target, update)]).signature))
    if not updates and account.state in (RoundState.OPEN, RoundState.CLOSED):
        # Without updates nothing would ever close the round's account.
        signatures.append(str(ctx.send([_abort(ctx, target)]).signature))
    return RoundCleared(
        repo,
        branch,
        account.round_index,
        len(updates),
        len(candidates),
        len(given),
        tuple(signatures),
    )


def _clear(
    ctx: Context, target: RoundTarget, update: UpdateAccount
) -> instructions.Instruction:
    """Credits an update where its round was merged; in any case its rent goes back."""
    settles = target.account.state is RoundState.MERGED
    build = instructions.update_settle if settles else instructions.update_expire
    return build(
        actor=ctx.wallet.address,
        repo=target.branch.repo.address,
        branch=target.branch.address,
        round_index=target.account.round_index,
        contributor=update.contributor,
        rent_payer=update.rent_payer,
        round_payer=target.account.payer,
        program_id=ctx.program_id,
    )


def _expire_attestations(
    ctx: Context, place: BranchTarget, index: int | None
) -> list[str]:
    """Closes what is left of a round's votes; gives the transactions."""
    return [
        str(
            ctx.send(
                [
                    instructions.attestation_expire(
                        actor=ctx.wallet.address,
                        repo=place.repo.address,
                        branch=place.address,
                        round_index=one.round_index,
                        commit_id=one.commit_id,
                        attester=one.attester,
                        authority_epoch=one.authority_epoch,
                        rent_payer=one.rent_payer,
                        program_id=ctx.program_id,
                    )
                ]
            ).signature
        )
        for one in ctx.chain.branch_attestations(place.address)
        if one.round_index == index
    ]


def _abort(ctx: Context, target: RoundTarget) -> instructions.Instruction:
    return instructions.round_abort(
        actor=ctx.wallet.address,
        repo=target.branch.repo.address,
        branch=target.branch.address,
        policy=find_policy_pda(
            target.branch.repo.address, target.account.policy_index, ctx.program_id
        )[0],
        round_index=target.account.round_index,
        round_payer=target.account.payer,
        program_id=ctx.program_id,
    )


def _moved(
    repo: RepoAddress, target: RoundTarget, state: RoundState, tx_signature: str
) -> RoundMoved:
    return RoundMoved(
        repo,
        target.branch.account.name,
        target.account.round_index,
        state,
        target.account.deadline,
        target.account.n_accepted,
        tx_signature,
    )


def may_close(round_: Round, now: int) -> bool:
    """Whether `round_close` would be accepted now."""
    if not round_.live or round_.state is not RoundState.OPEN:
        return False
    full = round_.n_accepted >= round_.max_updates
    return full or (now >= round_.deadline and round_.n_accepted >= round_.min_updates)
