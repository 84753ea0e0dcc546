"""What sort of events arrive: which verbs on which resources, at which level and stage. Looked at now, and learned by the hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from anomaly.intake.arriving import Arriving
from anomaly.store.batch import LEVELS, STAGES
from anomaly.windows.dimension import Dimension

Connection = psycopg.Connection[tuple[object, ...]]

SAMPLE: Final = 20_000
"""Events of an hour that are looked at; a policy treats all alike, so the rest would say the same."""
HOURS_AT_ONCE: Final = 24
LEARNED: Final = timedelta(days=28)
_HOUR: Final = timedelta(hours=1)

_SORTS: Final = """
SELECT coalesce(v.value, ''), coalesce(r.value, ''), s.level, s.stage, s.events, s.last_at FROM (
  SELECT verb_id, resource_id, level, stage, count(*) events, max(received_at) last_at FROM (
    SELECT verb_id, resource_id, level, stage, received_at FROM anomaly.event
    WHERE cluster_id = %(cluster)s AND received_at >= %(since)s AND received_at < %(until)s
    ORDER BY received_at DESC LIMIT %(most)s) newest
  GROUP BY verb_id, resource_id, level, stage) s
LEFT JOIN anomaly.term v ON v.id = s.verb_id LEFT JOIN anomaly.term r ON r.id = s.resource_id
"""


def arriving_now(
    connection: Connection, cluster_id: int, since: datetime, until: datetime, most: int = SAMPLE
) -> list[Arriving]:
    """This will return the sorts of the newest events that the API server received in [since, until), at most `most` events."""
    rows = connection.execute(
        _SORTS, {"cluster": cluster_id, "since": since, "until": until, "most": most}
    ).fetchall()
    return [_arriving(row) for row in rows]


def arriving_before(
    connection: Connection, cluster_id: int, since: datetime, until: datetime
) -> list[tuple[datetime, Arriving]]:
    """This will return what was learned of the hours that began in [since, until), oldest first."""
    rows = connection.execute(
        "SELECT a.hour_at, coalesce(v.value, ''), coalesce(r.value, ''), a.level, a.stage, a.events, a.hour_at"
        " FROM anomaly.arrival_hour a LEFT JOIN anomaly.term v ON v.id = a.verb_id"
        " LEFT JOIN anomaly.term r ON r.id = a.resource_id"
        " WHERE a.cluster_id = %s AND a.hour_at >= %s AND a.hour_at < %s ORDER BY a.hour_at",
        [cluster_id, since, until],
    ).fetchall()
    found: list[tuple[datetime, Arriving]] = []
    for hour, *rest in rows:
        assert isinstance(hour, datetime)
        found.append((hour, _arriving(tuple(rest))))
    return found


def learn_hours(connection: Connection, cluster_id: int, now: datetime) -> int:
    """This will learn what arrived in the hours that are over and not learned yet, and return how many. Commits.

    An hour is learned once, from at most `SAMPLE` of its events; what comes later for it is not looked at.
    """
    over = now.replace(minute=0, second=0, microsecond=0)
    row = connection.execute(
        "SELECT max(hour_at) FROM anomaly.arrival_hour WHERE cluster_id = %s", [cluster_id]
    ).fetchone()
    known = row[0] if row else None
    start = max(over - LEARNED, known + _HOUR) if isinstance(known, datetime) else over - LEARNED
    learned = 0
    while start < over and learned < HOURS_AT_ONCE:
        # Straight to the next hour that has events: a cluster may have been silent for weeks.
        found = connection.execute(
            "SELECT min(received_at) FROM anomaly.event WHERE cluster_id = %s AND received_at >= %s AND received_at < %s",
            [cluster_id, start, over],
        ).fetchone()
        if not found or not isinstance(found[0], datetime):
            break
        hour = found[0].replace(minute=0, second=0, microsecond=0)
        connection.execute(
            _LEARN, {"cluster": cluster_id, "hour": hour, "until": hour + _HOUR, "most": SAMPLE}
        )
        start, learned = hour + _HOUR, learned + 1
    connection.commit()
    return learned


_LEARN: Final = """
INSERT INTO anomaly.arrival_hour (cluster_id, hour_at, verb_id, resource_id, level, stage, events)
SELECT %(cluster)s, %(hour)s, verb_id, resource_id, level, stage, count(*) FROM (
  SELECT verb_id, resource_id, level, stage FROM anomaly.event
  WHERE cluster_id = %(cluster)s AND received_at >= %(hour)s AND received_at < %(until)s
  ORDER BY received_at LIMIT %(most)s) sample
GROUP BY verb_id, resource_id, level, stage
ON CONFLICT DO NOTHING
"""


def forget_arrivals(connection: Connection, before: datetime) -> int:
    """This will forget what was learned of hours before a moment, and return how many rows that was. Commits."""
    gone = connection.execute("DELETE FROM anomaly.arrival_hour WHERE hour_at < %s", [before]).rowcount
    connection.commit()
    return gone


def restarts(connection: Connection, cluster_id: int, since: datetime, until: datetime) -> list[datetime]:
    """This will return when API servers seem to have started, oldest first.

    A starting API server lists or watches everything it serves through its own client, `system:apiserver`, within seconds: at
    least 15 different resources in one spell of 20 s. While it runs, its watches end and begin again one at a time.
    """
    rows = connection.execute(
        """
SELECT min(received_at) FROM anomaly.event
WHERE cluster_id = %(cluster)s AND received_at >= %(since)s AND received_at < %(until)s
  AND entity_id = (SELECT id FROM anomaly.entity WHERE cluster_id = %(cluster)s AND username = 'system:apiserver')
  AND verb_id = ANY(ARRAY(SELECT id FROM anomaly.term WHERE dimension = %(verb)s AND value IN ('watch', 'list')))
GROUP BY date_bin('20 seconds', received_at, 'epoch') HAVING count(DISTINCT resource_id) >= %(most)s ORDER BY 1
""",
        {
            "cluster": cluster_id,
            "since": since,
            "until": until,
            "verb": int(Dimension.VERB),
            "most": _RESOURCES_AT_START,
        },
    ).fetchall()
    found: list[datetime] = []
    for (at,) in rows:
        assert isinstance(at, datetime)
        if not found or at - found[-1] > _ONE_START:
            found.append(at)
    return found


_RESOURCES_AT_START: Final = 15
_ONE_START: Final = timedelta(minutes=2)


def _arriving(row: tuple[Any, ...]) -> Arriving:
    verb, resource, level, stage, events, last = row
    return Arriving(verb, resource, LEVELS[level], STAGES[stage], int(events), last)
