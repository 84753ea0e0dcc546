"""Every minute: look whether clusters fell silent, deliver badly or changed their policy, and learn what arrives."""

from __future__ import annotations

from dataclasses import asdict

from anomaly.jobs.job import Detail, Job, Work
from anomaly.jobs.schedule import Every
from anomaly.settings import Settings
from anomaly.watching import watch


def _run(work: Work) -> Detail:
    return asdict(watch(work.database, work.settings.completeness, work.now))


def _schedule(settings: Settings) -> Every:
    return Every(settings.completeness.watch_every)


JOB = Job(
    "watching",
    "Raise alarms when a cluster falls silent, delivers badly or changes its policy.",
    _schedule,
    _run,
    catch_up=False,
)
