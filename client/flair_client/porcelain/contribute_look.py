"""What an unattended contributor knows: the workspace's files and the chain's accounts.

One marker of its own, `contribute`, is kept beside those of the other verbs: how many
rounds of a run are done, what round the update on HEAD is for, and which update's end
was not written down yet. Everything else is in the workspace already.
"""

from dataclasses import dataclass, replace
from typing import Final

from flair_client.chain.accounts import RoundState, UpdateStatus
from flair_client.context import Context
from flair_client.errors import (
    IdentifierInvalid,
    ObjectError,
    StoreError,
    TrustRequired,
    WorkspaceDamaged,
    WorkspaceError,
)
from flair_client.history.graph import read_commit, walk
from flair_client.ids import Cid, CommitId
from flair_client.objects import CommitKind
from flair_client.porcelain.checkout import blocks_of, recipe_at, training_recipe
from flair_client.porcelain.commit import PENDING, TRAINED
from flair_client.porcelain.contribute_state import (
    LiveRound,
    PendingUpdate,
    SentUpdate,
    Situation,
)
from flair_client.porcelain.evaluate import is_measurable, last_evaluated
from flair_client.porcelain.push import held_commits
from flair_client.porcelain.pushed import PushOutcome
from flair_client.porcelain.revert import MARKER as REVERT
from flair_client.porcelain.round import abort_time
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.terms import (
    DAMAGE,
    Terms,
    has_terms,
    saved_terms,
    terms_now,
)
from flair_client.porcelain.trust import require_trust
from flair_client.porcelain.update import reason_name
from flair_client.store.base import Store
from flair_client.workspace import Workspace

