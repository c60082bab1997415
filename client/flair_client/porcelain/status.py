"""Where a workspace stands: HEAD and the chain's, trust, round, update, commit."""

from dataclasses import dataclass, replace
from typing import Final

from flair_client.chain.accounts import PolicyParams, RoundState, UpdateStatus
from flair_client.context import Context
from flair_client.errors import (
    ChainError,
    IdentifierInvalid,
    ObjectError,
    StoreError,
    TrustRequired,
    WorkspaceError,
)
from flair_client.history.graph import read_commit, walk
from flair_client.ids import Address, CommitId
from flair_client.objects import CommitKind
from flair_client.porcelain.checkout import (
    RECIPE_FILES,
    blocks_of,
    recipe_at,
    recipe_files,
    training_recipe,
)
from flair_client.porcelain.commit import PENDING, TRAINED
from flair_client.porcelain.push import held_commits
from flair_client.porcelain.repo import offered_to
from flair_client.porcelain.revert import MARKER as REVERT
from flair_client.porcelain.target import BranchTarget, RoundTarget, find_repo
from flair_client.porcelain.terms import Terms, has_terms, saved_terms, terms_now
from flair_client.porcelain.trust import require_trust
from flair_client.repo_address import RepoAddress
from flair_client.store.base import Store
from flair_client.training.recipe import MODEL_FILE, TRAIN_FILE
from flair_client.workspace import Workspace

# Farther back than this it is just "behind".
_MAX_BEHIND: Final = 1000
_MOVES: Final = (CommitKind.SNAPSHOT, CommitKind.REVERT, CommitKind.MERGE)


@dataclass(frozen=True, slots=True)
class RoundStatus:
    """The round in progress.

    Attributes:
        deadline: until when it takes updates, in Unix seconds.
        mine: where this wallet's update stands in it; None without one.
        waits_for_owner: whether a proposed merge waits for this wallet's approval.
    """

    round_index: int
    state: RoundState
    deadline: int
    n_accepted: int
    min_updates: int
    max_updates: int
    mine: UpdateStatus | None
    waits_for_owner: bool = False


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """What the chain says about the branch.

    Attributes:
        head: its head, not verified yet; None before the root.
        n_behind: moves from HEAD to it; None where HEAD is not below it.
        next_round_index: of the round in progress, or else of the next one.
        round: None where no round is in progress.
        offered_to: the wallet that may take the repository; None without an offer.
    """

    head: CommitId | None
    n_behind: int | None
    next_round_index: int
    round: RoundStatus | None
    offered_to: Address | None


@dataclass(frozen=True, slots=True)
class UpdateStatusHere:
    """What `flair train` made.

    Attributes:
        stale: whether it was trained from another commit than HEAD.
    """

    base: CommitId
    num_samples: int
    stale: bool


@dataclass(frozen=True, slots=True)
class PendingStatus:
    """A signed commit that was not pushed.

    Attributes:
        kind: None where its block is damaged or gone.
        stale: whether it stands on another commit than HEAD.
    """

    commit: CommitId
    kind: CommitKind | None
    round_index: int | None
    stale: bool


@dataclass(frozen=True, slots=True)
class Status:
    """Where a workspace stands.

    Attributes:
        repo: None before it was published or cloned.
        head: what `weights.safetensors` is of; None before anything was checked out.
        chain: None where the chain was not reached, or not asked.
        unreached: why it was not reached.
        distrust: why training and pushing stop; None where all was accepted.
        changed_files: files of the recipe that are not as in HEAD.
        held: updates that are on chain and whose values stay here until their round is
            closed.
        next_command: what to try next, with words in capitals to be filled in; None
            where others are to act first.
    """

    folder: str
    repo: RepoAddress | None
    branch: str | None
    head: CommitId | None
    chain: ChainStatus | None
    unreached: str | None
    distrust: str | None
    changed_files: tuple[str, ...]
    update: UpdateStatusHere | None
    pending: PendingStatus | None
    held: tuple[CommitId, ...]
    next_command: str | None


