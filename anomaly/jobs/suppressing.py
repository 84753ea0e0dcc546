"""Every few seconds: hide new findings that a suppression covers, and show again those that outgrew it."""

from __future__ import annotations

from anomaly.jobs.job import Detail, Job, Work
from anomaly.jobs.schedule import Every
from anomaly.review import hold_back
from anomaly.settings import Settings


def _run(work: Work) -> Detail:
    with work.database.begin() as session:
        held = hold_back(session, work.now)
    return {"hidden": held.hidden, "surfaced": held.surfaced}


def _schedule(settings: Settings) -> Every:
    return Every(settings.jobs.suppress_every)


JOB = Job("suppressing", "Hide findings that a suppression covers.", _schedule, _run)
