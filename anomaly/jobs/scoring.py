"""All the time: judge the windows that came or changed since they were judged, and rank open findings by what verdicts say.

A window is judged while it is still open, and again whenever something was added to it, late events included. Windows from before
the first model of a cluster are not judged: it has learned from them. A run looks again and again, every `jobs.score_every`, and
lasts half a minute, so that the history of runs stays readable.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import psycopg

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
"""Windows in one look; the next one goes on."""
LASTS: Final = timedelta(seconds=30)
_SUMMED: Final = frozenset({"due", "judged", "new"})

Connection = psycopg.Connection[tuple[object, ...]]


def _run(work: Work) -> Detail:
    found: dict[str, dict[str, object]] = {}
    lasts = (work.until - work.now).total_seconds() if work.until is not None else 0.0
    end = time.monotonic() + lasts
    every = work.settings.jobs.score_every.total_seconds()
    with work.database.dedicated() as connection:
        while True:
            began = time.monotonic()
            _look(work, connection, found)
            pause = pause_after(time.monotonic() - began, every)
            if time.monotonic() + pause >= end or not work.rest(pause):
                return found


def pause_after(took: float, every: float) -> float:
    """This will return how long to rest after a look, in seconds: at least half of `every`, at most all of it.

    A rest as long as the look doubled how late news were just when there was most to look at.
    """
    return max(every - took, min(took, every / 2))


def _look(work: Work, connection: Connection, found: dict[str, dict[str, object]]) -> None:
    while fold_parts(connection):
        work.say("folding")
    with work.database.begin() as session:
        clusters = list_clusters(session, work.now)
    for cluster in clusters:
        so_far = found.get(cluster.name, {})
        found[cluster.name] = counted = _score(work, cluster)
        for name in _SUMMED & so_far.keys() & counted.keys():
            counted[name] = int(str(counted[name])) + int(str(so_far[name]))


def _score(work: Work, cluster: Cluster) -> dict[str, object]:
    reigning = work.shared.reigning.judge(cluster.id)
    if reigning is None:
        return {"model": None}
    with work.database.begin() as session:
        since = judged_from(session, cluster.id)
    with work.database.connection() as connection:
        due = unjudged(connection, cluster.id, Span(since), MOST)
    windows = new = 0
    # Who looks once tells all there is.
    holding = replace(reigning, held=work.shared.present(cluster.id)) if work.until is not None else reigning
    for span in _spans(due, reigning):
        judged = judge(work.database, holding, span, work.say)
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
    return Every(max(settings.jobs.score_every, LASTS))


JOB = Job("scoring", "Judge windows that came or changed, and rank findings by verdicts.", _schedule, _run)