MARKER: Final = "contribute"


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a run is; what the marker holds.

    Attributes:
        n_asked: rounds that the run was asked for; None for no end.
        n_done: rounds of it that are over.
        trained_for: the round that `flair train` was begun for; None before the first.
        sent: see `Situation`.
    """

    n_asked: int | None = None
    n_done: int = 0
    trained_for: int | None = None
    sent: SentUpdate | None = None


def read_progress(workspace: Workspace) -> Progressed:
    """Gives how far the run is that was begun in this workspace.

    Raises:
        WorkspaceError: the marker was damaged.
    """
    table = workspace.marker(MARKER) or {}
    try:
        sent = None
        if "sent" in table:
            commit_id = CommitId.parse(str(table["sent"]))
            sent = SentUpdate(commit_id, int(table["sent_round"]))
        return Progressed(
            int(table["n_asked"]) if "n_asked" in table else None,
            int(table.get("n_done", 0)),
            int(table["trained_for"]) if "trained_for" in table else None,
            sent,
        )
    except DAMAGE as exc:
        raise WorkspaceError(f"the marker of the run is damaged: {exc}") from exc


def write_progress(workspace: Workspace, progressed: Progressed) -> None:
    """Keeps how far the run is."""
    sent = progressed.sent
    workspace.set_marker(
        MARKER,
        {
            "n_asked": progressed.n_asked,
            "n_done": progressed.n_done,
            "trained_for": progressed.trained_for,
            "sent": None if sent is None else str(sent.commit),
            "sent_round": None if sent is None else sent.round_index,
        },
    )


@dataclass(slots=True)
class Looker:
    """Looks again and again; what cannot have changed since is not read again."""

    ctx: Context
    workspace: Workspace
    _recipe: tuple[CommitId, Cid] | None = None

    def look(self) -> Situation:
        """Reads everything that a decision needs.

        Raises:
            WorkspaceError: nothing was checked out, or a file was damaged.
            ChainError, StoreError: something cannot be read.
        """
        ctx, workspace = self.ctx, self.workspace
        head = workspace.head()
        if head is None or head.commit is None:
            raise WorkspaceError("nothing was checked out here yet")
        progressed = read_progress(workspace)
        place = find_repo(ctx, workspace.repo()).branch(head.branch)
        store = blocks_of(ctx, workspace)
        terms = terms_now(place)
        there = place.account.head_commit
        return Situation(
            head=head.commit,
            chain_head=there if any(there.raw) else None,
            next_round_index=place.account.round_index,
            live=_live(ctx, place),
            knows_terms=_knows(ctx, workspace, terms),
            distrust=self._distrust(store, terms, head.commit),
            is_trained=_is_trained(workspace, head.commit, terms, progressed),
            pending=_pending(workspace, store),
            n_held=len(held_commits(workspace)),
            sent=progressed.sent,
            is_evaluated=self._is_evaluated(store, head.commit),
        )

    def _is_evaluated(self, store: Store, head: CommitId) -> bool:
        """Whether nothing is to be measured any more, or can be."""
        if last_evaluated(self.workspace) == head:
            return True
        recipe = self._recipe_at(store, head)
        return not is_measurable(training_recipe(store, recipe))

    def _recipe_at(self, store: Store, head: CommitId) -> Cid:
        if self._recipe is None or self._recipe[0] != head:
            self._recipe = (head, recipe_at(store, head))
        return self._recipe[1]

    def _distrust(self, store: Store, terms: Terms, head: CommitId) -> str | None:
        recipe = self._recipe_at(store, head)
        try:
            require_trust(self.ctx, self.workspace, terms, recipe)
        except TrustRequired as exc:
            return str(exc)
        return None


def _live(ctx: Context, place: BranchTarget) -> LiveRound | None:
    if not place.account.round_live:
        return None
    target = place.round(place.account.round_index)
    account = target.account
    params = place.policy(account.policy_index).params
    mine = ctx.chain.update(target.address, ctx.contributor)
    refusal = None
    if mine is not None and mine.status is UpdateStatus.REJECTED:
        refusal = reason_name(mine.reject_reason)
    is_late = ctx.now() >= account.deadline
    until = None if is_late else account.deadline
    if account.state is not RoundState.OPEN:
        until = abort_time(account, params)
    return LiveRound(
        account.round_index,
        account.state,
        is_full=account.n_accepted >= params.max_updates,
        is_late=is_late,
        until=until,
        mine=None if mine is None else mine.commit_id,
        refusal=refusal,
    )


def _knows(ctx: Context, workspace: Workspace, terms: Terms) -> bool:
    return has_terms(workspace) and saved_terms(ctx, workspace) == terms


def _is_trained(
    workspace: Workspace, head: CommitId, terms: Terms, progressed: Progressed
) -> bool:
    trained = workspace.marker(TRAINED)
    if trained is None or not workspace.update_path.exists():
        return False
    # What somebody trained by hand before the first run is as good.
    wanted = progressed.trained_for
    is_for_this = wanted is None or wanted == terms.round_index
    return trained.get("base") == str(head) and is_for_this


def _pending(workspace: Workspace, store: Store) -> PendingUpdate | None:
    pending = workspace.marker(PENDING) or workspace.marker(REVERT)
    if pending is None:
        return None
    try:
        commit_id = CommitId.parse(str(pending["commit"]))
    except (KeyError, IdentifierInvalid) as exc:
        raise WorkspaceError(f"the marker of the commit is damaged: {exc}") from exc
    try:
        commit = read_commit(store, commit_id)
    except (ObjectError, StoreError) as exc:
        raise WorkspaceDamaged(f"the pending commit cannot be read: {exc}") from exc
    if commit.kind is not CommitKind.UPDATE:
        return PendingUpdate(commit_id, is_update=False)
    return PendingUpdate(
        commit_id, round_index=commit.round_index, base=commit.parents[0]
    )


def outcome_of_round(
    store: Store, head: CommitId, sent: SentUpdate
) -> tuple[PushOutcome, CommitId | None]:
    """Tells how a round ended for an update, from the verified commits under HEAD.

    Returns:
        The outcome, and the round's merge where there is one.
    """
    base = read_commit(store, sent.commit).parents[0]
    for commit_id, commit in walk(store, head, first_parent=True):
        if commit_id == base:
            break
        if commit.kind is CommitKind.MERGE and commit.round_index == sent.round_index:
            if sent.commit in commit.parents[1:]:
                return PushOutcome.MERGED, commit_id
            return PushOutcome.REJECTED, commit_id
    return PushOutcome.ENDED, None


def begin_training(workspace: Workspace, round_index: int) -> None:
    """Writes down what round the next update is for; an older update counts no more.

    In this order a kill in between leaves nothing that passes for the new update.
    """
    progressed = read_progress(workspace)
    if progressed.trained_for == round_index:
        return
    workspace.clear_marker(TRAINED)
    write_progress(workspace, replace(progressed, trained_for=round_index))
