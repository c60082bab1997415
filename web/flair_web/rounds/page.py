"""What pages of rounds show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from flair_client.chain.accounts import Scope
from flair_client.ids import Address, CommitId
from flair_client.porcelain.metric_history import sites_of
from flair_client.porcelain.update import reason_name
from flair_client.site_metrics import MetricSummary
from flair_client.store.base import Store
from flair_indexer import queries
from flair_indexer.views import (
    BranchView,
    CandidateView,
    RepoView,
    RoleView,
    RoundView,
    UpdateView,
    VoteView,
)
from flair_web.blocks import Unread, commit_at, report_at
from flair_web.policy.page import PolicyShown, params_of, shown_policy

N_SHOWN: Final = 50
_MAX_WAITING: Final = 50


@dataclass(frozen=True, slots=True)
class RoundsPage:
    """Rounds of a branch, newest first.

    Attributes:
        next: what `before` of the next page is; None where there is none.
    """

    repo: RepoView
    branches: tuple[BranchView, ...]
    branch: BranchView | None
    rounds: tuple[RoundView, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gates of the merge's author say about an update.

    Attributes:
        is_outlier: its length stands out from those of the others.
        length_share: of the longest update that the policy allows, 0 to 1.
    """

    is_outlier: bool | None
    length_share: float | None


@dataclass(frozen=True, slots=True)
class RoundUpdate:
    """An update of a round.

    Attributes:
        reason: why it was left out, in a word; None where it was not.
        verdict: None where no report speaks of it.
    """

    update: UpdateView
    reason: str | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class RoundPage:
    """A round.

    Attributes:
        missing: what must happen before it can be merged, in words.
        waiting: wallets that may contribute by a role and have not pushed.
        candidates: proposed merges, with who spoke for each.
        report: of the merge, or of the first proposed one; nothing in it is believed.
        sites: what the updates of the merge state of their own rows.
    """

    repo: RepoView
    branch: BranchView
    round: RoundView
    policy: PolicyShown | None
    updates: tuple[RoundUpdate, ...]
    missing: tuple[str, ...]
    waiting: tuple[Address, ...]
    candidates: tuple[CandidateView, ...]
    votes: tuple[VoteView, ...]
    report: Mapping[str, Any] | Unread | None
    sites: tuple[MetricSummary, ...]

    @property
    def n_accepted(self) -> int:
        """Updates that count; an open round's row does not know them yet."""
        if self.round.state != "open":
            return self.round.n_accepted
        return sum(one.update.state == "accepted" for one in self.updates)

    def votes_for(self, commit_id: CommitId, kind: str) -> list[VoteView]:
        """Gives who spoke for a proposed merge."""
        return [o for o in self.votes if (o.commit_id, o.kind) == (commit_id, kind)]


def rounds_page(
    source: Connection, repo: RepoView, name: str | None, before: int | None
) -> RoundsPage | None:
    """Gathers the rounds of a branch; None where there is no such branch.

    Args:
        source: the look.
        repo: whose.
        name: of the branch; main, or the first, without it.
        before: only rounds before this one.
    """
    branches = tuple(queries.branches(source, repo.repo))
    by_name = {one.name: one for one in branches}
    branch = by_name.get(name or "main") or next(iter(branches), None)
    if name is not None and name not in by_name:
        return None
    if branch is None:
        return RoundsPage(repo, (), None, (), None)
    found = queries.rounds(source, branch.branch, before=before, limit=N_SHOWN + 1)
    shown = tuple(found[:N_SHOWN])
    following = shown[-1].round_index if len(found) > N_SHOWN else None
    return RoundsPage(repo, branches, branch, shown, following)


