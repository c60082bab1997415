"""Every read that others may do, giving plain values. Nobody else reads the tables.

Each function is one consistent look: what the indexer writes meanwhile is not seen.
Given a connection of `Database.reading` instead, several are one look together.
"""

from flair_indexer.queries.commits import (
    activity,
    commit,
    commit_objects,
    commits,
    commits_from,
    count_commits,
    history,
)
from flair_indexer.queries.events import dead_letters, event, events, read_events
from flair_indexer.queries.health import freshness, progress
from flair_indexer.queries.look import UNKNOWN, Source, looking
from flair_indexer.queries.merges import candidates, open_candidates, votes
from flair_indexer.queries.people import (
    contributors,
    delegations,
    invites,
    join_requests,
    roles,
    roles_of,
)
from flair_indexer.queries.policies import policies, policy, policy_named
from flair_indexer.queries.repos import (
    branch,
    branch_named,
    branch_names,
    branches,
    count_repos,
    repo,
    repo_named,
    repo_names,
    repos,
    repos_of,
    search_repos,
)
from flair_indexer.queries.rounds import (
    count_updates,
    live_rounds,
    pending_updates,
    round_of,
    rounds,
    updates,
    updates_by,
    updates_of,
)

__all__ = [
    "UNKNOWN",
    "Source",
    "activity",
    "branch",
    "branch_named",
    "branch_names",
    "branches",
    "candidates",
    "commit",
    "commit_objects",
    "commits",
    "commits_from",
    "contributors",
    "count_commits",
    "count_repos",
    "count_updates",
    "dead_letters",
    "delegations",
    "event",
    "events",
    "freshness",
    "history",
    "invites",
    "join_requests",
    "live_rounds",
    "looking",
    "open_candidates",
    "pending_updates",
    "policies",
    "policy",
    "policy_named",
    "progress",
    "read_events",
    "repo",
    "repo_named",
    "repo_names",
    "repos",
    "repos_of",
    "roles",
    "roles_of",
    "round_of",
    "rounds",
    "search_repos",
    "updates",
    "updates_by",
    "updates_of",
    "votes",
]
