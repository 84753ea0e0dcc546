"""Small dictionaries: clusters, their tokens, entities, and the texts that narrow rows name by number."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

cluster = Table(
    "cluster",
    metadata,
    Column("id", SmallInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

token = Table(
    "token",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column(
        "cluster_id",
        SmallInteger,
        ForeignKey(cluster.c.id),
        comment="for a token that may only send events of this cluster; null: see token_cluster, every_cluster",
    ),
    Column("every_cluster", Boolean, nullable=False, server_default=text("false")),
    Column("name", Text, nullable=False, server_default="", comment="what it is for"),
    Column(
        "digest",
        LargeBinary,
        nullable=False,
        unique=True,
        comment="SHA-256 of the token; the token itself is shown once",
    ),
    Column("scope", Text, nullable=False, comment="rights, with commas between"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("created_by", Text, nullable=False, server_default=""),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)

token_cluster = Table(
    "token_cluster",
    metadata,
    Column("token_id", Integer, ForeignKey("anomaly.token.id", ondelete="CASCADE"), primary_key=True),
    Column("cluster_id", SmallInteger, ForeignKey(cluster.c.id, ondelete="CASCADE"), primary_key=True),
)

term = Table(
    "term",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("dimension", SmallInteger, nullable=False),
    Column(
        "value",
        Text,
        nullable=False,
        comment="at most 512 characters; longer texts end in a hash of the whole",
    ),
    UniqueConstraint("dimension", "value"),
)

entity = Table(
    "entity",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("cluster_id", SmallInteger, ForeignKey(cluster.c.id), nullable=False),
    Column("username", Text, nullable=False),
    UniqueConstraint("cluster_id", "username"),
)
