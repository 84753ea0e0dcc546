"""Keep account of what arrives."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "arrival_hour",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("hour_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verb_id", sa.Integer(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("stage", sa.SmallInteger(), nullable=False),
        sa.Column(
            "events", sa.BigInteger(), nullable=False, comment="of those looked at: a sample on busy clusters"
        ),
        sa.PrimaryKeyConstraint(
            "cluster_id",
            "hour_at",
            "verb_id",
            "resource_id",
            "level",
            "stage",
            name=op.f("arrival_hour_pkey"),
        ),
        schema="anomaly",
    )
    op.create_table(
        "intake_body",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column(
            "digest", sa.Uuid(), nullable=False, comment="BLAKE2b over the keys of its events and its length"
        ),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("cluster_id", "digest", name=op.f("intake_body_pkey")),
        schema="anomaly",
    )
    op.create_table(
        "intake_hour",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column(
            "hour_at", sa.DateTime(timezone=True), nullable=False, comment="hour of arrival, by the database"
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "lane",
            sa.Integer(),
            nullable=False,
            comment="process of the server that wrote it, so that writers never wait for each other; 0 when joined",
        ),
        sa.Column("kept", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("duplicates", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("quarantined", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "bytes",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="raw bytes of the events kept",
        ),
        sa.Column("batches", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "retries",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="batches that came before, event for event",
        ),
        sa.Column(
            "truncated",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="events whose bodies the API server cut off",
        ),
        sa.Column(
            "cut_agents",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="events whose user agent the API server cut off",
        ),
        sa.Column(
            "refused", sa.BigInteger(), server_default="0", nullable=False, comment="bodies answered 503"
        ),
        sa.Column(
            "first_event_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="time of the stage, by the API server",
        ),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_arrival_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "minutes",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="bit n: live events arrived in minute n",
        ),
        sa.Column(
            "lag",
            postgresql.ARRAY(sa.BigInteger()),
            nullable=False,
            comment="events by how late they came: anomaly/intake/lag.py",
        ),
        sa.Column(
            "least_lag_us",
            sa.BigInteger(),
            nullable=True,
            comment="below zero the sender's clock is ahead of ours",
        ),
        sa.Column("most_lag_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("cluster_id", "hour_at", "source", "lane", name=op.f("intake_hour_pkey")),
        schema="anomaly",
    )
    op.create_table(
        "alarm",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "subject", sa.Text(), server_default="", nullable=False, comment="what of the cluster it is about"
        ),
        sa.Column("finding_id", sa.Uuid(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="when it last held"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["anomaly.cluster.id"], name=op.f("alarm_cluster_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("alarm_pkey")),
        schema="anomaly",
    )
    op.create_index(
        "alarm_open_key",
        "alarm",
        ["cluster_id", "name", "subject"],
        unique=True,
        schema="anomaly",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "audit_metrics",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False, comment="which API server; empty when there is one"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), nullable=True, comment="process_start_time_seconds"
        ),
        sa.Column("generated", sa.Double(), nullable=False, comment="apiserver_audit_event_total"),
        sa.Column(
            "errors",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="apiserver_audit_error_total by plugin",
        ),
        sa.Column(
            "levels",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="apiserver_audit_level_total by level",
        ),
        sa.Column("rejected", sa.Double(), nullable=False, comment="apiserver_audit_requests_rejected_total"),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["anomaly.cluster.id"], name=op.f("audit_metrics_cluster_id_fkey")
        ),
        sa.PrimaryKeyConstraint("cluster_id", "instance", "at", name=op.f("audit_metrics_pkey")),
        schema="anomaly",
    )
    op.create_table(
        "canary",
        sa.Column(
            "id", sa.Text(), nullable=False, comment="random, in the name of the object that is asked for"
        ),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "sent_at", sa.DateTime(timezone=True), nullable=True, comment="NULL when a person sends it"
        ),
        sa.Column("status", sa.SmallInteger(), nullable=True, comment="what the API server answered"),
        sa.Column("failure", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "event_at", sa.DateTime(timezone=True), nullable=True, comment="when the API server received it"
        ),
        sa.Column(
            "noticed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when its event was first found here",
        ),
        sa.ForeignKeyConstraint(["cluster_id"], ["anomaly.cluster.id"], name=op.f("canary_cluster_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("canary_pkey")),
        schema="anomaly",
    )
    op.create_index(
        "canary_cluster_id_made_at_idx", "canary", ["cluster_id", "made_at"], unique=False, schema="anomaly"
    )


def downgrade() -> None:
    """Take the step back."""
    op.drop_table("canary", schema="anomaly")
    op.drop_table("audit_metrics", schema="anomaly")
    op.drop_table("alarm", schema="anomaly")
    op.drop_table("intake_hour", schema="anomaly")
    op.drop_table("intake_body", schema="anomaly")
    op.drop_table("arrival_hour", schema="anomaly")
