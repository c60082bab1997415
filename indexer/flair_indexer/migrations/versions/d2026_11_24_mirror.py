"""The chain's events and what follows from them; how far the indexer is."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_mirror"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the step."""
    op.create_table(
        "branches",
        sa.Column(
            "branch", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("repo", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("policy_index", sa.BigInteger(), nullable=False),
        sa.Column("is_protected", sa.Boolean(), nullable=False),
        sa.Column("round_index", sa.BigInteger(), nullable=False),
        sa.Column("is_round_live", sa.Boolean(), nullable=False),
        sa.Column("head_commit", sa.LargeBinary(length=32), nullable=False),
        sa.Column("head_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("branch", name=op.f("pk_branches")),
        info={"kind": "mirror"},
    )
    op.create_index(
        op.f("ix_branches_repo_name"), "branches", ["repo", "name"], unique=False
    )
    op.create_table(
        "candidates",
        sa.Column(
            "branch", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("round_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "commit_id", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("repo", sa.LargeBinary(length=32), nullable=False),
        sa.Column("proposer", sa.LargeBinary(length=32), nullable=False),
        sa.Column("proposed_seq", sa.BigInteger(), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("authority_epoch", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint(
            "branch", "round_index", "commit_id", name=op.f("pk_candidates")
        ),
        info={"kind": "mirror"},
    )
    op.create_table(
        "commits",
        sa.Column(
            "branch", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("head_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("repo", sa.LargeBinary(length=32), nullable=False),
        sa.Column("commit_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("old_head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.LargeBinary(length=32), nullable=False),
        sa.Column("round_index", sa.BigInteger(), nullable=True),
        sa.Column("merged", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("branch", "head_seq", name=op.f("pk_commits")),
        info={"kind": "mirror"},
    )
    op.create_table(
        "configs",
        sa.Column(
            "repo", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("admin", sa.LargeBinary(length=32), nullable=False),
        sa.Column("treasury", sa.LargeBinary(length=32), nullable=False),
        sa.Column("fee_bps", sa.Integer(), nullable=False),
        sa.Column("pause_bits", sa.BigInteger(), nullable=False),
        sa.Column("genesis_tag", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("repo", name=op.f("pk_configs")),
        info={"kind": "mirror"},
    )
    op.create_table(
        "cursor",
        sa.Column("cursor_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("genesis_hash", sa.String(length=64), nullable=False),
        sa.Column("program_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("until_signature", sa.String(length=90), nullable=True),
        sa.Column("until_slot", sa.BigInteger(), nullable=False),
        sa.Column("scan_top", sa.String(length=90), nullable=True),
        sa.Column("scan_top_slot", sa.BigInteger(), nullable=False),
        sa.Column("scan_before", sa.String(length=90), nullable=True),
        sa.Column("complete_slot", sa.BigInteger(), nullable=False),
        sa.Column("final_slot", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("reconciled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("cursor_id", name=op.f("pk_cursor")),
        info={"kind": "work"},
    )
    op.create_table(
        "dead_letters",
        sa.Column(
            "signature", sa.String(length=90), autoincrement=False, nullable=False
        ),
        sa.Column("outer", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("inner", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "signature", "outer", "inner", name=op.f("pk_dead_letters")
        ),
        info={"kind": "work"},
    )
    op.create_table(
        "delegations",
        sa.Column(
            "repo", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column(
            "wallet", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column(
            "machine_key",
            sa.LargeBinary(length=32),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "repo", "wallet", "machine_key", name=op.f("pk_delegations")
        ),
        info={"kind": "mirror"},
    )
    op.create_table(
        "events",
        sa.Column(
            "signature", sa.LargeBinary(length=64), autoincrement=False, nullable=False
        ),
        sa.Column("outer", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("inner", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("tx_index", sa.Integer(), nullable=False),
        sa.Column("block_time", sa.BigInteger(), nullable=True),
        sa.Column("repo", sa.LargeBinary(length=32), nullable=False),
        sa.Column("repo_seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("prev_root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("signature", "outer", "inner", name=op.f("pk_events")),
        info={"kind": "mirror"},
    )
    op.create_index(
        "ix_events_not_final",
        "events",
        ["slot"],
        unique=False,
        sqlite_where=sa.text("is_final = 0"),
        postgresql_where=sa.text("is_final = false"),
    )
    op.create_index(
        op.f("ix_events_repo_repo_seq"), "events", ["repo", "repo_seq"], unique=False
    )
    op.create_table(
        "folds",
        sa.Column(
            "repo", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("authority_epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("repo", name=op.f("pk_folds")),
        info={"kind": "mirror"},
    )
    op.create_table(
        "invites",
        sa.Column(
            "repo", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column(
            "invite_key", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("branch", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scope", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("role_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("authority_epoch", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("repo", "invite_key", name=op.f("pk_invites")),
        info={"kind": "mirror"},
    )
    op.create_table(
        "join_requests",
        sa.Column(
            "repo", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column(
            "applicant", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("branch", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scope", sa.Integer(), nullable=False),
        sa.Column("note_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("repo", "applicant", name=op.f("pk_join_requests")),
        info={"kind": "mirror"},
    )
    op.create_table(
        "pending",
        sa.Column(
            "signature", sa.String(length=90), autoincrement=False, nullable=False
        ),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("n_attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("signature", name=op.f("pk_pending")),
        info={"kind": "work"},
    )
    op.create_index(
        op.f("ix_pending_slot_rank"), "pending", ["slot", "rank"], unique=False
    )
    op.create_table(
        "policies",
        sa.Column(
            "repo", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("policy_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("policy", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("repo", "policy_index", name=op.f("pk_policies")),
        info={"kind": "mirror"},
    )
    op.create_table(
        "reconciliations",
        sa.Column(
            "repo", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("chain_seq", sa.BigInteger(), nullable=False),
        sa.Column("compared_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("repo", name=op.f("pk_reconciliations")),
        info={"kind": "work"},
    )
    op.create_table(
        "repos",
        sa.Column(
            "repo", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("creator", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("authority", sa.LargeBinary(length=32), nullable=False),
        sa.Column("pending_authority", sa.LargeBinary(length=32), nullable=False),
        sa.Column("authority_epoch", sa.Integer(), nullable=False),
        sa.Column("sponsor", sa.LargeBinary(length=32), nullable=False),
        sa.Column("points_per_merge", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("repo", name=op.f("pk_repos")),
        info={"kind": "mirror"},
    )
    op.create_index(
        op.f("ix_repos_creator_name"), "repos", ["creator", "name"], unique=False
    )
    op.create_table(
        "roles",
        sa.Column(
            "repo", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column(
            "branch", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column(
            "grantee", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("scope", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("authority_epoch", sa.Integer(), nullable=False),
        sa.Column("granted_by", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("repo", "branch", "grantee", name=op.f("pk_roles")),
        info={"kind": "mirror"},
    )
    op.create_table(
        "rounds",
        sa.Column(
            "branch", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("round_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("repo", sa.LargeBinary(length=32), nullable=False),
        sa.Column("policy_index", sa.BigInteger(), nullable=False),
        sa.Column("base_commit", sa.LargeBinary(length=32), nullable=False),
        sa.Column("base_seq", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("n_accepted", sa.Integer(), nullable=False),
        sa.Column("weight_sum", sa.BigInteger(), nullable=False),
        sa.Column("n_accumulated", sa.Integer(), nullable=False),
        sa.Column("weight_accumulated", sa.BigInteger(), nullable=False),
        sa.Column("update_root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("abort_reason", sa.Integer(), nullable=True),
        sa.Column("merge_commit", sa.LargeBinary(length=32), nullable=True),
        sa.Column("merge_lambda", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("branch", "round_index", name=op.f("pk_rounds")),
        info={"kind": "mirror"},
    )
    op.create_table(
        "updates",
        sa.Column(
            "branch", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("round_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "contributor",
            sa.LargeBinary(length=32),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("repo", sa.LargeBinary(length=32), nullable=False),
        sa.Column("commit_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("payload_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("statement_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("nonce", sa.LargeBinary(length=16), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("signer", sa.LargeBinary(length=32), nullable=False),
        sa.Column("pushed_seq", sa.BigInteger(), nullable=False),
        sa.Column("pushed_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reject_reason", sa.Integer(), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(
            "branch", "round_index", "contributor", name=op.f("pk_updates")
        ),
        info={"kind": "mirror"},
    )
    op.create_table(
        "votes",
        sa.Column(
            "branch", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("round_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "commit_id", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("kind", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column(
            "voter", sa.LargeBinary(length=32), autoincrement=False, nullable=False
        ),
        sa.Column("authority_epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("repo", sa.LargeBinary(length=32), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("voted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "branch",
            "round_index",
            "commit_id",
            "kind",
            "voter",
            "authority_epoch",
            name=op.f("pk_votes"),
        ),
        info={"kind": "mirror"},
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_table("votes")
    op.drop_table("updates")
    op.drop_table("rounds")
    op.drop_table("roles")
    op.drop_index(op.f("ix_repos_creator_name"), table_name="repos")
    op.drop_table("repos")
    op.drop_table("reconciliations")
    op.drop_table("policies")
    op.drop_index(op.f("ix_pending_slot_rank"), table_name="pending")
    op.drop_table("pending")
    op.drop_table("join_requests")
    op.drop_table("invites")
    op.drop_table("folds")
    op.drop_index(op.f("ix_events_repo_repo_seq"), table_name="events")
    op.drop_index(
        "ix_events_not_final",
        table_name="events",
        sqlite_where=sa.text("is_final = 0"),
        postgresql_where=sa.text("is_final = false"),
    )
    op.drop_table("events")
    op.drop_table("delegations")
    op.drop_table("dead_letters")
    op.drop_table("cursor")
    op.drop_table("configs")
    op.drop_table("commits")
    op.drop_table("candidates")
    op.drop_index(op.f("ix_branches_repo_name"), table_name="branches")
    op.drop_table("branches")
