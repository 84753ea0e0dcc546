"""Every night, after the day (UTC) has ended and before the next model is trained: what the budget promised, and what came."""

from __future__ import annotations

from anomaly.jobs.job import Detail, Job, Work
from anomaly.jobs.schedule import Daily
from anomaly.promising import owed, write
from anomaly.settings import Settings
from anomaly.store.clusters import list_clusters


def _run(work: Work) -> Detail:
    with work.database.begin() as session:
        clusters = list_clusters(session, work.now)
    detail: dict[str, object] = {}
    for cluster in clusters:
        judge = work.shared.reigning.judge(cluster.id)
        if judge is None:
            continue
        made = []
        for day in owed(work.database, cluster.id, work.now - work.settings.windows.settle):
            work.say(f"{cluster.name}: promised and actual of {day:%Y-%m-%d}")
            made.append(write(work.database, judge, day))
        detail[cluster.name] = {
            "days": len(made),
            "held": sum(one.holds for one in made),
            "last": made[-1].reason if made else None,
        }
    return detail


def _schedule(settings: Settings) -> Daily:
    # Days of the budget are days of UTC, whatever the zone of the training.
    return Daily("00:40", "UTC")


JOB = Job("promising", "Compare what the alert budget promised with what came.", _schedule, _run)
"""Found by its file."""
