"""How far each file has been read, and how much was replaced before it was kept."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
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

redaction = Table(
    "redaction",
    metadata,
    Column("cluster_id", SmallInteger, nullable=False),
    Column("day", Date, nullable=False, comment="of the events; of the arrival for what is in quarantine"),
    Column("kind", Text, nullable=False, comment="what was replaced: anomaly/redaction/stand_in.py"),
    Column(
        "replaced", BigInteger, nullable=False, comment="values, counted once for each event that is kept"
    ),
    PrimaryKeyConstraint("cluster_id", "day", "kind"),
)