def round_page(
    source: Connection,
    store: Store,
    repo: RepoView,
    branch: BranchView,
    round_index: int,
    *,
    now: int,
) -> RoundPage | None:
    """Gathers a round; None where it was never opened."""
    found = queries.round_of(source, branch.branch, round_index)
    if found is None:
        return None
    updates = queries.updates(source, branch.branch, round_index)
    candidates = tuple(queries.candidates(source, branch.branch, round_index))
    votes = tuple(queries.votes(source, branch.branch, round_index))
    policy = queries.policy(source, repo.repo, found.policy_index)
    merge = found.merge_commit or next((one.commit_id for one in candidates), None)
    report, sites = _merged(store, merge)
    verdicts = _verdicts(report)
    shown = None if policy is None else shown_policy(policy)
    is_live = found.state in ("open", "closed")
    roles = queries.roles(source, repo.repo) if is_live else []
    pushed = {one.contributor for one in updates}
    return RoundPage(
        repo,
        branch,
        found,
        shown,
        tuple(_shown(one, verdicts) for one in updates),
        _missing(found, shown, updates, candidates, votes, now=now) if is_live else (),
        _waiting(roles, branch, pushed, now),
        candidates,
        votes,
        report,
        sites,
    )


def _shown(one: UpdateView, verdicts: Mapping[str, Verdict]) -> RoundUpdate:
    reason = None if one.reject_reason is None else reason_name(one.reject_reason)
    return RoundUpdate(one, reason, verdicts.get(str(one.commit_id)))


def _merged(
    store: Store, merge: CommitId | None
) -> tuple[Mapping[str, Any] | Unread | None, tuple[MetricSummary, ...]]:
    if merge is None:
        return None, ()
    commit = commit_at(store, merge)
    if isinstance(commit, Unread):
        return commit, ()
    report = None if commit.report is None else report_at(store, commit.report)
    return report, sites_of(store, commit)


def _verdicts(report: Mapping[str, Any] | Unread | None) -> dict[str, Verdict]:
    """What a stranger's JSON says, where it has the form of a report."""
    if report is None or isinstance(report, Unread):
        return {}
    listed = report.get("updates")
    found = {}
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict) and isinstance(one.get("commit"), str):
            outlier = one.get("is_outlier")
            found[one["commit"]] = Verdict(
                outlier if isinstance(outlier, bool) else None,
                _share(one.get("norm_sq"), one.get("norm_bound_sq")),
            )
    return found


def _share(norm_sq: object, bound_sq: object) -> float | None:
    texts = (norm_sq, bound_sq)
    if not all(isinstance(o, str) and o.isdecimal() and len(o) < 60 for o in texts):
        return None
    square, bound = int(str(norm_sq)), int(str(bound_sq))
    return min((square / bound) ** 0.5, 1.0) if bound else None


def _waiting(
    roles: list[RoleView], branch: BranchView, pushed: set[Address], now: int
) -> tuple[Address, ...]:
    able = [
        one.grantee
        for one in roles
        if one.scope & Scope.CONTRIBUTE
        and not one.is_void
        and (not one.expires_at or one.expires_at > now)
        and (not any(one.branch.raw) or one.branch == branch.branch)
        and one.grantee not in pushed
    ]
    return tuple(dict.fromkeys(able))[:_MAX_WAITING]


def _missing(
    found: RoundView,
    policy: PolicyShown | None,
    updates: list[UpdateView],
    candidates: tuple[CandidateView, ...],
    votes: tuple[VoteView, ...],
    *,
    now: int,
) -> tuple[str, ...]:
    if policy is None:
        return ("its policy is not here yet",)
    params = params_of(policy.policy)
    n_here = sum(one.state == "accepted" for one in updates)
    if found.state == "open":
        words = []
        if n_here < params.min_updates:
            words.append(f"{params.min_updates - n_here} more updates, at least")
        if n_here < params.max_updates and found.deadline > now:
            words.append(f"its deadline, or {params.max_updates - n_here} more updates")
        return tuple(words) or ("somebody to close it; anyone may",)
    if not candidates:
        return ("a proposed merge",)
    best = max(
        candidates,
        key=lambda one: sum(vote.commit_id == one.commit_id for vote in votes),
    )
    kinds = [one.kind for one in votes if one.commit_id == best.commit_id]
    words = []
    if params.approvals_needed and "approval" not in kinds:
        words.append("the owner's approval")
    lacking = params.attestations_needed - kinds.count("attestation")
    if lacking > 0:
        words.append(f"{lacking} more attestations")
    if params.challenge_s and best.proposed_at + params.challenge_s > now:
        words.append("the end of the challenge time")
    return tuple(words) or ("somebody to finish it; anyone may",)
