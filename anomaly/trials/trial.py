"""One trial: a log is read into a database of its own, a model trained on the time before a moment, the time after it judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from anomaly.errors import NoModel
from anomaly.findings.finding import Finding
from anomaly.nightly import Judged, Trained, judge, load_judge, train
from anomaly.pipeline import Reading, crew_for, microseconds_in, name_of
from anomaly.rules import RuleSet
from anomaly.sources.files import open_source
from anomaly.store.clusters import ensure_cluster
from anomaly.store.database import Database
from anomaly.store.findings import Wanted, list_findings, with_evidence
from anomaly.store.models import champion
from anomaly.store.windows import Span, fold_all
from anomaly.store.writer import Receipt
from models import Budget

Say = Callable[[str], None]
MOST_FINDINGS = 10_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial came to. Seconds are wall clock; `trained` is None when the model of an earlier trial was used again."""

    receipt: Receipt
    read_seconds: float
    trained: Trained | None
    train_seconds: float
    judged: Judged
    judge_seconds: float
    findings: tuple[Finding, ...]
    """All findings from `train_until` on, with their evidence: the most severe first."""


def run_trial(
    database: Database,
    cluster: str,
    files: Sequence[Path],
    rules: RuleSet,
    span: timedelta,
    train_until: datetime,
    budget: Budget,
    time_scale: float = 1.0,
    workers: int = 2,
    say: Say = lambda said: None,
) -> Outcome:
    """This will run a trial; a second one on the same database reads nothing again and uses the trained model.

    `time_scale` 60 lets minutes of the log stand for hours of the budget's day. Raises models.NotEnoughData.
    """
    with database.begin() as session:
        cluster_id = ensure_cluster(session, cluster)
    began = time.monotonic()
    receipt = _read(database, cluster_id, files, rules, span, workers, say)
    read = time.monotonic()
    trained = _train(database, cluster_id, span, train_until, time_scale, say)
    ready = time.monotonic()
    judged = judge(database, load_judge(database, cluster_id, span, budget), Span(since=train_until), say)
    done = time.monotonic()
    with database.begin() as session:
        wanted = Wanted(cluster=cluster, since=train_until, limit=MOST_FINDINGS)
        findings = with_evidence(session, list_findings(session, wanted))
    return Outcome(receipt, read - began, trained, ready - read, judged, done - ready, tuple(findings))


def _read(
    database: Database,
    cluster_id: int,
    files: Sequence[Path],
    rules: RuleSet,
    span: timedelta,
    workers: int,
    say: Say,
) -> Receipt:
    total = Receipt()
    for path in files:
        say(f"reading {path.name}")
        with (
            open_source(path) as file,
            crew_for(
                database.dedicated, rules, microseconds_in(span), cluster_id, name_of(path), workers
            ) as crew,
            database.dedicated() as connection,
        ):
            progress = list(Reading(cluster_id, file, connection).run(crew))
        total += progress[-1].receipt
    with database.dedicated(autocommit=True) as connection:
        fold_all(connection)
    return total


def _train(
    database: Database, cluster_id: int, span: timedelta, until: datetime, time_scale: float, say: Say
) -> Trained | None:
    with database.begin() as session:
        try:
            if champion(session, cluster_id).context["until"] == until.isoformat():
                return None
        except NoModel:
            pass
    return train(database, cluster_id, span, None, until, None, say, time_scale)
