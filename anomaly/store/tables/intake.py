"""How far each file has been read."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, PrimaryKeyConstraint, SmallInteger, Table, Text
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("cluster_id", SmallInteger, nullable=False),
    Column(
        "source",
        Text,
        nullable=False,
        comment="what the content is, whatever the file is called: anomaly/sources/files.py",
    ),
    Column("path", Text, nullable=False),
    Column("position", BigInteger, nullable=False, comment="bytes of plain content that are kept"),
    Column(
        "mark",
        Text,
        nullable=False,
        comment="hash of the bytes before the position, to notice another file of the same name",
    ),
    Column("finished", Boolean, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("cluster_id", "source"),
)
