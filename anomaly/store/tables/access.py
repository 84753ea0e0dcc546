"""Who read and changed what, and which names in client certificates stand for which cluster."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

access_entry = Table(
    "access_entry",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("kind", Text, nullable=False, comment="token, person, certificate, command or nobody"),
    Column("principal_id", Integer, comment="null: nobody, or a command"),
    Column("name", Text, nullable=False, comment="what it was called then"),
    Column("method", Text, nullable=False),
    Column("route", Text, nullable=False, comment="the pattern of the path, as /v1/findings/{finding}"),
    Column("object", Text, nullable=False, comment="what stood in the braces, as finding=760692be"),
    Column("cluster", Text, comment="null: no one cluster"),
    Column("status", SmallInteger, comment="null: begun, and no outcome was written"),
    Column("address", Text, nullable=False),
    Column("times", Integer, nullable=False, server_default="1", comment="alike refusals gathered in one"),
    Index("access_entry_made_at_idx", "made_at"),
    Index("access_entry_name_idx", "name", "made_at"),
)

certificate_name = Table(
    "certificate_name",
    metadata,
    Column("name", Text, primary_key=True, comment="common name or alternative name of a client certificate"),
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("created_by", Text, nullable=False),
)
