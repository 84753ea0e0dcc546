"""Completeness, said honestly: what came of a cluster by day and source, where it paused, and what that says about what is missing.

What is counted is exact: it is written in the transaction of the events. What never reached us can only be inferred: from the
API server's own counters (`anomaly.intake.loss`), from canaries, and from pauses that are not usual.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import psycopg

from anomaly.intake.loss import Loss, estimate, growth
from anomaly.intake.silence import Presence, Silence, silence
from anomaly.intake.tally import Tally, total
from anomaly.store.alarms import Episode, alarms_since
from anomaly.store.arriving import restarts
from anomaly.store.audit_metrics import first_event, last_pairs, received_between
from anomaly.store.door import DROPPED, LOWERED, dropped_between, dropped_by_day
from anomaly.store.intake import Hour, hours_of

Connection = psycopg.Connection[tuple[object, ...]]

HISTORY: Final = timedelta(days=28)
"""How far back the usual rate is learned; four weeks hold every hour of the week four times."""
_BATCH_WAIT: Final = timedelta(seconds=30)
"""How long an API server gathers a batch, unless told otherwise."""
_LATEST: Final = timedelta(minutes=5)
"""After which it has given up to deliver one."""
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Day:
    """What came of a cluster on one day (UTC, by the day of arrival), as a whole and by source."""

    day: date
    tally: Tally
    sources: dict[str, Tally]
    dropped: int = 0
    """Events that a policy set here dropped."""
    lowered: int = 0
    """Events of which such a policy left out bodies."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A time without live events that was longer than usual, between two events. `end` None: it lasts."""

    start: datetime
    end: datetime | None


def days_of(connection: Connection, cluster_id: int, now: datetime, days: int) -> list[Day]:
    """This will return the account of the last days, today included, the newest first; days on which nothing came are there too."""
    today = _midnight(now)
    since = today - (days - 1) * _DAY
    hours = hours_of(connection, cluster_id, since, now + _HOUR)
    left = dropped_by_day(connection, cluster_id, since)
    found = []
    for back in range(days):
        start = today - back * _DAY
        of_day = [one for one in hours if start <= one.hour < start + _DAY]
        deeds = left.get(start.date(), {})
        dropped, lowered = (deeds.get(deed, (0, 0))[0] for deed in (DROPPED, LOWERED))
        found.append(
            Day(start.date(), total(one.tally for one in of_day), by_source(of_day), dropped, lowered)
        )
    return found


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of a cluster's intake over some days: by day, unusual pauses, starts of API servers, alarms, its own counts."""

    days: tuple[Day, ...]
    silence: Silence | None
    pauses: tuple[Pause, ...]
    restarts: tuple[datetime, ...]
    alarms: tuple[Episode, ...]
    loss: Loss | None


def account_of(
    connection: Connection,
    cluster_id: int,
    now: datetime,
    days: int,
    least: timedelta,
    *,
    look_for_starts: bool = True,
) -> Account:
    """This will return everything that is known of a cluster's intake over the last days. Starts of API servers are looked for on
    the last of these days that has events, in its events: it is the dear part, and can be left out."""
    found = days_of(connection, cluster_id, now, days)
    since = _midnight(now) - (days - 1) * _DAY
    history = presences(hours_of(connection, cluster_id, now - max(HISTORY, now - since), now + _HOUR))
    quiet = silence(history, now, least)
    lasting = (Pause(quiet.since, None),) if quiet else ()
    last = max((one.tally.last_event for one in found if one.tally.last_event), default=None)
    starts: list[datetime] = []
    if look_for_starts and last is not None:
        starts = restarts(connection, cluster_id, last - _DAY, last + _HOUR)
    return Account(
        tuple(found),
        quiet,
        (*unusual(pauses(history, since, least), history), *lasting),
        tuple(starts),
        tuple(alarms_since(connection, cluster_id, since)),
        loss_of(connection, cluster_id, now),
    )


def lag_of(connection: Connection, cluster_id: int, now: datetime) -> timedelta | None:
    """This will return the lag that one of a hundred live events of the last day exceeded; None when none came live."""
    day = total(one.tally for one in hours_of(connection, cluster_id, now - _DAY, now + _HOUR))
    return day.lag_p99 if day.live else None


def loss_of(connection: Connection, cluster_id: int, now: datetime) -> Loss | None:
    """This will hold the newest counts of a cluster's API servers against what was received since those before; None without any.

    With one sample alone it counts from the start of the API server, if its page says when that was.
    """
    parts = [
        part
        for earlier, later in last_pairs(connection, cluster_id)
        if (part := growth(earlier, later)) is not None
    ]
    if not parts:
        return None
    since, until = min(part.since for part in parts), max(part.until for part in parts)
    lag = total(one.tally for one in hours_of(connection, cluster_id, now - _DAY, now + _HOUR)).lag_p99
    edge = _BATCH_WAIT + min(lag or timedelta(0), _LATEST)
    received, near = received_between(connection, cluster_id, since, until, edge)
    # What a policy dropped here was received.
    dropped, near_dropped = dropped_between(connection, cluster_id, since, until, edge)
    return estimate(parts, received + dropped, near + near_dropped, first_event(connection, cluster_id))


def unusual(found: Sequence[Pause], history: Sequence[Presence]) -> list[Pause]:
    """This will return those pauses that were alarms when they lasted, judged by what was known before each."""
    return [
        one
        for one in found
        if one.end is not None
        and silence(
            [hour for hour in history if hour.hour <= one.start],
            one.end - timedelta(microseconds=1),
            timedelta(0),
        )
        is not None
    ]


def by_source(hours: Iterable[Hour]) -> dict[str, Tally]:
    """This will return the tallies of each source, the one with most events first."""
    found: dict[str, Tally] = {}
    for one in hours:
        found[one.source] = found.get(one.source, Tally()) + one.tally
    return dict(sorted(found.items(), key=lambda pair: -pair[1].kept))


def presences(hours: Iterable[Hour]) -> list[Presence]:
    """This will return in which hours and minutes live events came, over all sources."""
    found: dict[datetime, Presence] = {}
    for one in hours:
        if one.tally.minutes:
            before = found.get(one.hour, Presence(one.hour, 0, 0))
            found[one.hour] = Presence(
                one.hour, before.events + one.tally.live, before.minutes | one.tally.minutes
            )
    return [found[hour] for hour in sorted(found)]


def silence_of(connection: Connection, cluster_id: int, now: datetime, least: timedelta) -> Silence | None:
    """This will return how a cluster is silent now, None when it is not or when that is usual for it."""
    hours = hours_of(connection, cluster_id, now - HISTORY, now + _HOUR)
    return silence(presences(hours), now, least)


def pauses(history: Sequence[Presence], since: datetime, least: timedelta) -> list[Pause]:
    """This will return the pauses of at least `least` between live events that ended after `since`, oldest first."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    minute = timedelta(minutes=1)
    found = []
    before: datetime | None = None
    for one in history:
        for number in range(60):
            if not one.minutes >> number & 1:
                continue
            moment = epoch + ((one.hour - epoch) // minute + number) * minute
            if before is not None and moment - before > least and moment > since:
                found.append(Pause(before + minute, moment))
            before = moment
    return found


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
