"""Every table, one file a subject, on one MetaData in the schema `anomaly`. Alembic's revisions are made from these."""

from anomaly.store.tables.access import access_entry, certificate_name
from anomaly.store.tables.catalogue import cluster, entity, term, token, token_cluster
from anomaly.store.tables.completeness import (
    alarm,
    arrival_hour,
    audit_metrics,
    canary,
    intake_body,
    intake_hour,
)
from anomaly.store.tables.console import saved_view
from anomaly.store.tables.door import door_policy, dropped, dropped_minute
from anomaly.store.tables.events import chunk, event, quarantine
from anomaly.store.tables.findings import evidence, finding
from anomaly.store.tables.intake import checkpoint, redaction
from anomaly.store.tables.learning import job_run, model
from anomaly.store.tables.metadata import SCHEMA, metadata
from anomaly.store.tables.people import failed_try, invite, person, person_cluster, session
from anomaly.store.tables.promises import promise_day
from anomaly.store.tables.rules import held_finding, rule_exception, rule_match, rule_pause
from anomaly.store.tables.sources import source, source_file
from anomaly.store.tables.triage import finding_step, suppression, triage
from anomaly.store.tables.windows import entity_window, seen, window_part, window_span

__all__ = [
    "SCHEMA",
    "access_entry",
    "alarm",
    "arrival_hour",
    "audit_metrics",
    "canary",
    "certificate_name",
    "checkpoint",
    "chunk",
    "cluster",
    "door_policy",
    "dropped",
    "dropped_minute",
    "entity",
    "entity_window",
    "event",
    "evidence",
    "failed_try",
    "finding",
    "finding_step",
    "held_finding",
    "intake_body",
    "intake_hour",
    "invite",
    "job_run",
    "metadata",
    "model",
    "person",
    "person_cluster",
    "promise_day",
    "quarantine",
    "redaction",
    "rule_exception",
    "rule_match",
    "rule_pause",
    "saved_view",
    "seen",
    "session",
    "source",
    "source_file",
    "suppression",
    "term",
    "token",
    "token_cluster",
    "triage",
    "window_part",
    "window_span",
]
