"""Commits out of the store, and what the checks of heads said."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_25_objects"
down_revision = "2026_11_24_mirror"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the step."""
    op.create_table(
        "commit_objects",
        sa.Column(
            "commit_id", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("author", sa.LargeBinary(length=32), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("authored_at", sa.BigInteger(), nullable=False),
        sa.Column("parents", sa.LargeBinary(), nullable=False),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("n_bytes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("commit_id", name=op.f("pk_commit_objects")),
        info={"kind": "store"},
    )
    op.create_table(
        "fetches",
        sa.Column(
            "commit_id", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("n_attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("commit_id", name=op.f("pk_fetches")),
        info={"kind": "work"},
    )
    op.create_table(
        "head_checks",
        sa.Column(
            "branch", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("repo", sa.LargeBinary(length=32), nullable=False),
        sa.Column("head_commit", sa.LargeBinary(length=32), nullable=False),
        sa.Column("head_seq", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("valid_head", sa.LargeBinary(length=32), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("branch", name=op.f("pk_head_checks")),
        info={"kind": "store"},
    )
    op.create_table(
        "invalid_commits",
        sa.Column(
            "branch", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("head_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("repo", sa.LargeBinary(length=32), nullable=False),
        sa.Column("commit_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("branch", "head_seq", name=op.f("pk_invalid_commits")),
        info={"kind": "store"},
    )
    op.create_index(
        op.f("ix_commits_commit_id"), "commits", ["commit_id"], unique=False
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_index(op.f("ix_commits_commit_id"), table_name="commits")
    op.drop_table("invalid_commits")
    op.drop_table("head_checks")
    op.drop_table("fetches")
    op.drop_table("commit_objects")
