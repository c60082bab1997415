"""Merge candidates: what was proposed for a round, who agreed, and what each would do.

Nothing is signed here; see `vote` for approving and attesting.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flair_client.chain.accounts import MergeCandidateAccount, RoundState
from flair_client.chain.pdas import find_candidate_pda
from flair_client.context import Context
from flair_client.encoding import weights_digest
from flair_client.errors import (
    CandidateInvalid,
    RefUnknown,
    Refused,
    VerificationError,
)
from flair_client.history.checked import CheckedCommit, Evidence
from flair_client.history.diff import TensorDiff, diff_weights
from flair_client.history.evidence import gather_evidence
from flair_client.history.line import LineState
from flair_client.history.records import RoundPhase, RoundRecord
from flair_client.history.verify import walk_line
from flair_client.history.verify_candidate import verify_candidate
from flair_client.history.verify_move import trusted_commit
from flair_client.ids import Address, CommitId, Digest
from flair_client.porcelain.revert_plan import WeightsChange, change_between
from flair_client.porcelain.scoring import Scorer
from flair_client.porcelain.target import BranchTarget, RoundTarget, find_repo
from flair_client.porcelain.update_review import Review, review_updates
from flair_client.repo_address import RepoAddress
from flair_client.workspace import Workspace

_MIN_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Candidate:
    """A merge that somebody proposed, by the chain alone.

    Attributes:
        approved: whether the present owner approved it.
        attesters: who attested it under the present owner.
        is_void: whether it can no longer be merged: on a protected branch a change of
            the owner takes all candidates with it.
        ready_at: when its challenge time is over, in Unix seconds.
    """

    commit: CommitId
    proposer: Address
    proposed_at: int
    approved: bool
    attesters: tuple[Address, ...]
    is_void: bool
    ready_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateList:
    """The candidates of the round in progress, oldest first.

    Attributes:
        round_index: None where no round is in progress.
        approvals_needed: 1 where the owner has to approve.
        attestations_needed: how many others have to attest.
        abort_after: when the round is given up, in Unix seconds; None while it is open.
    """

    repo: RepoAddress
    branch: str
    round_index: int | None
    state: RoundState | None
    approvals_needed: int
    attestations_needed: int
    abort_after: int | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class MergedUpdate:
    """An update that a candidate merges, and the weight that it has there."""

    commit: CommitId
    contributor: Address
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateShown:
    """A candidate that was made again on this machine, and came out the same.

    Attributes:
        head: the commit that it is made on.
        strategy: how the updates are combined.
        params: of the strategy, as they are in the commit.
        weights_digest: names the state that comes out.
        change: from the head to it.
        tensors: the same, one by one.
        review: what each update does; None where it was not asked for.
    """

    candidate: Candidate
    repo: RepoAddress
    branch: str
    round_index: int
    head: CommitId
    author: Address
    message: str
    strategy: str
    params: Mapping[str, int]
    updates: tuple[MergedUpdate, ...]
    update_root: Digest
    weights_digest: Digest
    change: WeightsChange
    tensors: tuple[TensorDiff, ...]
    approvals_needed: int
    attestations_needed: int
    abort_after: int
    review: Review | None = None


def candidate_list(ctx: Context, repo: RepoAddress, branch: str) -> CandidateList:
    """Lists what was proposed for the round in progress; makes nothing again.

    Raises:
        AccountMissing: there is no such branch.
    """
    place = find_repo(ctx, repo).branch(branch)
    if not place.account.round_live:
        return CandidateList(
            repo=repo,
            branch=branch,
            round_index=None,
            state=None,
            approvals_needed=0,
            attestations_needed=0,
            abort_after=None,
            candidates=(),
        )
    live = place.round(place.account.round_index)
    params = place.policy(live.account.policy_index).params
    found = ctx.chain.candidates(live.address)
    return CandidateList(
        repo=repo,
        branch=branch,
        round_index=live.account.round_index,
        state=live.account.state,
        approvals_needed=params.approvals_needed,
        attestations_needed=params.attestations_needed,
        abort_after=abort_after(live),
        candidates=tuple(show_candidate(live, one) for one in found),
    )


def abort_after(live: RoundTarget) -> int | None:
    """When a closed round is given up; None while it takes updates."""
    params = live.branch.policy(live.account.policy_index).params
    closed = live.account.closed_at
    return closed + params.challenge_s + params.merge_grace_s if closed else None


def show_candidate(live: RoundTarget, account: MergeCandidateAccount) -> Candidate:
    """Gives a candidate's account, and who attested it, as people see it."""
    repo, branch = live.branch.repo, live.branch.account
    epoch = repo.account.authority_epoch
    params = live.branch.policy(live.account.policy_index).params
    where = find_candidate_pda(live.address, account.commit_id, repo.ctx.program_id)[0]
    approvals, attestations = account.votes(epoch)
    attested = repo.ctx.chain.attestations(where) if attestations else []
    return Candidate(
        commit=account.commit_id,
        proposer=account.proposer,
        proposed_at=account.proposed_at,
        approved=approvals > 0,
        attesters=tuple(
            one.attester for one in attested if one.authority_epoch == epoch
        ),
        is_void=branch.protected and account.authority_epoch != epoch,
        ready_at=account.proposed_at + params.challenge_s,
    )


