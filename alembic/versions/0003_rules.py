"""Keep matches for correlations, exceptions, pauses and what they hold back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "rule_match",
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "group_key",
            sa.Uuid(),
            nullable=False,
            comment="BLAKE2b of cluster, correlation and group values: anomaly/findings/episodes.py",
        ),
        sa.Column("event_key", sa.Uuid(), nullable=False),
        sa.Column("value_key", sa.Uuid(), nullable=False, comment="BLAKE2b of the values that are counted"),
        sa.Column("entity_id", sa.Integer(), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "group_key", "received_at", "event_key", "rule", name=op.f("rule_match_pkey")
        ),
        schema="anomaly",
        postgresql_partition_by="RANGE (received_at)",
    )
    op.create_table(
        "rule_exception",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False, comment="this and the next four: * stands for anything"),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "ends_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="events from then on are not excepted",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("rule_exception_pkey")),
        schema="anomaly",
    )
    op.create_table(
        "rule_pause",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column(
            "hour_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="the hour of events that was too much",
        ),
        sa.Column(
            "found", sa.Integer(), nullable=False, comment="new findings in that hour when it was paused"
        ),
        sa.Column("usual", sa.Double(), nullable=False, comment="findings an hour over the week before"),
        sa.Column("paused_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["anomaly.cluster.id"], name=op.f("rule_pause_cluster_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("rule_pause_pkey")),
        schema="anomaly",
    )
    op.create_index(
        "rule_pause_open_key",
        "rule_pause",
        ["cluster_id", "rule"],
        unique=True,
        schema="anomaly",
        postgresql_where=sa.text("resumed_at IS NULL"),
    )
    op.create_table(
        "held_finding",
        sa.Column("id", sa.Uuid(), nullable=False, comment="the finding it would have been"),
        sa.Column("held_by", sa.Text(), nullable=False, comment="exception or pause"),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("entity_id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("held_by", "holder_id", "id", name=op.f("held_finding_pkey")),
        schema="anomaly",
    )
    op.create_index("held_finding_end_at_idx", "held_finding", ["end_at"], unique=False, schema="anomaly")


def downgrade() -> None:
    """Take the step back."""
    op.drop_table("held_finding", schema="anomaly")
    op.drop_table("rule_pause", schema="anomaly")
    op.drop_table("rule_exception", schema="anomaly")
    op.drop_table("rule_match", schema="anomaly")
