"""What the alert budget promised of a day, beside what came: told every night, so that nobody has to believe the promise.

The promise is of a quiet day: at the line, so many findings are expected, between `low` and `high` nine days in ten. What came is
counted over the line, whether people see it or not: shown, without room, hidden by a suppression. Findings closed as true are no
part of a quiet day and are taken off. Where more came than promised, the report says what explains it: entities that the training
had not seen, more windows than it had, features that are distributed otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from anomaly.events.key import EPOCH
from anomaly.nightly import Judge, survey
from anomaly.scoring import Context, Scores
from anomaly.store.database import Database
from anomaly.store.models import judged_from
from anomaly.store.promises import Came, PromiseDay, came_on, keep_promise, last_promise
from anomaly.store.windows import Span
from training import Matrix
from training.drift import Drift, drift_since

DAY: Final = timedelta(days=1)
FARTHEST: Final = 31
"""Days that are made up for at most, as after a month in which nothing ran."""
MOST_NAMED: Final = 5
BUSIER: Final = 1.5
"""Times as many windows as the training had a day, from which that explains more findings."""
NEW_SHARE: Final = 0.3
"""Share of the deviating windows that strangers must have to explain them."""


def owed(database: Database, cluster_id: int, now: datetime) -> Iterator[datetime]:
    """This will yield the days of a cluster that have ended and are not reported on yet, the oldest first.

    A day counts from the first that was judged, in part or whole.
    """
    with database.begin() as session:
        begun, last = judged_from(session, cluster_id), last_promise(session, cluster_id)
    if begun is None:
        return
    today = EPOCH + (now - EPOCH) // DAY * DAY
    first = EPOCH + (begun - EPOCH) // DAY * DAY if last is None else last + DAY
    day = max(first, today - FARTHEST * DAY)
    while day < today:
        yield day
        day += DAY


def report(database: Database, judge: Judge, day: datetime) -> PromiseDay:
    """This will compare the promise of the model that `judge` holds with what came on the day that begins at `day`, keeping nothing."""
    end = day + DAY
    with database.begin() as session:
        came = came_on(session, judge.kept.cluster_id, day, end)
        begun = judged_from(session, judge.kept.cluster_id)
    surveyed = survey(database, judge, Span(max(day, begun) if begun else day, end))
    told, deviating, strangers, windows = _nothing(), 0, 0, 0
    if surveyed is not None:
        scores, context = surveyed
        over = scores.over(context.threshold)
        known = np.isin(scores.windows.entity[over], list(judge.context.entities))
        windows, deviating, strangers = scores.windows.n, len(over), int((~known).sum())
        told = _explained(scores, context, over, judge)
    line = judge.threshold
    room = judge.days.room(day)
    made = PromiseDay(
        cluster_id=judge.kept.cluster_id,
        day=day,
        model_id=judge.kept.id,
        budget=judge.days.most,
        line=line.p_value,
        expected=line.expected,
        low=line.low,
        high=line.high,
        proven=line.promised,
        windows=windows,
        deviating=deviating,
        strangers=strangers,
        shown=came.shown,
        no_room=came.no_room,
        hidden=came.hidden,
        beyond=min(max(came.shown - room, 0), came.critical),
        firm=came.firm,
        confirmed=came.confirmed,
        holds=came.all - came.confirmed <= line.high,
        reason="",
        drift=told,
    )
    return replace(made, reason=_sentence(made, came))


def write(database: Database, judge: Judge, day: datetime) -> PromiseDay:
    """This will make the report of a day and keep it; made again, it takes the place of the earlier one."""
    made = report(database, judge, day)
    with database.begin() as session:
        keep_promise(session, made)
    return made


def _nothing() -> dict[str, Any]:
    return {"shifted": [], "new_kinds": [], "usual_windows": 0.0, "entities": []}


def _explained(scores: Scores, context: Context, over: np.ndarray[Any, Any], judge: Judge) -> dict[str, Any]:
    drift = _drift(scores, context)
    who = Counter(context.entities[int(number)].identity.username for number in scores.windows.entity[over])
    return {
        "shifted": [list(one) for one in drift.shifted[:MOST_NAMED]],
        "share_shifted": drift.share,
        "new_kinds": list(drift.new_kinds),
        "too_few": list(drift.too_few),
        "usual_windows": round(float(judge.kept.context["windows_a_day"]), 1),
        "entities": [[name, count] for name, count in who.most_common(MOST_NAMED)],
    }


def _drift(scores: Scores, context: Context) -> Drift:
    entity = scores.windows.entity.astype(np.int64)
    matrix = Matrix(
        context.model.layout,
        scores.matrix,
        entity,
        context.kinds(entity),
        context.history.peers.group_of(entity),
        scores.windows.start,
    )
    return drift_since(context.model, matrix, np.arange(len(matrix)))


def _sentence(made: PromiseDay, came: Came) -> str:
    """Whether it holds, and if it does not, why as far as that is known."""
    quiet = came.all - came.confirmed
    apart = f" beside {came.confirmed} confirmed" if came.confirmed else ""
    said = f"{quiet} findings over the line{apart}, {made.low:.0f} to {made.high:.0f} promised"
    if made.holds:
        return f"Holds: {said}."
    why = []
    if made.deviating and made.strangers >= NEW_SHARE * made.deviating:
        why.append(
            f"{made.strangers} of {made.deviating} deviating windows are of entities the training had not seen"
        )
    usual = float(made.drift["usual_windows"])
    if usual and made.windows > BUSIER * usual:
        why.append(f"{made.windows:,} windows where {usual:,.0f} were usual")
    if shifted := made.drift["shifted"]:
        kind, feature, index = shifted[0]
        why.append(f"{feature} of kind {kind} has shifted (index {index:.1f}), the most of the features")
    if made.drift["new_kinds"]:
        why.append(f"kinds never seen: {', '.join(made.drift['new_kinds'])}")
    because = "; ".join(why) or "neither strangers nor drift explain it: look at the findings"
    return f"Does not hold: {said}; {because}."
