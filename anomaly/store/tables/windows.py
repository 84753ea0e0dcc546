"""Windows as parts and wholes, and the first time anything was seen."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    text,
)

from anomaly.store.tables.metadata import metadata

window_part = Table(
    "window_part",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column("entity_id", Integer, nullable=False),
    Column("cluster_id", SmallInteger, nullable=False),
    Column("histogram", LargeBinary, nullable=False, comment="packed: anomaly/windows/window.py"),
)

entity_window = Table(
    "entity_window",
    metadata,
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column(
        "scored_at", DateTime(timezone=True), comment="when it was last judged; null when it changed since"
    ),
    Column("entity_id", Integer, nullable=False),
    Column("cluster_id", SmallInteger, nullable=False),
    Column("histogram", LargeBinary, nullable=False),
    PrimaryKeyConstraint("entity_id", "start_at"),
    Index("entity_window_start_at_idx", "start_at"),
    # Few at any time: those that came or changed since the scoring job last ran.
    Index("entity_window_unjudged_idx", "cluster_id", "start_at", postgresql_where=text("scored_at IS NULL")),
)

seen = Table(
    "seen",
    metadata,
    Column("first_at", DateTime(timezone=True), nullable=False),
    Column("last_on", Date, nullable=False),
    Column("entity_id", Integer, nullable=False, comment="0 for the whole cluster"),
    Column("term_id", Integer, nullable=False),
    Column("cluster_id", SmallInteger, nullable=False),
    PrimaryKeyConstraint("cluster_id", "entity_id", "term_id"),
)

window_span = Table(
    "window_span",
    metadata,
    Column("one", SmallInteger, primary_key=True, server_default="1", comment="always 1: there is one row"),
    Column("span_us", BigInteger, nullable=False, comment="length of the windows in this database"),
)
