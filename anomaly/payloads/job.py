"""Jobs and their runs as data."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.jobs.job import Job
    from anomaly.settings import Settings
    from anomaly.store.job_runs import Run


class JobPayload(TypedDict):
    """One job: when it runs, and what came of its last run."""

    job: str
    runs: str
    next: datetime | None
    last: datetime | None
    outcome: str | None
    about: str


class RunPayload(TypedDict):
    """One run. `outcome` is running, ok, failed or crashed; `detail` says what came of it."""

    id: int
    job: str
    scheduled_at: datetime
    started_at: datetime
    finished_at: datetime | None
    attempt: int
    host: str
    outcome: str
    detail: dict[str, Any]


def job_payload(job: Job, settings: Settings, last: Run | None, now: datetime) -> JobPayload:
    """This will return a job as data, its next time counted from `now`."""
    schedule = job.schedule(settings)
    return {
        "job": job.name,
        "runs": str(schedule),
        "next": schedule.trigger().get_next_fire_time(None, now),
        "last": last.scheduled_at if last else None,
        "outcome": last.outcome if last else None,
        "about": job.about,
    }


def run_payload(run: Run) -> RunPayload:
    """This will return a run as data."""
    return {
        "id": run.id,
        "job": run.job,
        "scheduled_at": run.scheduled_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "attempt": run.attempt,
        "host": run.host,
        "outcome": run.outcome,
        "detail": run.detail,
    }
