"""What the alert budget promised for each day and cluster, and what came."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

promise_day = Table(
    "promise_day",
    metadata,
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id"), nullable=False),
    Column("day", DateTime(timezone=True), nullable=False, comment="when it began, UTC"),
    Column(
        "model_id", Integer, nullable=False, comment="in use when this was written; it may be gone by now"
    ),
    Column("budget", Float, nullable=False, comment="findings a day"),
    Column("line", Float, nullable=False, comment="p-value at or below which a window is a deviation"),
    Column("expected", Float, nullable=False, comment="of a quiet day; with the next two, the promise"),
    Column("low", Float, nullable=False),
    Column("high", Float, nullable=False),
    Column(
        "proven", Boolean, nullable=False, comment="whether calibration windows show it, or the tail's law"
    ),
    Column("windows", Integer, nullable=False),
    Column("deviating", Integer, nullable=False, comment="windows over the line"),
    Column("strangers", Integer, nullable=False, comment="of these, of entities the training had not seen"),
    Column("shown", Integer, nullable=False, comment="findings by behaviour that people see"),
    Column("no_room", Integer, nullable=False, comment="findings for which the day had no room"),
    Column("hidden", Integer, nullable=False, comment="findings that a suppression covers"),
    Column("beyond", Integer, nullable=False, comment="critical ones shown beyond the budget"),
    Column("firm", Integer, nullable=False, comment="findings that stand out against chance"),
    Column("confirmed", Integer, nullable=False, comment="findings closed as true"),
    Column("holds", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column(
        "drift", JSONB, nullable=False, comment="training.drift.Drift, and the entities behind the deviations"
    ),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("cluster_id", "day"),
)
