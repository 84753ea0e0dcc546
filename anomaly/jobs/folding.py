"""Every few seconds: fold parts of windows into whole ones. Several may do it at once: they pass over each other's parts."""

from __future__ import annotations

from anomaly.jobs.job import Detail, Job, Work
from anomaly.jobs.schedule import Every
from anomaly.settings import Settings
from anomaly.store.windows import fold_parts


def _run(work: Work) -> Detail:
    folded = 0
    with work.database.dedicated() as connection:
        while parts := fold_parts(connection):
            folded += parts
            work.say(f"folded {folded:,} parts")
    return {"parts": folded}


def _schedule(settings: Settings) -> Every:
    return Every(settings.jobs.fold_every)


JOB = Job("folding", "Fold parts of windows into whole ones.", _schedule, _run, catch_up=False)
