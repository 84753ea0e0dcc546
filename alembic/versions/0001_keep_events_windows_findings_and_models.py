"""Keep events, windows, findings and models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.execute(sa.schema.CreateSequence(sa.Sequence("chunk_number", schema="anomaly")))
    op.create_table(
        "checkpoint",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column(
            "source",
            sa.Text(),
            nullable=False,
            comment="what the content is, whatever the file is called: anomaly/sources/files.py",
        ),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column(
            "position", sa.BigInteger(), nullable=False, comment="bytes of plain content that are kept"
        ),
        sa.Column(
            "mark",
            sa.Text(),
            nullable=False,
            comment="hash of the bytes before the position, to notice another file of the same name",
        ),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("cluster_id", "source", name=op.f("checkpoint_pkey")),
        schema="anomaly",
    )
    op.create_table(
        "chunk",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False, comment="zstd: anomaly/store/chunks.py"),
        sa.PrimaryKeyConstraint("day", "id", name=op.f("chunk_pkey")),
        schema="anomaly",
        postgresql_partition_by="RANGE (day)",
    )
    op.create_table(
        "cluster",
        sa.Column("id", sa.SmallInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("cluster_pkey")),
        sa.UniqueConstraint("name", name=op.f("cluster_name_key")),
        schema="anomaly",
    )
    op.create_table(
        "entity_window",
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "scored_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was last judged; null when it changed since",
        ),
        sa.Column("entity_id", sa.Integer(), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("histogram", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("entity_id", "start_at", name=op.f("entity_window_pkey")),
        schema="anomaly",
    )
    op.create_index(
        "entity_window_start_at_idx", "entity_window", ["start_at"], unique=False, schema="anomaly"
    )
    op.create_table(
        "event",
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the API server received the request",
        ),
        sa.Column(
            "event_key",
            sa.Uuid(),
            nullable=False,
            comment="BLAKE2b of the identifying fields: anomaly/events/key.py",
        ),
        sa.Column("chunk_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "latency_us",
            sa.Integer(),
            nullable=False,
            comment="from received to this stage; at most 35 minutes, then cut",
        ),
        sa.Column("entity_id", sa.Integer(), nullable=False),
        sa.Column("verb_id", sa.Integer(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("namespace_id", sa.Integer(), nullable=False),
        sa.Column("name_id", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=False),
        sa.Column("address_id", sa.Integer(), nullable=False),
        sa.Column("acting_id", sa.Integer(), nullable=False, comment="the user acted as, 0 for none"),
        sa.Column(
            "audit_crc",
            sa.Integer(),
            nullable=False,
            comment="CRC-32 of the audit id, to find it without storing it twice",
        ),
        sa.Column("size", sa.Integer(), nullable=False, comment="raw bytes"),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("ordinal", sa.SmallInteger(), nullable=False, comment="place in the chunk"),
        sa.Column("code", sa.SmallInteger(), nullable=False),
        sa.Column("stage", sa.SmallInteger(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("flags", sa.SmallInteger(), nullable=False, comment="1 allowed, 2 final"),
        sa.PrimaryKeyConstraint("cluster_id", "received_at", "event_key", name=op.f("event_pkey")),
        schema="anomaly",
        postgresql_partition_by="RANGE (received_at)",
    )
    op.create_index(
        "event_entity_id_received_at_idx",
        "event",
        ["entity_id", "received_at"],
        unique=False,
        schema="anomaly",
    )
    op.create_table(
        "evidence",
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finding_id", sa.Uuid(), nullable=False),
        sa.Column("event_key", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("finding_id", "received_at", "event_key", name=op.f("evidence_pkey")),
        schema="anomaly",
        postgresql_partition_by="RANGE (received_at)",
    )
    op.create_table(
        "finding",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("entity_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False, comment="0 info to 4 critical"),
        sa.Column("attack", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("normal", sa.Text(), server_default="", nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column(
            "contributions", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False
        ),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("finding_pkey")),
        schema="anomaly",
    )
    op.create_index(
        "finding_entity_id_start_at_idx", "finding", ["entity_id", "start_at"], unique=False, schema="anomaly"
    )
    op.create_index("finding_start_at_idx", "finding", ["start_at"], unique=False, schema="anomaly")
    op.create_table(
        "job_run",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="running", nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("job_run_pkey")),
        sa.UniqueConstraint("job", "scheduled_at", name=op.f("job_run_job_scheduled_at_key")),
        schema="anomaly",
    )
    op.create_table(
        "seen",
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("entity_id", sa.Integer(), nullable=False, comment="0 for the whole cluster"),
        sa.Column("term_id", sa.Integer(), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cluster_id", "entity_id", "term_id", name=op.f("seen_pkey")),
        schema="anomaly",
    )
    op.create_table(
        "term",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("dimension", sa.SmallInteger(), nullable=False),
        sa.Column(
            "value",
            sa.Text(),
            nullable=False,
            comment="at most 512 characters; longer texts end in a hash of the whole",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("term_pkey")),
        sa.UniqueConstraint("dimension", "value", name=op.f("term_dimension_value_key")),
        schema="anomaly",
    )
    op.create_table(
        "window_part",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entity_id", sa.Integer(), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("histogram", sa.LargeBinary(), nullable=False, comment="packed: anomaly/windows/window.py"),
        sa.PrimaryKeyConstraint("id", name=op.f("window_part_pkey")),
        schema="anomaly",
    )
    op.create_table(
        "window_span",
        sa.Column(
            "one", sa.SmallInteger(), server_default="1", nullable=False, comment="always 1: there is one row"
        ),
        sa.Column(
            "span_us", sa.BigInteger(), nullable=False, comment="length of the windows in this database"
        ),
        sa.PrimaryKeyConstraint("one", name=op.f("window_span_pkey")),
        schema="anomaly",
    )
    op.create_table(
        "entity",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["anomaly.cluster.id"], name=op.f("entity_cluster_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("entity_pkey")),
        sa.UniqueConstraint("cluster_id", "username", name=op.f("entity_cluster_id_username_key")),
        schema="anomaly",
    )
    op.create_table(
        "model",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="candidate, champion or retired"),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("card", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "context",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="span, time and peer groups it was trained with",
        ),
        sa.Column(
            "artifact",
            sa.LargeBinary(),
            nullable=False,
            comment="npz and JSON, never a pickle: models/artifact.py",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["cluster_id"], ["anomaly.cluster.id"], name=op.f("model_cluster_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("model_pkey")),
        schema="anomaly",
    )
    op.create_index(
        "model_champion_key",
        "model",
        ["cluster_id"],
        unique=True,
        schema="anomaly",
        postgresql_where=sa.text("state = 'champion'"),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column(
            "digest",
            sa.LargeBinary(),
            nullable=False,
            comment="BLAKE2b-128 of the raw bytes: a retried batch is kept once",
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "size",
            sa.BigInteger(),
            nullable=False,
            comment="bytes as received, more than are kept when the input was oversized",
        ),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False, comment="zstd"),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["anomaly.cluster.id"], name=op.f("quarantine_cluster_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("quarantine_pkey")),
        sa.UniqueConstraint("cluster_id", "digest", name=op.f("quarantine_cluster_id_digest_key")),
        schema="anomaly",
    )
    op.create_table(
        "token",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column(
            "digest",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the token; the token itself is shown once",
        ),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["cluster_id"], ["anomaly.cluster.id"], name=op.f("token_cluster_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("token_pkey")),
        sa.UniqueConstraint("digest", name=op.f("token_digest_key")),
        schema="anomaly",
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("token", schema="anomaly")
    op.drop_table("quarantine", schema="anomaly")
    op.drop_index(
        "model_champion_key",
        table_name="model",
        schema="anomaly",
        postgresql_where=sa.text("state = 'champion'"),
    )
    op.drop_table("model", schema="anomaly")
    op.drop_table("entity", schema="anomaly")
    op.drop_table("window_span", schema="anomaly")
    op.drop_table("window_part", schema="anomaly")
    op.drop_table("term", schema="anomaly")
    op.drop_table("seen", schema="anomaly")
    op.drop_table("job_run", schema="anomaly")
    op.drop_index("finding_start_at_idx", table_name="finding", schema="anomaly")
    op.drop_index("finding_entity_id_start_at_idx", table_name="finding", schema="anomaly")
    op.drop_table("finding", schema="anomaly")
    op.drop_table("evidence", schema="anomaly")
    op.drop_index("event_entity_id_received_at_idx", table_name="event", schema="anomaly")
    op.drop_table("event", schema="anomaly")
    op.drop_index("entity_window_start_at_idx", table_name="entity_window", schema="anomaly")
    op.drop_table("entity_window", schema="anomaly")
    op.drop_table("cluster", schema="anomaly")
    op.drop_table("chunk", schema="anomaly")
    op.drop_table("checkpoint", schema="anomaly")
    op.execute(sa.schema.DropSequence(sa.Sequence("chunk_number", schema="anomaly")))
