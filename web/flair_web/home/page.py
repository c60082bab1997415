"""What the first page and the page of searching show."""

from dataclasses import dataclass

from sqlalchemy import Connection

from flair_client.errors import IdentifierInvalid
from flair_client.ids import Address
from flair_client.names import check_name
from flair_indexer import queries
from flair_indexer.views import Activity, CommitView, RepoView
from flair_web.site import site

N_ACTIVE = 12
N_REPOS = 30
_MIN_DIGITS = 6


@dataclass(frozen=True, slots=True)
class HomePage:
    """The first page.

    Attributes:
        activity: the newest moves of heads in all repositories.
        repos: the first repositories by name.
    """

    n_repos: int
    n_commits: int
    activity: tuple[Activity, ...]
    repos: tuple[RepoView, ...]


@dataclass(frozen=True, slots=True)
class FoundPage:
    """What was found.

    Attributes:
        repos: whose name has the text in it, by name.
        next: what `after` of the next page is; None where there is none.
        commits: whose ids begin with it.
        commit_repos: creator and name of the repository of each of them.
        wallet: what was asked for, where that is an address.
    """

    text: str
    repos: tuple[RepoView, ...]
    next: str | None
    commits: tuple[CommitView, ...]
    commit_repos: tuple[str, ...]
    wallet: Address | None


def home_page(source: Connection) -> HomePage:
    """Gathers the first page."""
    return HomePage(
        site().counted("repos", lambda: queries.count_repos(source)),
        site().counted("commits", lambda: queries.count_commits(source)),
        tuple(queries.activity(source, limit=N_ACTIVE)),
        tuple(queries.search_repos(source, limit=N_REPOS)),
    )


def found_page(source: Connection, text: str, after: str | None) -> FoundPage:
    """Gathers what a text finds.

    Args:
        source: the look.
        text: part of a name, digits of a commit's id, or an address.
        after: as the page before said.
    """
    # Not every database takes every character, and no name has one of these.
    text = "".join(one for one in text[:100] if one.isprintable())
    found = queries.search_repos(
        source, text, after=_read_after(after), limit=N_REPOS + 1
    )
    shown = found[:N_REPOS]
    moves: list[CommitView] = []
    digits = text.lower()
    if _MIN_DIGITS <= len(digits) <= 64 and set(digits) <= set("0123456789abcdef"):
        moves = _one_each(
            queries.commits_from(source, bytes.fromhex(digits[: len(digits) // 2 * 2]))
        )
        moves = [one for one in moves if str(one.commit_id).startswith(digits)]
    names = queries.repo_names(source, [one.repo for one in moves])
    kept = [one for one in moves if one.repo in names]
    more = len(found) > N_REPOS
    return FoundPage(
        text,
        tuple(shown),
        f"{shown[-1].name} {shown[-1].repo}" if more else None,
        tuple(kept),
        tuple("/".join(map(str, names[one.repo])) for one in kept),
        _wallet(text),
    )


def _one_each(moves: list[CommitView]) -> list[CommitView]:
    return list({(one.repo, one.commit_id): one for one in moves}.values())


def _wallet(text: str) -> Address | None:
    try:
        return Address.parse(text)
    except IdentifierInvalid:
        return None


def _read_after(text: str | None) -> tuple[str, Address] | None:
    if text is None:
        return None
    name, _, address = text[:200].partition(" ")
    return check_name("repository name", name), Address.parse(address)
