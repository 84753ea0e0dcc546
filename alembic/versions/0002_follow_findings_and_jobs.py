"""Follow findings through triage, suppress, and claim runs of jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "triage",
        sa.Column("finding_id", sa.Uuid(), nullable=False),
        sa.Column(
            "version",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="counts steps, to notice conflicts",
        ),
        sa.Column("assignee", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True, comment="true, benign or false_alarm"),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "suppression_id", sa.Integer(), nullable=True, comment="what hides it, while it is suppressed"
        ),
        sa.Column(
            "heard_score",
            sa.Double(),
            nullable=True,
            comment="the score after verdicts on alike findings, 0..1; null: as it was",
        ),
        sa.Column("heard_model_id", sa.Integer(), nullable=True, comment="the model that heard them"),
        sa.ForeignKeyConstraint(
            ["finding_id"], ["anomaly.finding.id"], name=op.f("triage_finding_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("finding_id", name=op.f("triage_pkey")),
        schema="anomaly",
    )
    op.create_index(
        "triage_closed_at_idx",
        "triage",
        ["closed_at"],
        schema="anomaly",
        postgresql_where=sa.text("verdict IS NOT NULL"),
    )
    op.create_table(
        "finding_step",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("finding_id", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("move", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "before",
            postgresql.JSONB(),
            nullable=False,
            comment="state, assignee, verdict and suppression before the move",
        ),
        sa.Column("after", postgresql.JSONB(), nullable=False),
        sa.Column("undone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["finding_id"],
            ["anomaly.finding.id"],
            name=op.f("finding_step_finding_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("finding_step_pkey")),
        schema="anomaly",
    )
    op.create_index(
        "finding_step_finding_id_idx", "finding_step", ["finding_id", "id"], unique=False, schema="anomaly"
    )
    op.create_table(
        "suppression",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True, comment="rule or behaviour; null: both"),
        sa.Column(
            "name",
            sa.Text(),
            nullable=True,
            comment="rule or deviation; * stands for anything; null: any",
        ),
        sa.Column("entity", sa.Text(), nullable=True, comment="username; * stands for anything; null: any"),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=True, comment="null: every cluster"),
        sa.Column(
            "namespace",
            sa.Text(),
            nullable=True,
            comment="where every event of the finding must lie; null: anywhere",
        ),
        sa.Column(
            "up_to",
            sa.SmallInteger(),
            nullable=False,
            comment="highest severity it hides, 0 info to 4 critical",
        ),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True, comment="who ended it before its time"),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["anomaly.cluster.id"], name=op.f("suppression_cluster_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("suppression_pkey")),
        schema="anomaly",
    )
    op.add_column(
        "job_run",
        sa.Column(
            "attempt",
            sa.SmallInteger(),
            server_default="1",
            nullable=False,
            comment="taken again after a crash",
        ),
        schema="anomaly",
    )
    op.add_column(
        "job_run",
        sa.Column(
            "host",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="machine and process that runs it",
        ),
        schema="anomaly",
    )
    op.alter_column(
        "job_run",
        "outcome",
        comment="running, ok, failed or crashed",
        existing_comment=None,
        schema="anomaly",
    )
    op.create_index(
        "job_run_running_idx",
        "job_run",
        ["job"],
        unique=False,
        schema="anomaly",
        postgresql_where=sa.text("outcome = 'running'"),
    )
    op.create_index("job_run_started_at_idx", "job_run", ["started_at"], unique=False, schema="anomaly")
    op.create_index(
        "entity_window_unjudged_idx",
        "entity_window",
        ["cluster_id", "start_at"],
        unique=False,
        schema="anomaly",
        postgresql_where=sa.text("scored_at IS NULL"),
    )


def downgrade() -> None:
    """Take the step back."""
    op.drop_index("entity_window_unjudged_idx", table_name="entity_window", schema="anomaly")
    op.drop_index("job_run_running_idx", table_name="job_run", schema="anomaly")
    op.drop_index("job_run_started_at_idx", table_name="job_run", schema="anomaly")
    op.alter_column(
        "job_run",
        "outcome",
        comment=None,
        existing_comment="running, ok, failed or crashed",
        schema="anomaly",
    )
    op.drop_column("job_run", "host", schema="anomaly")
    op.drop_column("job_run", "attempt", schema="anomaly")
    op.drop_table("suppression", schema="anomaly")
    op.drop_table("finding_step", schema="anomaly")
    op.drop_table("triage", schema="anomaly")
