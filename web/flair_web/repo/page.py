"""What a repository's page shows."""

from dataclasses import dataclass

from sqlalchemy import Connection

from flair_client.ids import Cid, CommitId
from flair_client.store.base import Store
from flair_indexer import queries
from flair_indexer.views import (
    BranchView,
    CommitView,
    ContributorView,
    PolicyView,
    RepoView,
    RoundView,
)
from flair_web.blocks import ModelFacts, Unread, card_at, commit_at, facts_at
from flair_web.card import Card, render_card
from flair_web.pages import shown_valid

N_COMMITS = 8
N_CONTRIBUTORS = 12
MAIN = "main"
# A card is looked for in so many commits before the head; merges repeat their recipe.
_MAX_BACK = 20


@dataclass(frozen=True, slots=True)
class RepoPage:
    """A repository.

    Attributes:
        branches: by name, each with the verdict about its head.
        main: the branch whose model and card are shown; None before there is any.
        commits: the newest moves of all branches.
        n_commits: moves of all branches.
        rounds: that are open or being merged.
        contributors: those with most merged updates first.
        policy: of the main branch's next round.
        model: of its last valid head; None before there is one.
        card: of that commit's recipe; None where it has none.
    """

    repo: RepoView
    branches: tuple[BranchView, ...]
    main: BranchView | None
    model_commit: CommitId | None
    commits: tuple[CommitView, ...]
    n_commits: int
    rounds: tuple[RoundView, ...]
    contributors: tuple[ContributorView, ...]
    policy: PolicyView | None
    model: ModelFacts | Unread | None
    card: Card | Unread | None

    def branch_name(self, address: object) -> str:
        """Gives a branch's name; its address where it is not known."""
        names = (one.name for one in self.branches if one.branch == address)
        return next(names, str(address))


def repo_page(source: Connection, store: Store, repo: RepoView) -> RepoPage:
    """Gathers a repository's page."""
    branches = tuple(queries.branches(source, repo.repo))
    main = main_of(branches)
    head = None if main is None else shown_valid(main)
    model, card = (None, None) if head is None else model_at(store, head)
    return RepoPage(
        repo,
        branches,
        main,
        head,
        tuple(queries.history(source, repo.repo, limit=N_COMMITS)),
        queries.count_commits(source, repo.repo),
        tuple(queries.live_rounds(source, repo.repo)),
        tuple(queries.contributors(source, repo.repo, limit=N_CONTRIBUTORS)),
        None if main is None else _policy(source, repo, main),
        model,
        card,
    )


def main_of(branches: tuple[BranchView, ...]) -> BranchView | None:
    """Gives the branch that stands for a repository: main, or the first by name."""
    by_name = {one.name: one for one in branches}
    return by_name.get(MAIN) or next(iter(branches), None)


def _policy(
    source: Connection, repo: RepoView, branch: BranchView
) -> PolicyView | None:
    return queries.policy(source, repo.repo, branch.policy_index)


def model_at(
    store: Store, head: CommitId
) -> tuple[ModelFacts | Unread | None, Card | Unread | None]:
    """Gives the model and the card of a commit."""
    commit = commit_at(store, head)
    if isinstance(commit, Unread):
        return commit, commit
    model = None if commit.weights is None else facts_at(store, commit.weights)
    recipe = _recipe(store, head)
    if not isinstance(recipe, Cid):
        return model, recipe
    card = card_at(store, recipe)
    return model, render_card(card) if isinstance(card, str) else card


def _recipe(store: Store, head: CommitId) -> Cid | Unread | None:
    """The recipe in force at a commit, looked for along its own line."""
    at = head
    for _ in range(_MAX_BACK):
        commit = commit_at(store, at)
        if isinstance(commit, Unread):
            return commit
        if commit.recipe is not None:
            return commit.recipe
        if not commit.parents:
            return None
        at = commit.parents[0]
    return None
