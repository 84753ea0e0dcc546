"""Keep how far the service read the sources that it reads by itself, and what came of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "source",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="follow or folder"),
        sa.Column("path", sa.Text(), nullable=False, comment="as the settings name it"),
        sa.Column(
            "checkpoint",
            postgresql.JSONB(),
            nullable=True,
            comment="of a followed log: which file, and where in it",
        ),
        sa.Column("state", sa.Text(), server_default="stopped", nullable=False),
        sa.Column(
            "says",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="what it waits for, or why it failed",
        ),
        sa.Column(
            "reader",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="host:pid of who reads, or last read",
        ),
        sa.Column("file", sa.Text(), server_default="", nullable=False, comment="the last one read"),
        sa.Column(
            "behind",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="bytes on disk not read yet",
        ),
        sa.Column("files", sa.BigInteger(), server_default="0", nullable=False, comment="read to their end"),
        sa.Column("kept", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("duplicates", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("quarantined", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "read_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when something was last read from it",
        ),
        sa.Column("looked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["anomaly.cluster.id"], name=op.f("source_cluster_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("source_pkey")),
        sa.UniqueConstraint("cluster_id", "kind", "path", name=op.f("source_cluster_id_kind_path_key")),
        schema="anomaly",
    )
    op.create_table(
        "source_file",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False, comment="below the folder"),
        sa.Column(
            "looks",
            sa.Text(),
            nullable=False,
            comment="device, inode, size and time of change when it was read",
        ),
        sa.Column(
            "failure",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="why it could not be read whole",
        ),
        sa.Column("read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["anomaly.source.id"], name=op.f("source_file_source_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_id", "file", name=op.f("source_file_pkey")),
        schema="anomaly",
    )


def downgrade() -> None:
    """Take the step back."""
    op.drop_table("source_file", schema="anomaly")
    op.drop_table("source", schema="anomaly")
