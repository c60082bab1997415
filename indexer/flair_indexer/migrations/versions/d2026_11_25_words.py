"""Updates that a round takes are accepted, as the program and the command call them.

Rules: never change a step that was shipped; name every constraint and index; a step
works in SQLite and PostgreSQL, on tables with rows; rows of `mirror` and `store` tables
may be left empty where `flair indexer rebuild` is asked for in the changelog.
"""

from alembic import op

revision = "2026_11_25_words"
down_revision = "2026_11_25_pages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the step."""
    op.execute("UPDATE updates SET state = 'accepted' WHERE state = 'pending'")


def downgrade() -> None:
    """Takes it back."""
    op.execute("UPDATE updates SET state = 'pending' WHERE state = 'accepted'")
