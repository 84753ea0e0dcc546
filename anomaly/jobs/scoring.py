"""Every few seconds: judge the windows that came or changed since they were judged, and rank open findings by what verdicts say.

A window is judged while it is still open, and again whenever something was added to it, late events included. Windows from before
the first model of a cluster are not judged: it has learned from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from anomaly.jobs.job import Detail, Job, Work
from anomaly.jobs.schedule import Every
from anomaly.nightly import Judge, judge
from anomaly.settings import Settings
from anomaly.store.clusters import Cluster, list_clusters
from anomaly.store.judging import Unjudged, unjudged
from anomaly.store.models import judged_from
from anomaly.store.windows import Span, fold_parts

FEW: Final = 3
"""Starts of windows that are judged one by one; of more, as after taking in a file, a day is judged at once."""
MOST: Final = 50_000
"""Windows in one run; the next one goes on."""


def _run(work: Work) -> Detail:
    with work.database.dedicated() as connection:
        while fold_parts(connection):
            work.say("folding")
    with work.database.begin() as session:
        clusters = list_clusters(session, work.now)
    return {cluster.name: _score(work, cluster) for cluster in clusters}


def _score(work: Work, cluster: Cluster) -> dict[str, object]:
    reigning = work.shared.reigning.judge(cluster.id)
    if reigning is None:
        return {"model": None}
    with work.database.begin() as session:
        since = judged_from(session, cluster.id)
    with work.database.connection() as connection:
        due = unjudged(connection, cluster.id, Span(since), MOST)
    windows = new = 0
    for span in _spans(due, reigning):
        judged = judge(work.database, reigning, span, work.say)
        windows, new = windows + judged.windows, new + judged.new
    ranked = work.shared.ranking.renew(reigning, work.now, found_more=new > 0)
    return {"model": reigning.kept.id, "due": len(due), "judged": windows, "new": new, "ranked": ranked}


def _spans(due: list[Unjudged], reigning: Judge) -> Iterator[Span]:
    """Spans that hold the due windows, of their entities only, oldest first."""
    span = timedelta(microseconds=int(reigning.kept.context["span_us"]))
    one_by_one = len({one.start for one in due}) <= FEW
    grouped: dict[datetime, list[Unjudged]] = {}
    for one in due:
        grouped.setdefault(one.start if one_by_one else _midnight(one.start), []).append(one)
    for group in grouped.values():
        # No further than the due ones reach: what lies before them was judged, or learned from.
        entities = tuple(sorted({one.entity_id for one in group}))
        yield Span(group[0].start, group[-1].start + span, entity_ids=entities)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _schedule(settings: Settings) -> Every:
    return Every(settings.jobs.score_every)


JOB = Job("scoring", "Judge windows that came or changed, and rank findings by verdicts.", _schedule, _run)
