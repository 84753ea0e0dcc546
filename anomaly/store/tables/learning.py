"""Models with their artifacts, and the runs of jobs."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Identity, Integer, LargeBinary, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

model = Table(
    "model",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("state", Text, nullable=False, comment="candidate, champion or retired"),
    Column("sha256", Text, nullable=False),
    Column("card", JSONB, nullable=False),
    Column("peers", JSONB, nullable=False, comment="the peer groups it was trained with, by cluster"),
    Column(
        "artifact", LargeBinary, nullable=False, comment="npz and JSON, never a pickle: models/artifact.py"
    ),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("promoted_at", DateTime(timezone=True)),
)

job_run = Table(
    "job_run",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("job", Text, nullable=False),
    Column("scheduled_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True)),
    Column("outcome", Text, nullable=False, server_default="running"),
    Column("detail", JSONB, nullable=False, server_default="{}"),
    UniqueConstraint("job", "scheduled_at"),
)
