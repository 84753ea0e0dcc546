"""Every ten minutes: make the partitions of today and the days after, so that midnight finds its own ready."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from anomaly.jobs.job import Detail, Job, Work
from anomaly.jobs.schedule import Every
from anomaly.settings import Settings
from anomaly.store.partitions import make_partitions
from anomaly.store.retention import days_ahead

AHEAD: Final = 2
EVERY: Final = timedelta(minutes=10)


def _run(work: Work) -> Detail:
    days = days_ahead(work.now, AHEAD)
    with work.database.connection() as connection:
        make_partitions(connection, days)
    return {"until": days[-1].isoformat()}


def _schedule(settings: Settings) -> Every:
    return Every(EVERY)


JOB = Job("partitions", "Make the partitions of the coming days.", _schedule, _run)
