"""Ways to what the site's pages show.

Rules: never change a step that was shipped; name every constraint and index; a step
works in SQLite and PostgreSQL, on tables with rows; rows of `mirror` and `store` tables
may be left empty where `flair indexer rebuild` is asked for in the changelog.
"""

from alembic import op

revision = "2026_11_25_pages"
down_revision = "2026_11_25_objects"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_commits_repo_event_seq", "commits", ["repo", "event_seq"]),
    ("ix_commits_moved_at", "commits", ["moved_at"]),
    ("ix_updates_contributor_pushed_at", "updates", ["contributor", "pushed_at"]),
    ("ix_updates_commit_id", "updates", ["commit_id"]),
    ("ix_roles_grantee", "roles", ["grantee"]),
)


def upgrade() -> None:
    """Makes the step."""
    for name, table, columns in _INDEXES:
        op.create_index(op.f(name), table, columns, unique=False)


def downgrade() -> None:
    """Takes it back."""
    for name, table, _columns in reversed(_INDEXES):
        op.drop_index(op.f(name), table_name=table)
