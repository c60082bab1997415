"""The endpoints of the API in one list: what each takes, what it gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import abort
from sqlalchemy import Connection

from flair_client.ids import Address
from flair_indexer import queries
from flair_web.commit.page import CommitPage, commit_page
from flair_web.compare.page import ComparePage, compare_page
from flair_web.health.page import HealthPage, health_page
from flair_web.home.page import FoundPage, HomePage, found_page, home_page
from flair_web.log.page import LogPage, log_page
from flair_web.pages import the_branch, the_repo
from flair_web.people.page import PeoplePage, people_page
from flair_web.policy.page import (
    PoliciesPage,
    PolicyShown,
    policies_page,
    shown_policy,
)
from flair_web.queue.page import QueuePage, queue_page
from flair_web.repo.page import RepoPage, repo_page
from flair_web.rounds.page import RoundPage, RoundsPage, round_page, rounds_page
from flair_web.site import site
from flair_web.wallets.page import WalletPage, wallet_page

# A number of 18 digits at most fits every database.
MAX_NUMBER: Final = 10**18 - 1
NAME_PATTERN: Final = "^[a-z0-9][a-z0-9._-]{0,63}$"

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """A value of the query string.

    Attributes:
        pattern: a regular expression, of text; a number where it is None.
    """

    name: str
    help: str
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint, which is only read.

    Attributes:
        path: as Flask writes it, behind `/api/v1`.
        gives: class of its data.
        gather: from a look and the values of path and query.
    """

    path: str
    name: str
    help: str
    gives: type
    gather: Callable[[Connection, Values], Any]
    query: tuple[Query, ...] = ()


def _repo(source: Connection, values: Values) -> Any:
    return the_repo(source, values["creator"], values["name"])


def _found(page: Any) -> Any:
    if page is None:
        abort(404, "there is no such thing here")
    return page


def _search(source: Connection, values: Values) -> FoundPage:
    return found_page(source, values.get("q") or "", values.get("after"))


def _repo_one(source: Connection, values: Values) -> RepoPage:
    return repo_page(source, site().store, _repo(source, values))


def _log(source: Connection, values: Values) -> LogPage:
    repo = _repo(source, values)
    found = log_page(source, repo, values.get("branch"), values.get("before"))
    return _found(found)  # type: ignore[no-any-return]


def _commit(source: Connection, values: Values) -> CommitPage:
    repo = _repo(source, values)
    found = commit_page(source, site().store, repo, values["commit_id"])
    return _found(found)  # type: ignore[no-any-return]


def _compare(source: Connection, values: Values) -> ComparePage:
    asked = values.get("a") or "", values.get("b") or ""
    return compare_page(source, site().store, _repo(source, values), asked)


def _rounds(source: Connection, values: Values) -> RoundsPage:
    repo = _repo(source, values)
    found = rounds_page(source, repo, values.get("branch"), values.get("before"))
    return _found(found)  # type: ignore[no-any-return]


def _round(source: Connection, values: Values) -> RoundPage:
    repo = _repo(source, values)
    branch = the_branch(source, repo, values["branch"])
    index, now = values["round_index"], site().now()
    found = round_page(source, site().store, repo, branch, index, now=now)
    return _found(found)  # type: ignore[no-any-return]


def _policies(source: Connection, values: Values) -> PoliciesPage:
    return policies_page(source, _repo(source, values))


def _policy(source: Connection, values: Values) -> PolicyShown:
    repo = _repo(source, values)
    found = queries.policy(source, repo.repo, values["policy_index"])
    branches = tuple(queries.branches(source, repo.repo))
    return shown_policy(_found(found), branches)


def _people(source: Connection, values: Values) -> PeoplePage:
    return people_page(source, _repo(source, values))


def _queue(source: Connection, values: Values) -> QueuePage:
    return queue_page(source, _repo(source, values), site().now())


def _wallet(source: Connection, values: Values) -> WalletPage:
    before = None
    if values.get("before"):
        moment, _, branch = values["before"].partition(" ")
        before = int(moment), Address.parse(branch)
    return wallet_page(source, values["wallet"], before)


def _health(source: Connection, _values: Values) -> HealthPage:
    own = site()
    return health_page(
        source,
        now=own.now(),
        behind_s=own.settings.behind_s,
        network=own.settings.network,
    )


_R: Final = "/repos/<address:creator>/<name:name>"
_BEFORE: Final = Query("before", "what `next` of the page before said")
ENDPOINTS: Final = (
    Endpoint("/home", "home", "the first page", HomePage, lambda s, _: home_page(s)),
    Endpoint(
        "/search",
        "search",
        "repositories, commits and a wallet that a text finds",
        FoundPage,
        _search,
        (
            Query("q", "part of a name, digits of an id, or an address", "^.{0,100}$"),
            Query(
                "after",
                "what `next` of the page before said",
                "^[a-z0-9][a-z0-9._-]{0,63} [1-9A-HJ-NP-Za-km-z]{32,44}$",
            ),
        ),
    ),
    Endpoint(_R, "repo", "a repository", RepoPage, _repo_one),
    Endpoint(
        f"{_R}/log",
        "log",
        "a history, newest first",
        LogPage,
        _log,
        (Query("branch", "one branch; all without it", NAME_PATTERN), _BEFORE),
    ),
    Endpoint(
        f"{_R}/commits/<commit:commit_id>", "commit", "a commit", CommitPage, _commit
    ),
    Endpoint(
        f"{_R}/compare",
        "compare",
        "what changed from one commit to another",
        ComparePage,
        _compare,
        (
            Query("a", "a branch, an id, or digits of one", NAME_PATTERN),
            Query("b", "likewise", NAME_PATTERN),
        ),
    ),
    Endpoint(
        f"{_R}/rounds",
        "rounds",
        "rounds of a branch, newest first",
        RoundsPage,
        _rounds,
        (Query("branch", "main, or the first, without it", NAME_PATTERN), _BEFORE),
    ),
    Endpoint(
        f"{_R}/rounds/<name:branch>/<number:round_index>",
        "round",
        "a round",
        RoundPage,
        _round,
    ),
    Endpoint(f"{_R}/policies", "policies", "all policies", PoliciesPage, _policies),
    Endpoint(
        f"{_R}/policies/<number:policy_index>",
        "policy",
        "a policy",
        PolicyShown,
        _policy,
    ),
    Endpoint(f"{_R}/people", "people", "who may do what", PeoplePage, _people),
    Endpoint(f"{_R}/queue", "queue", "what waits for the owner", QueuePage, _queue),
    Endpoint(
        "/wallets/<address:wallet>",
        "wallet",
        "what a wallet did and may do",
        WalletPage,
        _wallet,
        (
            Query(
                "before",
                "what `next` of the page before said",
                "^[0-9]{1,18} [1-9A-HJ-NP-Za-km-z]{32,44}$",
            ),
        ),
    ),
    Endpoint("/health", "health", "how far the mirror is", HealthPage, _health),
)
