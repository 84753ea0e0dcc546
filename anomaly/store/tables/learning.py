"""Models with their artifacts, and the runs of jobs."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

model = Table(
    "model",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id"), nullable=False),
    Column("state", Text, nullable=False, comment="candidate, champion or retired"),
    Column("sha256", Text, nullable=False),
    Column("card", JSONB, nullable=False),
    Column("context", JSONB, nullable=False, comment="span, time and peer groups it was trained with"),
    Column(
        "artifact", LargeBinary, nullable=False, comment="npz and JSON, never a pickle: models/artifact.py"
    ),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("promoted_at", DateTime(timezone=True)),
    # Two replicas cannot both promote: a cluster has one champion.
    Index("model_champion_key", "cluster_id", unique=True, postgresql_where=text("state = 'champion'")),
)

job_run = Table(
    "job_run",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("job", Text, nullable=False),
    Column("scheduled_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True)),
    Column("attempt", SmallInteger, nullable=False, server_default="1", comment="taken again after a crash"),
    Column("host", Text, nullable=False, server_default="", comment="machine and process that runs it"),
    Column(
        "outcome", Text, nullable=False, server_default="running", comment="running, ok, failed or crashed"
    ),
    Column("detail", JSONB, nullable=False, server_default="{}"),
    # The claim: whoever writes the row runs the job, so that no split brain can run it twice.
    UniqueConstraint("job", "scheduled_at"),
    Index("job_run_started_at_idx", "started_at"),
    Index("job_run_running_idx", "job", postgresql_where=text("outcome = 'running'")),
)
