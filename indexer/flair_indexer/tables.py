"""The tables, as SQLAlchemy knows them. What may be read from outside is `queries`'.

Three kinds, told apart by `info["kind"]`:

* `mirror`: follows from the chain alone; a rebuild gives the same bytes.
* `store`: follows from chain and store; a rebuild gives the same where the store does.
* `work`: how far the indexer is; a rebuild begins it anew.

Addresses, digests and signatures are raw bytes. Nothing has a number that was counted
up here, or a time of this machine, but for `work`.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

from flair_indexer.columns import U64, PlainText, blob

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA: Final = MetaData(naming_convention=NAMING)
_DIGEST: Final = 32
_SIGNATURE: Final = 64


def _key(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _must(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _table(name: str, kind: str, *columns: Any) -> Table:
    return Table(name, METADATA, *columns, info={"kind": kind})


def _mirror(name: str, *columns: Any) -> Table:
    return _table(name, "mirror", *columns)


def _digest() -> LargeBinary:
    return blob(_DIGEST)


_address = _digest

EVENTS: Final = _mirror(
    "events",
    _key("signature", blob(_SIGNATURE)),
    _key("outer", Integer),
    _key("inner", Integer),
    _must("slot", BigInteger),
    _must("tx_index", Integer),
    Column("block_time", BigInteger),
    _must("repo", _address()),
    _must("repo_seq", BigInteger),
    _must("kind", String(32)),
    _must("prev_root", _digest()),
    _must("root", _digest()),
    _must("payload", LargeBinary),
    # Whether its slot was finalized; before, it may still be undone.
    _must("is_final", Boolean),
)
# Folding, undoing, and `queries.events`.
Index(None, EVENTS.c.repo, EVENTS.c.repo_seq)
# The audit of what is not final yet; holds next to nothing.
Index(
    "ix_events_not_final",
    EVENTS.c.slot,
    sqlite_where=EVENTS.c.is_final == false(),
    postgresql_where=EVENTS.c.is_final == false(),
)

# How far each repository, and the Config, was folded.
FOLDS: Final = _mirror(
    "folds",
    _key("repo", _address()),
    _must("seq", BigInteger),
    _must("root", _digest()),
    _must("authority_epoch", Integer),
)
CONFIGS: Final = _mirror(
    "configs",
    _key("repo", _address()),
    _must("admin", _address()),
    _must("treasury", _address()),
    _must("fee_bps", Integer),
    _must("pause_bits", BigInteger),
    _must("genesis_tag", _digest()),
)
REPOS: Final = _mirror(
    "repos",
    _key("repo", _address()),
    _must("creator", _address()),
    _must("name", String(64)),
    _must("authority", _address()),
    _must("pending_authority", _address()),
    _must("authority_epoch", Integer),
    _must("sponsor", _address()),
    _must("points_per_merge", U64),
    _must("created_at", BigInteger),
)
# `queries.repo_named` and listing by name.
Index(None, REPOS.c.creator, REPOS.c.name)
POLICIES: Final = _mirror(
    "policies",
    _key("repo", _address()),
    _key("policy_index", BigInteger),
    _must("policy", _address()),
    _must("digest", _digest()),
    _must("params", Text),
    _must("created_at", BigInteger),
)
BRANCHES: Final = _mirror(
    "branches",
    _key("branch", _address()),
    _must("repo", _address()),
    _must("name", String(64)),
    _must("policy_index", BigInteger),
    _must("is_protected", Boolean),
    # Of the round that is live or comes next.
    _must("round_index", BigInteger),
    _must("is_round_live", Boolean),
    _must("head_commit", _digest()),
    _must("head_seq", BigInteger),
    _must("created_at", BigInteger),
)
# `queries.branches`.
Index(None, BRANCHES.c.repo, BRANCHES.c.name)
# A row is a move of a branch's head.
COMMITS: Final = _mirror(
    "commits",
    _key("branch", _address()),
    _key("head_seq", BigInteger),
    _must("repo", _address()),
    _must("commit_id", _digest()),
    _must("kind", String(16)),
    _must("old_head", _digest()),
    _must("event_seq", BigInteger),
    _must("moved_at", BigInteger),
    _must("actor", _address()),
    Column("round_index", BigInteger),
    # Parents of a merge of models behind the old head, one after the other.
    _must("merged", LargeBinary),
)
# `queries.commit`, by its id.
Index(None, COMMITS.c.commit_id)
# `queries.history`, and `queries.activity`.
Index(None, COMMITS.c.repo, COMMITS.c.event_seq)
Index(None, COMMITS.c.moved_at)
ROUNDS: Final = _mirror(
    "rounds",
    _key("branch", _address()),
    _key("round_index", BigInteger),
    _must("repo", _address()),
    _must("policy_index", BigInteger),
    _must("base_commit", _digest()),
    _must("base_seq", BigInteger),
    _must("opened_at", BigInteger),
    _must("deadline", BigInteger),
    _must("state", String(16)),
    Column("closed_at", BigInteger),
    Column("ended_at", BigInteger),
    _must("n_accepted", Integer),
    _must("weight_sum", BigInteger),
    _must("n_accumulated", Integer),
    _must("weight_accumulated", BigInteger),
    _must("update_root", _digest()),
    Column("abort_reason", Integer),
    Column("merge_commit", _digest()),
    Column("merge_lambda", U64),
)
UPDATES: Final = _mirror(
    "updates",
    _key("branch", _address()),
    _key("round_index", BigInteger),
    _key("contributor", _address()),
    _must("repo", _address()),
    _must("commit_id", _digest()),
    _must("payload_digest", _digest()),
    _must("statement_digest", _digest()),
    _must("nonce", blob(16)),
    _must("weight", Integer),
    _must("signer", _address()),
    _must("pushed_seq", BigInteger),
    _must("pushed_at", BigInteger),
    _must("state", String(16)),
    Column("reject_reason", Integer),
    Column("points", U64),
)
# `queries.updates_by`, and `queries.updates_of`.
Index(None, UPDATES.c.contributor, UPDATES.c.pushed_at)
Index(None, UPDATES.c.commit_id)
CANDIDATES: Final = _mirror(
    "candidates",
    _key("branch", _address()),
    _key("round_index", BigInteger),
    _key("commit_id", _digest()),
    _must("repo", _address()),
    _must("proposer", _address()),
    _must("proposed_seq", BigInteger),
    _must("proposed_at", BigInteger),
    _must("authority_epoch", Integer),
    _must("state", String(16)),
)
VOTES: Final = _mirror(
    "votes",
    _key("branch", _address()),
    _key("round_index", BigInteger),
    _key("commit_id", _digest()),
    _key("kind", String(16)),
    _key("voter", _address()),
    _key("authority_epoch", Integer),
    _must("repo", _address()),
    _must("event_seq", BigInteger),
    _must("voted_at", BigInteger),
)
ROLES: Final = _mirror(
    "roles",
    _key("repo", _address()),
    _key("branch", _address()),
    _key("grantee", _address()),
    _must("scope", Integer),
    _must("expires_at", BigInteger),
    _must("authority_epoch", Integer),
    _must("granted_by", _address()),
)
# `queries.roles_of`.
Index(None, ROLES.c.grantee)
INVITES: Final = _mirror(
    "invites",
    _key("repo", _address()),
    _key("invite_key", _address()),
    _must("branch", _address()),
    _must("scope", Integer),
    _must("expires_at", BigInteger),
    _must("role_expires_at", BigInteger),
    _must("uses_left", Integer),
    _must("authority_epoch", Integer),
    _must("created_by", _address()),
)
JOIN_REQUESTS: Final = _mirror(
    "join_requests",
    _key("repo", _address()),
    _key("applicant", _address()),
    _must("branch", _address()),
    _must("scope", Integer),
    _must("note_digest", _digest()),
    _must("requested_at", BigInteger),
)
DELEGATIONS: Final = _mirror(
    "delegations",
    _key("repo", _address()),
    _key("wallet", _address()),
    _key("machine_key", _address()),
    _must("expires_at", BigInteger),
)

# What a commit's block says; only of those whose bytes are what their id says.
COMMIT_OBJECTS: Final = _table(
    "commit_objects",
    "store",
    _key("commit_id", _digest()),
    _must("kind", String(16)),
    _must("author", _address()),
    _must("message", PlainText),
    _must("authored_at", BigInteger),
    _must("parents", LargeBinary),
    _must("metrics", PlainText),
    _must("n_bytes", Integer),
)
# What the check of a branch said about its head.
HEAD_CHECKS: Final = _table(
    "head_checks",
    "store",
    _key("branch", _address()),
    _must("repo", _address()),
    _must("head_commit", _digest()),
    _must("head_seq", BigInteger),
    # `valid`, `invalid`, or `missing` where blocks are not there.
    _must("state", String(16)),
    Column("valid_head", _digest()),
    Column("fault", PlainText),
)
INVALID_COMMITS: Final = _table(
    "invalid_commits",
    "store",
    _key("branch", _address()),
    _key("head_seq", BigInteger),
    _must("repo", _address()),
    _must("commit_id", _digest()),
    _must("fault", PlainText),
)

# One row: which chain this is, and how far its transactions were listed.
CURSOR: Final = _table(
    "cursor",
    "work",
    _key("cursor_id", Integer),
    _must("genesis_hash", String(64)),
    _must("program_id", _address()),
    # The newest final transaction at and below which everything is listed.
    Column("until_signature", String(90)),
    _must("until_slot", BigInteger),
    # A listing in progress: what it becomes, and the oldest that it has seen.
    Column("scan_top", String(90)),
    _must("scan_top_slot", BigInteger),
    Column("scan_before", String(90)),
    # Everything at and below it is written.
    _must("complete_slot", BigInteger),
    _must("final_slot", BigInteger),
    # Whoever writes names the owner that it read; another one has taken over since.
    _must("owner", String(40)),
    Column("reconciled_at", BigInteger),
)
# Listed, not written yet. Durable, so that a listing is never done twice.
PENDING: Final = _table(
    "pending",
    "work",
    _key("signature", String(90)),
    _must("slot", BigInteger),
    # Of two in one slot the later one has the higher rank.
    _must("rank", BigInteger),
    _must("is_final", Boolean),
    _must("n_attempts", Integer),
    _must("next_try_at", Float),
)
# The next ones, oldest first.
Index(None, PENDING.c.slot, PENDING.c.rank)
DEAD_LETTERS: Final = _table(
    "dead_letters",
    "work",
    _key("signature", String(90)),
    # -1 and -1: the whole transaction.
    _key("outer", Integer),
    _key("inner", Integer),
    _must("slot", BigInteger),
    _must("reason", String(32)),
    _must("detail", PlainText),
)
# Blocks that could not be read yet.
FETCHES: Final = _table(
    "fetches",
    "work",
    _key("commit_id", _digest()),
    _must("state", String(16)),
    _must("detail", PlainText),
    _must("n_attempts", Integer),
    _must("next_try_at", Float),
)
# What the last comparison with a repository's account said.
RECONCILIATIONS: Final = _table(
    "reconciliations",
    "work",
    _key("repo", _address()),
    # `same`, `behind`, or `different`.
    _must("state", String(16)),
    _must("chain_seq", BigInteger),
    _must("compared_at", BigInteger),
)


def tables_of(*kinds: str) -> tuple[Table, ...]:
    """Gives the tables of these kinds, by name."""
    tables = (METADATA.tables[name] for name in sorted(METADATA.tables))
    return tuple(table for table in tables if table.info["kind"] in kinds)


# What is forgotten and folded anew when an event of a repository is undone.
FOLDED: Final = tuple(table for table in tables_of("mirror") if table is not EVENTS)
