"""Keep the audit policy that is applied at our own door, and a ledger of what it drops."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "door_policy",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column(
            "policy", sa.Text(), nullable=False, comment="YAML or JSON of audit.k8s.io/v1, as it was given"
        ),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True, comment="null: in force"),
        sa.Column("cleared_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["anomaly.cluster.id"],
            name=op.f("door_policy_cluster_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("door_policy_pkey")),
        schema="anomaly",
    )
    op.create_index(
        "door_policy_in_force_key",
        "door_policy",
        ["cluster_id"],
        unique=True,
        schema="anomaly",
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_table(
        "dropped",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("hour_at", sa.DateTime(timezone=True), nullable=False, comment="hour of arrival"),
        sa.Column("policy_id", sa.Integer(), nullable=False),
        sa.Column(
            "rule",
            sa.SmallInteger(),
            nullable=False,
            comment="index of the rule that decided; -1: none matched",
        ),
        sa.Column("deed", sa.Text(), nullable=False, comment="dropped or lowered"),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False, comment="verb and resource"),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False, comment="that were not kept"),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["anomaly.cluster.id"], name=op.f("dropped_cluster_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "cluster_id",
            "hour_at",
            "policy_id",
            "rule",
            "deed",
            "username",
            "action",
            name=op.f("dropped_pkey"),
        ),
        schema="anomaly",
    )
    op.create_index("dropped_hour_at_idx", "dropped", ["hour_at"], unique=False, schema="anomaly")
    op.create_table(
        "dropped_minute",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column(
            "minute_at", sa.DateTime(timezone=True), nullable=False, comment="of the events' own stage"
        ),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["anomaly.cluster.id"],
            name=op.f("dropped_minute_cluster_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("cluster_id", "minute_at", name=op.f("dropped_minute_pkey")),
        schema="anomaly",
    )


def downgrade() -> None:
    """Take the step back."""
    op.drop_table("dropped_minute", schema="anomaly")
    op.drop_table("dropped", schema="anomaly")
    op.drop_table("door_policy", schema="anomaly")
