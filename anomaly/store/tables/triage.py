"""What people do with findings: where each stands, every step anybody took, and what is not to be shown for a while."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

triage = Table(
    "triage",
    metadata,
    # The state itself stands in finding.state; a finding nobody and nothing touched has no row here.
    Column("finding_id", Uuid, ForeignKey("anomaly.finding.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "version", Integer, nullable=False, server_default="0", comment="counts steps, to notice conflicts"
    ),
    Column("assignee", Text),
    Column("verdict", Text, comment="true, benign or false_alarm"),
    Column("closed_at", DateTime(timezone=True)),
    Column("suppression_id", Integer, comment="what hides it, while it is suppressed"),
    Column(
        "heard_score", Double, comment="the score after verdicts on alike findings, 0..1; null: as it was"
    ),
    Column("heard_model_id", Integer, comment="the model that heard them"),
    Index("triage_closed_at_idx", "closed_at", postgresql_where=text("verdict IS NOT NULL")),
)

finding_step = Table(
    "finding_step",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("finding_id", Uuid, ForeignKey("anomaly.finding.id", ondelete="CASCADE"), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("who", Text, nullable=False),
    Column("move", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column(
        "before", JSONB, nullable=False, comment="state, assignee, verdict and suppression before the move"
    ),
    Column("after", JSONB, nullable=False),
    Column("undone", Boolean, nullable=False, server_default=text("false")),
    Index("finding_step_finding_id_idx", "finding_id", "id"),
)

suppression = Table(
    "suppression",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("kind", Text, comment="rule or behaviour; null: both"),
    Column("name", Text, comment="rule or deviation; * stands for anything; null: any"),
    Column("entity", Text, comment="username; * stands for anything; null: any"),
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id"), comment="null: every cluster"),
    Column("namespace", Text, comment="where every event of the finding must lie; null: anywhere"),
    Column("up_to", SmallInteger, nullable=False, comment="highest severity it hides, 0 info to 4 critical"),
    Column("owner", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("ended_by", Text, comment="who ended it before its time"),
)
