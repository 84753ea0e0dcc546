"""What is known of the intake itself: counts by hour, batches seen, what arrives, alarms, canaries, the API server's own counts."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql import func

from anomaly.store.tables.metadata import metadata


def _count(name: str, comment: str | None = None) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0", comment=comment)


intake_hour = Table(
    "intake_hour",
    metadata,
    Column("cluster_id", SmallInteger, nullable=False),
    Column("hour_at", DateTime(timezone=True), nullable=False, comment="hour of arrival, by the database"),
    Column("source", Text, nullable=False),
    Column(
        "lane",
        Integer,
        nullable=False,
        comment="process of the server that wrote it, so that writers never wait for each other; 0 when joined",
    ),
    _count("kept"),
    _count("duplicates"),
    _count("quarantined"),
    _count("bytes", "raw bytes of the events kept"),
    _count("batches"),
    _count("retries", "batches that came before, event for event"),
    _count("truncated", "events whose bodies the API server cut off"),
    _count("cut_agents", "events whose user agent the API server cut off"),
    _count("refused", "bodies answered 503"),
    Column("first_event_at", DateTime(timezone=True), comment="time of the stage, by the API server"),
    Column("last_event_at", DateTime(timezone=True)),
    Column("last_arrival_at", DateTime(timezone=True)),
    _count("minutes", "bit n: live events arrived in minute n"),
    Column(
        "lag",
        ARRAY(BigInteger),
        nullable=False,
        comment="events by how late they came: anomaly/intake/lag.py",
    ),
    Column("least_lag_us", BigInteger, comment="below zero the sender's clock is ahead of ours"),
    Column("most_lag_us", BigInteger),
    PrimaryKeyConstraint("cluster_id", "hour_at", "source", "lane"),
)

intake_body = Table(
    "intake_body",
    metadata,
    Column("cluster_id", SmallInteger, nullable=False),
    Column("digest", Uuid, nullable=False, comment="BLAKE2b over the keys of its events and its length"),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("times", Integer, nullable=False, server_default="1"),
    PrimaryKeyConstraint("cluster_id", "digest"),
)

arrival_hour = Table(
    "arrival_hour",
    metadata,
    Column("cluster_id", SmallInteger, nullable=False),
    Column("hour_at", DateTime(timezone=True), nullable=False),
    Column("verb_id", Integer, nullable=False),
    Column("resource_id", Integer, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("stage", SmallInteger, nullable=False),
    Column("events", BigInteger, nullable=False, comment="of those looked at: a sample on busy clusters"),
    PrimaryKeyConstraint("cluster_id", "hour_at", "verb_id", "resource_id", "level", "stage"),
)

alarm = Table(
    "alarm",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default="", comment="what of the cluster it is about"),
    Column("finding_id", Uuid, nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False, comment="when it last held"),
    Column("ended_at", DateTime(timezone=True)),
    Column("detail", JSONB, nullable=False, server_default="{}"),
    Index(
        "alarm_open_key",
        "cluster_id",
        "name",
        "subject",
        unique=True,
        postgresql_where=text("ended_at IS NULL"),
    ),
)

canary = Table(
    "canary",
    metadata,
    Column("id", Text, primary_key=True, comment="random, in the name of the object that is asked for"),
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id"), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("sent_at", DateTime(timezone=True), comment="NULL when a person sends it"),
    Column("status", SmallInteger, comment="what the API server answered"),
    Column("failure", Text, nullable=False, server_default=""),
    Column("event_at", DateTime(timezone=True), comment="when the API server received it"),
    Column("noticed_at", DateTime(timezone=True), comment="when its event was first found here"),
    Index("canary_cluster_id_made_at_idx", "cluster_id", "made_at"),
)

audit_metrics = Table(
    "audit_metrics",
    metadata,
    Column("cluster_id", SmallInteger, ForeignKey("anomaly.cluster.id"), nullable=False),
    Column("instance", Text, nullable=False, comment="which API server; empty when there is one"),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True), comment="process_start_time_seconds"),
    Column("generated", Double, nullable=False, comment="apiserver_audit_event_total"),
    Column("errors", JSONB, nullable=False, comment="apiserver_audit_error_total by plugin"),
    Column("levels", JSONB, nullable=False, comment="apiserver_audit_level_total by level"),
    Column("rejected", Double, nullable=False, comment="apiserver_audit_requests_rejected_total"),
    PrimaryKeyConstraint("cluster_id", "instance", "at"),
)
