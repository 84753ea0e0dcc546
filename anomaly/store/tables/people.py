"""People who sign in: their accounts, the links that let them choose a password, their sessions, and failed tries."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
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
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata

person = Table(
    "person",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True, comment="what is typed to sign in, lower case"),
    Column("password", Text, comment="argon2id, with its parameters; null: none chosen, or signs in by OIDC"),
    Column("issuer", Text, comment="OIDC: who vouches for the person, with the subject it knows them by"),
    Column("subject", Text),
    Column("role", Text, nullable=False),
    Column("every_cluster", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("created_by", Text, nullable=False),
    Column("disabled_at", DateTime(timezone=True)),
    Column("signed_in_at", DateTime(timezone=True)),
    UniqueConstraint("issuer", "subject"),
    CheckConstraint("(issuer IS NULL) = (subject IS NULL)", name="issuer_with_subject"),
)

person_cluster = Table(
    "person_cluster",
    metadata,
    Column("person_id", Integer, ForeignKey("anomaly.person.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id", ondelete="CASCADE"), primary_key=True
    ),
)

invite = Table(
    "invite",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("person_id", Integer, ForeignKey("anomaly.person.id", ondelete="CASCADE"), nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the code in the link"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("created_by", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True), comment="when it was used, or replaced by another"),
    Index("invite_person_id_idx", "person_id"),
)

session = Table(
    "session",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("person_id", Integer, ForeignKey("anomaly.person.id", ondelete="CASCADE"), nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the cookie"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, comment="its end, however busy"),
    Column("revoked_at", DateTime(timezone=True)),
    Column("address", Text, nullable=False, comment="where it was begun"),
    Column("agent", Text, nullable=False, comment="User-Agent it was begun with, at most 200 characters"),
    Index("session_person_id_idx", "person_id"),
)

failed_try = Table(
    "failed_try",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    # A digest, because people type passwords into the field for the name.
    Column("whose", LargeBinary, nullable=False, comment="SHA-256 of an account's name, an address, or both"),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Index("failed_try_whose_idx", "whose", "made_at"),
    Index("failed_try_made_at_idx", "made_at"),
)