def candidate_show(
    ctx: Context,
    repo: RepoAddress,
    branch: str,
    text: str | None = None,
    *,
    verified: Collection[CommitId] = (),
) -> CandidateShown:
    """Makes a candidate again from the updates in the store and says what it does.

    Args:
        ctx: the chain is read; nothing is signed. Its store is not trusted.
        repo: the repository.
        branch: its name.
        text: digits of the candidate's id; not needed where there is only one.
        verified: commits that were found right on this machine before.

    Raises:
        RefUnknown: nothing was proposed, or nothing under this id.
        Refused: no round is closed with all its updates added up.
        CandidateInvalid: something else comes out, or a block is missing.
        VerificationError: the branch's head is not valid, or the accounts are wrong.
    """
    look = look_at(ctx, find_repo(ctx, repo).branch(branch), text, verified)
    return shown(repo, look)


@dataclass(frozen=True, slots=True)
class Look:
    """A candidate that came out the same, and what it was compared with.

    Attributes:
        record: the round by its events, with every update accumulated.
        authority_epoch: under which all of this was read.
    """

    place: BranchTarget
    live: RoundTarget
    account: MergeCandidateAccount
    evidence: Evidence
    record: RoundRecord
    head: CheckedCommit
    made: CheckedCommit
    authority_epoch: int


def look_at(
    ctx: Context,
    place: BranchTarget,
    text: str | None,
    verified: Collection[CommitId] = (),
) -> Look:
    """Finds a candidate and makes it again; as `candidate_show`."""
    live, account = find_candidate(ctx, place, text)
    gathered = gather_evidence(
        ctx.chain,
        ctx.remote,
        place.repo.address,
        place.account.name,
        genesis_hash=ctx.network.genesis_hash,
        progress=ctx.progress,
    )
    evidence = gathered.evidence
    record = evidence.history.branches[place.address].live_round
    if record is None or account.commit_id not in record.proposers:
        raise RefUnknown(f"{account.commit_id.short} is no candidate any more")
    if record.phase is not RoundPhase.CLOSED:
        raise Refused(f"round {record.round_index} still takes updates")
    n_accepted = len(record.accepted())
    if record.n_accumulated != n_accepted:
        raise Refused(
            f"{record.n_accumulated} of {n_accepted} updates are added up: what the "
            "candidate merges may still change"
        )
    head = _head(evidence, record.base_commit, verified)
    try:
        proposer = record.proposers[account.commit_id]
        made = verify_candidate(evidence, record, head, account.commit_id, proposer)
    except VerificationError as exc:
        raise CandidateInvalid(exc.where, exc.reason) from exc
    epoch = evidence.history.authority_epoch
    return Look(place, live, account, evidence, record, head, made, epoch)


def find_candidate(
    ctx: Context, place: BranchTarget, text: str | None
) -> tuple[RoundTarget, MergeCandidateAccount]:
    """Gives the candidate of the round in progress that digits of its id name.

    Raises:
        RefUnknown: no round is in progress, or not exactly one candidate is meant.
    """
    name = place.account.name
    if not place.account.round_live:
        raise RefUnknown(f"no round of {name!r} is in progress: nothing is proposed")
    live = place.round(place.account.round_index)
    found: Sequence[MergeCandidateAccount] = ctx.chain.candidates(live.address)
    index = live.account.round_index
    if not found:
        raise RefUnknown(f"no merge of round {index} was proposed yet")
    if text is None:
        if len(found) > 1:
            ids = ", ".join(one.commit_id.short for one in found)
            raise RefUnknown(f"round {index} has several candidates, name one: {ids}")
        return live, found[0]
    meant = [one for one in found if str(one.commit_id).startswith(text)]
    if len(text) < _MIN_DIGITS or len(meant) != 1:
        raise RefUnknown(f"no candidate of round {index} is meant by {text!r}")
    return live, meant[0]


def _head(
    evidence: Evidence, base: CommitId, verified: Collection[CommitId]
) -> CheckedCommit:
    """The round's base, found right: on this machine before, or now."""
    if base in verified:
        return trusted_commit(evidence, base)
    state = LineState()
    for _, after in walk_line(evidence):
        state = after
    if state.fault is not None:
        raise state.fault
    if state.head is None or state.head.commit_id != base:
        raise VerificationError(f"commit {base.short}", "is not the branch's head")
    return state.head


def shown(repo: RepoAddress, look: Look) -> CandidateShown:
    """Says what a candidate does."""
    store, commit = look.evidence.store, look.made.commit
    if commit.strategy is None:
        raise AssertionError("a merge that was verified names its strategy")
    by_id = {one.commit_id: one for one in look.record.accepted()}
    merged = [by_id[parent] for parent in commit.parents[1:]]
    before, after = look.head.manifest, look.made.manifest
    params = look.place.policy(look.record.policy_index).params
    return CandidateShown(
        candidate=show_candidate(look.live, look.account),
        repo=repo,
        branch=look.place.account.name,
        round_index=look.record.round_index,
        head=look.head.commit_id,
        author=commit.author,
        message=commit.message,
        strategy=commit.strategy.id,
        params=dict(commit.strategy.params),
        updates=tuple(
            MergedUpdate(one.commit_id, one.contributor, one.weight) for one in merged
        ),
        update_root=look.record.update_root,
        weights_digest=weights_digest(after),
        change=change_between(store, before, after),
        tensors=tuple(diff_weights(store, before, after)),
        approvals_needed=params.approvals_needed,
        attestations_needed=params.attestations_needed,
        abort_after=look.record.closed_at + params.challenge_s + params.merge_grace_s,
    )


def review_of(
    ctx: Context,
    repo: RepoAddress,
    found: CandidateShown,
    *,
    scorer: Scorer | None = None,
    workspace: Workspace | None = None,
) -> Review:
    """Says what each update of a candidate does, as `flair update list` would."""
    return review_updates(
        ctx,
        repo,
        found.branch,
        index=found.round_index,
        compare=True,
        scorer=scorer,
        workspace=workspace,
    )