def status(
    ctx: Context | None, workspace: Workspace, *, offline: bool = False
) -> Status:
    """Tells where a workspace stands; changes nothing.

    Args:
        ctx: None in a workspace that belongs to no repository yet. Its wallet, where it
            has one, is looked for in the round.
        workspace: any.
        offline: do not ask the chain.

    Raises:
        WorkspaceError: a file of the workspace is damaged.
    """
    head = workspace.head()
    branch = None if head is None else head.branch
    if ctx is None or head is None or head.commit is None:
        repo = workspace.repo() if workspace.is_bound else None
        command = "flair repo create NAME" if repo is None else _begin(workspace, repo)
        return Status(
            folder=str(workspace.folder),
            repo=repo,
            branch=branch,
            head=None,
            chain=None,
            unreached=None,
            distrust=None,
            changed_files=(),
            update=None,
            pending=None,
            held=(),
            next_command=command,
        )
    return _of_clone(ctx, workspace, head.branch, head.commit, offline=offline)


def _begin(workspace: Workspace, repo: RepoAddress) -> str:
    # A clone goes on into the same folder; all else is fetched by a pull.
    if workspace.marker("clone") is None:
        return "flair pull"
    return f"flair clone {repo} {workspace.folder}"


def _of_clone(
    ctx: Context, workspace: Workspace, branch: str, head: CommitId, *, offline: bool
) -> Status:
    store = blocks_of(ctx, workspace)
    place, unreached = None, None
    terms = _kept_terms(ctx, workspace)
    chain = None
    if not offline:
        try:
            place = find_repo(ctx, workspace.repo()).branch(branch)
            terms = terms_now(place)
            chain = _chain_status(ctx, place, store, head)
        except ChainError as exc:
            unreached = str(exc)
    found = Status(
        folder=str(workspace.folder),
        repo=workspace.repo(),
        branch=branch,
        head=head,
        chain=chain,
        unreached=unreached,
        distrust=_distrust(ctx, workspace, store, terms, head),
        changed_files=_changed_files(workspace, store, head),
        update=_update(workspace, head),
        pending=_pending(workspace, store, head),
        held=tuple(held_commits(workspace)),
        next_command=None,
    )
    trains = _trains(store, head)
    return replace(found, next_command=_next_command(found, trains=trains))


def _kept_terms(ctx: Context, workspace: Workspace) -> Terms | None:
    # The owner's own workspace has none before its first pull.
    return saved_terms(ctx, workspace) if has_terms(workspace) else None


def _chain_status(
    ctx: Context, place: BranchTarget, store: Store, head: CommitId
) -> ChainStatus:
    account = place.account
    there = account.head_commit if any(account.head_commit.raw) else None
    return ChainStatus(
        head=there,
        n_behind=None if there is None else _n_behind(store, there, head),
        next_round_index=account.round_index,
        round=_round(ctx, place) if account.round_live else None,
        offered_to=offered_to(place.repo.account),
    )


def _n_behind(store: Store, there: CommitId, head: CommitId) -> int | None:
    try:
        for count, (commit_id, _) in enumerate(walk(store, there, first_parent=True)):
            if commit_id == head:
                return count
            if count == _MAX_BEHIND:
                return None
    except (ObjectError, StoreError):
        # What is wrong with it is for `flair pull` to say.
        return None
    return None


def _round(ctx: Context, place: BranchTarget) -> RoundStatus:
    target = place.round(place.account.round_index)
    params = place.policy(target.account.policy_index).params
    mine = None
    if ctx.signer is not None:
        mine = ctx.chain.update(target.address, ctx.contributor)
    return RoundStatus(
        round_index=target.account.round_index,
        state=target.account.state,
        deadline=target.account.deadline,
        n_accepted=target.account.n_accepted,
        min_updates=params.min_updates,
        max_updates=params.max_updates,
        mine=None if mine is None else mine.status,
        waits_for_owner=_waits_for_owner(ctx, target, params),
    )


