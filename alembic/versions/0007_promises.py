"""Keep for each day and cluster what the alert budget promised and what came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "promise_day",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False, comment="when it began, UTC"),
        sa.Column(
            "model_id",
            sa.Integer(),
            nullable=False,
            comment="in use when this was written; it may be gone by now",
        ),
        sa.Column("budget", sa.Float(), nullable=False, comment="findings a day"),
        sa.Column(
            "line",
            sa.Float(),
            nullable=False,
            comment="p-value at or below which a window is a deviation",
        ),
        sa.Column(
            "expected", sa.Float(), nullable=False, comment="of a quiet day; with the next two, the promise"
        ),
        sa.Column("low", sa.Float(), nullable=False),
        sa.Column("high", sa.Float(), nullable=False),
        sa.Column(
            "proven",
            sa.Boolean(),
            nullable=False,
            comment="whether calibration windows show it, or the tail's law",
        ),
        sa.Column("windows", sa.Integer(), nullable=False),
        sa.Column("deviating", sa.Integer(), nullable=False, comment="windows over the line"),
        sa.Column(
            "strangers",
            sa.Integer(),
            nullable=False,
            comment="of these, of entities the training had not seen",
        ),
        sa.Column("shown", sa.Integer(), nullable=False, comment="findings by behaviour that people see"),
        sa.Column("no_room", sa.Integer(), nullable=False, comment="findings for which the day had no room"),
        sa.Column("hidden", sa.Integer(), nullable=False, comment="findings that a suppression covers"),
        sa.Column("beyond", sa.Integer(), nullable=False, comment="critical ones shown beyond the budget"),
        sa.Column("firm", sa.Integer(), nullable=False, comment="findings that stand out against chance"),
        sa.Column("confirmed", sa.Integer(), nullable=False, comment="findings closed as true"),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "drift",
            postgresql.JSONB(),
            nullable=False,
            comment="training.drift.Drift, and the entities behind the deviations",
        ),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["anomaly.cluster.id"], name=op.f("promise_day_cluster_id_fkey")
        ),
        sa.PrimaryKeyConstraint("cluster_id", "day", name=op.f("promise_day_pkey")),
        schema="anomaly",
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("promise_day", schema="anomaly")
