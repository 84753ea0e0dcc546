"""Canaries as they are kept: made, sent, arrived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import psycopg

from anomaly.windows.dimension import Dimension

Connection = psycopg.Connection[tuple[object, ...]]

PREFIX: Final = "anomaly-canary-"
_CLOCKS: Final = timedelta(minutes=10)
"""How far the API server's clock may be off for its event to be found."""


@dataclass(frozen=True, slots=True)
class Canary:
    """One canary. `sent` None: a person sends it, or it could not be sent (`failure`). `event` is when the API server received the
    request, `noticed` when its event was first found here: arrival lies before that."""

    id: str
    cluster_id: int
    made: datetime
    sent: datetime | None = None
    status: int | None = None
    failure: str = ""
    event: datetime | None = None
    noticed: datetime | None = None

    @property
    def delay(self) -> timedelta | None:
        """From the request to when its event was found, at the most; None while it is missing."""
        return None if self.event is None or self.noticed is None else self.noticed - self.event


def object_name(canary_id: str) -> str:
    """This will return the name of the object that is asked for."""
    return f"{PREFIX}{canary_id}"


def keep_canary(connection: Connection, one: Canary) -> None:
    """This will keep a canary that was made."""
    connection.execute(
        "INSERT INTO anomaly.canary (id, cluster_id, made_at) VALUES (%s, %s, %s)",
        [one.id, one.cluster_id, one.made],
    )


def mark_sent(connection: Connection, canary_id: str, at: datetime, status: int | None, failure: str) -> None:
    """This will note that a canary was sent and how it was answered, or why it could not be sent."""
    connection.execute(
        "UPDATE anomaly.canary SET sent_at = %s, status = %s, failure = %s WHERE id = %s",
        [None if failure else at, status, failure[:500], canary_id],
    )


def notice_canaries(connection: Connection, since: datetime, now: datetime) -> int:
    """This will look for the events of canaries made after `since` that have not come yet, and return how many have now.

    A name that the dictionary does not know has not come: that is one look into an index. Only once it does are events read.
    """
    missing = connection.execute(
        "SELECT c.id, c.cluster_id, c.made_at, t.id FROM anomaly.canary c JOIN anomaly.term t"
        " ON t.dimension = %s AND t.value = 'configmaps default/' || %s || c.id"
        " WHERE c.noticed_at IS NULL AND c.made_at >= %s",
        [int(Dimension.NAME), PREFIX, since],
    ).fetchall()
    found = 0
    for number, cluster, made, term in missing:
        assert isinstance(made, datetime)
        found += connection.execute(
            "UPDATE anomaly.canary SET event_at = e.received_at, noticed_at = %(now)s FROM (SELECT received_at FROM anomaly.event"
            " WHERE cluster_id = %(cluster)s AND received_at >= %(since)s AND received_at < %(until)s AND name_id = %(term)s"
            " ORDER BY received_at LIMIT 1) e WHERE id = %(id)s",
            {
                "now": now,
                "cluster": cluster,
                "since": made - _CLOCKS,
                "until": now + _CLOCKS,
                "term": term,
                "id": number,
            },
        ).rowcount
    return found


def canaries_of(connection: Connection, cluster_id: int, since: datetime, limit: int = 1_000) -> list[Canary]:
    """This will return the canaries of a cluster made after `since`, the latest first."""
    rows = connection.execute(
        "SELECT id, cluster_id, made_at, sent_at, status, failure, event_at, noticed_at FROM anomaly.canary"
        " WHERE cluster_id = %s AND made_at >= %s ORDER BY made_at DESC, id LIMIT %s",
        [cluster_id, since, limit],
    ).fetchall()
    return [Canary(*row) for row in rows]  # type: ignore[arg-type]


def forget_canaries(connection: Connection, before: datetime) -> int:
    """This will forget canaries made before a moment, and return how many. Commits."""
    gone = connection.execute("DELETE FROM anomaly.canary WHERE made_at < %s", [before]).rowcount
    connection.commit()
    return gone
