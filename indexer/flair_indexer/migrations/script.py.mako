"""${message}.

Rules: never change a step that was shipped; name every constraint and index; a step
works in SQLite and PostgreSQL, on tables with rows; rows of `mirror` and `store` tables
may be left empty where `flair indexer rebuild` is asked for in the changelog.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Makes the step."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Takes it back."""
    ${downgrades if downgrades else "pass"}
