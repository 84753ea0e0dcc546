"""Every night, after the training: let go of what is past its time, and of old runs of jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from anomaly.jobs.job import Detail, Job, Work
from anomaly.jobs.schedule import Daily
from anomaly.settings import Settings
from anomaly.store.job_runs import prune_runs
from anomaly.store.retention import apply_retention

RUNS: Final = timedelta(days=400)
FREQUENT_RUNS: Final = timedelta(days=2)
"""Runs of jobs that come every few seconds say nothing after two days."""


def _run(work: Work) -> Detail:
    with work.database.dedicated() as connection:
        dropped = apply_retention(connection, work.settings.retention, work.now)
        runs = prune_runs(connection, work.now - RUNS, work.now - FREQUENT_RUNS)
    return {
        "days": [day.isoformat() for day in dropped.days],
        "windows": dropped.windows,
        "findings": dropped.findings,
        "quarantined": dropped.quarantined,
        "runs": runs,
    }


def _schedule(settings: Settings) -> Daily:
    return Daily(settings.jobs.retain_at, settings.training.zone)


JOB = Job(
    "retention", "Let go of events, windows, closed findings and quarantine past their time.", _schedule, _run
)
