"""Sources that the service reads by itself: followed logs and folders, how far each was read, and what came of it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

source = Table(
    "source",
    metadata,
    # Half of the name of the advisory lock that its reader holds.
    Column("id", Integer, Identity(), primary_key=True),
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False, comment="follow or folder"),
    Column("path", Text, nullable=False, comment="as the settings name it"),
    Column("checkpoint", JSONB, comment="of a followed log: which file, and where in it"),
    Column("state", Text, nullable=False, server_default="stopped"),
    Column("says", Text, nullable=False, server_default="", comment="what it waits for, or why it failed"),
    Column("reader", Text, nullable=False, server_default="", comment="host:pid of who reads, or last read"),
    Column("file", Text, nullable=False, server_default="", comment="the last one read"),
    Column("behind", BigInteger, nullable=False, server_default="0", comment="bytes on disk not read yet"),
    Column("files", BigInteger, nullable=False, server_default="0", comment="read to their end"),
    Column("kept", BigInteger, nullable=False, server_default="0"),
    Column("duplicates", BigInteger, nullable=False, server_default="0"),
    Column("quarantined", BigInteger, nullable=False, server_default="0"),
    Column("read_at", DateTime(timezone=True), comment="when something was last read from it"),
    Column("looked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("cluster_id", "kind", "path"),
)

source_file = Table(
    "source_file",
    metadata,
    Column("source_id", Integer, ForeignKey("anomaly.source.id", ondelete="CASCADE"), nullable=False),
    Column("file", Text, nullable=False, comment="below the folder"),
    Column("looks", Text, nullable=False, comment="device, inode, size and time of change when it was read"),
    Column("failure", Text, nullable=False, server_default="", comment="why it could not be read whole"),
    Column("read_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("source_id", "file"),
)
