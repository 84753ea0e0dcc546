"""One trial: a log is read into a database of its own, a model trained on the time before a moment, the time after it judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from anomaly.errors import NoModel
from anomaly.events.key import EPOCH
from anomaly.findings.finding import Finding
from anomaly.nightly import Judge, Judged, Trained, judge, load_judge, survey, train
from anomaly.pipeline import Reading, crew_for, microseconds_in, name_of
from anomaly.rules import RuleSet
from anomaly.sources.files import open_source
from anomaly.store.clusters import ensure_cluster
from anomaly.store.database import Database
from anomaly.store.findings import Wanted, list_findings, with_evidence
from anomaly.store.models import champion
from anomaly.store.windows import Span, fold_all, last_start
from anomaly.store.writer import Receipt
from models import Budget, NotEnoughData

Say = Callable[[str], None]
MOST_FINDINGS = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How a log is tried. `time_scale` 60 lets minutes of the log stand for hours of the budget's day; without `behaviour` nothing
    is trained, and an empty rule set turns the rules off."""

    span: timedelta
    train_until: datetime
    budget: Budget = field(default_factory=Budget)
    time_scale: float = 1.0
    behaviour: bool = True
    workers: int = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """How one judged window stood: of whom, when it began, and its p-value."""

    username: str
    start: datetime
    p_value: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial came to. Seconds are wall clock; `trained` is None when the model of an earlier trial was used again, or none
    could be trained: then `judged` is None too, and `untrained` says why."""

    receipt: Receipt
    read_seconds: float
    trained: Trained | None
    train_seconds: float
    judged: Judged | None
    judge_seconds: float
    findings: tuple[Finding, ...]
    """All findings from `train_until` on, with their evidence: the most severe first."""
    below: tuple[Finding, ...] = ()
    """What deviated on a day that had no room left for it."""
    standings: tuple[Standing, ...] = ()
    until: datetime | None = None
    """Where the tried time ends; None when the log ends before it begins."""
    untrained: str = ""


def run_trial(
    database: Database,
    cluster: str,
    files: Sequence[Path],
    rules: RuleSet,
    plan: Plan,
    say: Say = lambda said: None,
) -> Outcome:
    """This will run a trial; a second one on the same database reads nothing again and uses the trained model.

    The days of the budget begin with the judged time, and the last, which the log covers in part, has room for its part.
    """
    with database.begin() as session:
        cluster_id = ensure_cluster(session, cluster)
    began = time.monotonic()
    receipt = _read(database, cluster_id, files, rules, plan, say)
    read = time.monotonic()
    trained, untrained = _train(database, cluster_id, plan, say) if plan.behaviour else (None, "")
    ready = time.monotonic()
    until = _end(database, cluster_id, plan)
    judged: Judged | None = None
    standings: tuple[Standing, ...] = ()
    if plan.behaviour and not untrained:
        judged, standings = _judge(database, cluster_id, plan, until, say)
    done = time.monotonic()
    with database.begin() as session:
        wanted = Wanted(cluster=cluster, since=plan.train_until, limit=MOST_FINDINGS)
        findings = with_evidence(session, list_findings(session, wanted))
        below = with_evidence(session, list_findings(session, replace(wanted, below=True)))
    return Outcome(
        receipt,
        read - began,
        trained,
        ready - read,
        judged,
        done - ready,
        tuple(findings),
        tuple(below),
        standings,
        until,
        untrained,
    )


def _read(
    database: Database, cluster_id: int, files: Sequence[Path], rules: RuleSet, plan: Plan, say: Say
) -> Receipt:
    total = Receipt()
    for path in files:
        say(f"reading {path.name}")
        crew_of = crew_for(
            database.dedicated, rules, microseconds_in(plan.span), cluster_id, name_of(path), plan.workers
        )
        with open_source(path) as file, crew_of as crew, database.dedicated() as connection:
            progress = list(Reading(cluster_id, file, connection).run(crew))
        if progress:
            total += progress[-1].receipt
    with database.dedicated(autocommit=True) as connection:
        fold_all(connection)
    return total


def _train(database: Database, cluster_id: int, plan: Plan, say: Say) -> tuple[Trained | None, str]:
    with database.begin() as session:
        try:
            if champion(session, cluster_id).context["until"] == plan.train_until.isoformat():
                return None, ""
        except NoModel:
            pass
    try:
        until, scale = plan.train_until, plan.time_scale
        return train(database, cluster_id, plan.span, None, until, None, say, scale), ""
    except NotEnoughData as error:
        return None, str(error)


def _judge(
    database: Database, cluster_id: int, plan: Plan, until: datetime | None, say: Say
) -> tuple[Judged, tuple[Standing, ...]]:
    judging = load_judge(database, cluster_id, plan.span, plan.budget)
    standings = _standings(database, judging, plan)
    days = replace(judging.days, origin=plan.train_until, horizon=until)
    return judge(database, replace(judging, days=days), Span(since=plan.train_until), say), standings


def _end(database: Database, cluster_id: int, plan: Plan) -> datetime | None:
    """Where the last window ends, None when none begins after the training."""
    with database.connection() as connection:
        last = last_start(connection, Span(since=plan.train_until, cluster_id=cluster_id))
    return None if last is None else last + plan.span


def _standings(database: Database, judging: Judge, plan: Plan) -> tuple[Standing, ...]:
    surveyed = survey(database, judging, Span(since=plan.train_until))
    if surveyed is None:
        return ()
    scores, context = surveyed
    windows = scores.windows
    rows = zip(windows.entity.tolist(), windows.start.tolist(), scores.judged.p_value.tolist(), strict=True)
    return tuple(
        Standing(context.entities[who].identity.username, EPOCH + timedelta(microseconds=start), p_value)
        for who, start, p_value in rows
    )
