"""Every table, one file a subject, on one MetaData in the schema `anomaly`. Alembic's revisions are made from these."""

from anomaly.store.tables.catalogue import cluster, entity, term, token
from anomaly.store.tables.events import chunk, event, quarantine
from anomaly.store.tables.findings import evidence, finding
from anomaly.store.tables.intake import checkpoint
from anomaly.store.tables.learning import job_run, model
from anomaly.store.tables.metadata import SCHEMA, metadata
from anomaly.store.tables.rules import held_finding, rule_exception, rule_match, rule_pause
from anomaly.store.tables.triage import finding_step, suppression, triage
from anomaly.store.tables.windows import entity_window, seen, window_part, window_span

__all__ = [
    "SCHEMA",
    "checkpoint",
    "chunk",
    "cluster",
    "entity",
    "entity_window",
    "event",
    "evidence",
    "finding",
    "finding_step",
    "held_finding",
    "job_run",
    "metadata",
    "model",
    "quarantine",
    "rule_exception",
    "rule_match",
    "rule_pause",
    "seen",
    "suppression",
    "term",
    "token",
    "triage",
    "window_part",
    "window_span",
]
