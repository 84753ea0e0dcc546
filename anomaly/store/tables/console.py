"""What people keep of the console for themselves."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Identity, Integer, Table, Text, UniqueConstraint
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

saved_view = Table(
    "saved_view",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("owner", Text, nullable=False, comment="kind and name of whoever keeps it, as person:erika"),
    Column("page", Text, nullable=False, comment="path of the page, as /events"),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False, comment="what stands behind the question mark"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("owner", "page", "name"),
)