def _waits_for_owner(ctx: Context, target: RoundTarget, params: PolicyParams) -> bool:
    """Whether the user owns the repository and has a proposed merge to look at."""
    repo = target.branch.repo
    if not params.approvals_needed or ctx.signer is None or not repo.is_mine:
        return False
    epoch = repo.account.authority_epoch
    found = ctx.chain.candidates(target.address)
    return bool(found) and not any(one.votes(epoch)[0] for one in found)


def _distrust(
    ctx: Context,
    workspace: Workspace,
    store: Store,
    terms: Terms | None,
    head: CommitId,
) -> str | None:
    if terms is None:
        return "the terms of the round are not known yet"
    try:
        require_trust(ctx, workspace, terms, recipe_at(store, head))
    except TrustRequired as exc:
        return str(exc)
    return None


def _changed_files(
    workspace: Workspace, store: Store, head: CommitId
) -> tuple[str, ...]:
    files = recipe_files(store, recipe_at(store, head))
    changed = []
    for name in RECIPE_FILES:
        # A program of the user's own beside a recipe without code is not the recipe's.
        if name in (MODEL_FILE, TRAIN_FILE) and name not in files:
            continue
        path = workspace.folder / name
        if (path.read_bytes() if path.exists() else None) != files.get(name):
            changed.append(name)
    return tuple(changed)


def _update(workspace: Workspace, head: CommitId) -> UpdateStatusHere | None:
    trained = workspace.marker(TRAINED)
    if trained is None or not workspace.update_path.exists():
        return None
    try:
        base = CommitId.parse(str(trained["base"]))
        num_samples = int(trained["num_samples"])
    except (KeyError, TypeError, ValueError, IdentifierInvalid) as exc:
        raise WorkspaceError(f"the marker of the training is damaged: {exc}") from exc
    return UpdateStatusHere(base, num_samples, stale=base != head)


def _pending(
    workspace: Workspace, store: Store, head: CommitId
) -> PendingStatus | None:
    # A revert is made and sent by one command; cut off, it is begun again.
    pending = workspace.marker(PENDING) or workspace.marker(REVERT)
    if pending is None:
        return None
    try:
        commit_id = CommitId.parse(str(pending["commit"]))
    except (KeyError, IdentifierInvalid) as exc:
        raise WorkspaceError(f"the marker of the commit is damaged: {exc}") from exc
    try:
        commit = read_commit(store, commit_id)
    except (ObjectError, StoreError):
        return PendingStatus(commit_id, None, None, stale=False)
    stale = commit.parents[:1] != (head,)
    return PendingStatus(commit_id, commit.kind, commit.round_index, stale=stale)


def _trains(store: Store, head: CommitId) -> bool:
    return bool(training_recipe(store, recipe_at(store, head)).model)


def _next_command(  # noqa: PLR0911 - one for each state
    found: Status, *, trains: bool
) -> str | None:
    """What helps on, the most urgent first; None where it is not this user's turn."""
    chain = found.chain
    live = None if chain is None else chain.round
    if chain is not None and chain.head not in (None, found.head):
        return "flair pull"
    if live is not None and live.waits_for_owner:
        return "flair candidate show"
    pending = None if found.pending is None or found.pending.stale else found.pending
    # Who moves the branch alone is asked for no trust in its rounds.
    moves_head = pending is not None and pending.kind in _MOVES
    if found.distrust is not None and not moves_head:
        return "flair trust"
    if pending is not None:
        return _finish(pending)
    if found.held and (live is None or live.state is not RoundState.OPEN):
        return "flair push"
    if live is not None and (live.mine is not None or live.state != RoundState.OPEN):
        return None
    if found.update is not None and not found.update.stale:
        return "flair commit -m MESSAGE"
    if trains:
        return "flair train --data FILE"
    return "flair commit -m MESSAGE --weights FILE --num-samples N"


def _finish(pending: PendingStatus) -> str:
    if pending.kind is None:
        return "flair fsck"
    return "flair revert" if pending.kind is CommitKind.REVERT else "flair push"
