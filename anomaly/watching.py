"""The watch over the intake: what is not as it should be becomes an alarm, a finding of its own, until it is over.

One finding an episode: it opens when a condition holds, follows while it lasts, and says when it was over; people close it. What
was always so raises nothing: silence and policy are held against what was usual, and a cluster that never sent has no usual.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import psycopg

from anomaly.completeness import HISTORY, loss_of, presences
from anomaly.findings.finding import Severity
from anomaly.intake.shift import shifts
from anomaly.intake.silence import silence
from anomaly.intake.tally import Tally, total
from anomaly.settings import CompletenessSettings
from anomaly.store.alarms import Alarm, Episode, end_alarm, forget_alarms, open_alarms, raise_alarm
from anomaly.store.arriving import LEARNED, arriving_before, arriving_now, forget_arrivals, learn_hours
from anomaly.store.audit_metrics import forget_samples
from anomaly.store.canaries import canaries_of, forget_canaries
from anomaly.store.clusters import Cluster, list_clusters
from anomaly.store.database import Database
from anomaly.store.intake import forget_account, forget_bodies, hours_of, join_lanes

Connection = psycopg.Connection[tuple[object, ...]]

_HOUR: Final = timedelta(hours=1)
_RECENT: Final = timedelta(minutes=10)
_ACCOUNT_KEPT: Final = timedelta(days=400)
_OLD: Final = timedelta(hours=1)
"""Counts that were given longer ago say nothing about now."""
_CANARY_LATE: Final = timedelta(minutes=6)
"""After which an API server has given up to deliver a batch."""
_CALM: Final = timedelta(minutes=5)
"""How long a condition must be over before its episode ends, so that one that comes and goes is one episode."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What a watch came to."""

    opened: int
    holding: int
    ended: int
    learned: int


def watch(database: Database, settings: CompletenessSettings, now: datetime) -> Watched:
    """This will look at every cluster once, open, follow and end alarms, and learn what arrives."""
    with database.read() as session:
        clusters = list_clusters(session, now)
    opened = holding = ended = learned = 0
    with database.dedicated() as connection:
        for one in clusters:
            learned += learn_hours(connection, one.id, now)
            found = list(conditions(connection, one, settings, now))
            connection.commit()
            opened += sum(raise_alarm(connection, alarm, now) for alarm in found)
            held = {(alarm.name, alarm.subject) for alarm in found}
            holding += len(held)
            for episode in open_alarms(connection, one.id):
                if (episode.name, episode.subject) not in held and now - episode.seen >= _CALM:
                    end_alarm(connection, episode, f"{_OVER[episode.name]} (over)", _is_over(episode), now)
                    ended += 1
            connection.commit()
        join_lanes(connection, now.replace(minute=0, second=0, microsecond=0) - _HOUR)
        forget_bodies(connection, now)
        forget_arrivals(connection, now - LEARNED)
        forget_alarms(connection, now - _ACCOUNT_KEPT)
        forget_samples(connection, now - _ACCOUNT_KEPT)
        forget_canaries(connection, now - _ACCOUNT_KEPT)
        forget_account(connection, now - _ACCOUNT_KEPT)
    return Watched(opened, holding, ended, learned)


def conditions(
    connection: Connection, one: Cluster, settings: CompletenessSettings, now: datetime
) -> Iterator[Alarm]:
    """This will yield the alarms that hold for a cluster now."""
    history = hours_of(connection, one.id, now - HISTORY, now + _HOUR)
    if not history:
        return
    quiet = silence(presences(history), now, settings.silence_after)
    if quiet is not None:
        yield Alarm(
            one.id,
            "silent",
            f"Cluster {one.name} fell silent",
            Severity.HIGH,
            f"Nothing has arrived since {quiet.since:%Y-%m-%d %H:%M} UTC; by its usual rate {quiet.expected:,.0f} events should"
            " have come. Whatever happens there now is not seen.",
            f"Pauses of at most {max(int(quiet.usual.total_seconds() // 60), 1)} minutes.",
            quiet.since,
            detail={"expected events": f"{quiet.expected:,.0f}"},
        )
    # The hour in hand and the one before it: at five past, an hour has only just begun.
    recent = total(hour.tally for hour in history if hour.hour > now - 2 * _HOUR)
    yield from _delivery(one, settings, recent, now)
    if quiet is None:
        yield from _policy(connection, one, now)
    yield from _loss(connection, one, settings, now)
    yield from _canaries(connection, one, now)


def _delivery(one: Cluster, settings: CompletenessSettings, recent: Tally, now: datetime) -> Iterator[Alarm]:
    began = now.replace(minute=0, second=0, microsecond=0) - _HOUR
    came = recent.kept + recent.duplicates + recent.quarantined
    if (
        recent.quarantined >= settings.quarantined_few
        and recent.quarantined > settings.quarantined_most * came
    ):
        yield Alarm(
            one.id,
            "quarantine",
            f"Much of what cluster {one.name} sends cannot be decoded",
            Severity.MEDIUM,
            f"{recent.quarantined:,} of {came:,} inputs of the last two hours are in quarantine: they are kept, but nobody judges"
            " them.",
            f"At most {settings.quarantined_most:.0%}.",
            began,
            count=recent.quarantined,
        )
    if recent.refused >= settings.refused_most:
        yield Alarm(
            one.id,
            "refused",
            f"Deliveries of cluster {one.name} are sent back",
            Severity.MEDIUM,
            f"{recent.refused:,} bodies of the last two hours were answered 503; an API server repeats them for about four"
            " minutes, then its events are lost.",
            f"Fewer than {settings.refused_most:,}.",
            began,
            count=recent.refused,
        )
    if recent.live >= 100 and recent.lag_p99 is not None and recent.lag_p99 > settings.lag_most:
        minutes = recent.lag_p99.total_seconds() / 60
        yield Alarm(
            one.id,
            "late",
            f"Events of cluster {one.name} come late",
            Severity.LOW,
            f"One event in a hundred of the last two hours took {minutes:,.0f} minutes or more to arrive.",
            f"At most {settings.lag_most.total_seconds() / 60:g} minutes.",
            began,
        )


def _policy(connection: Connection, one: Cluster, now: datetime) -> Iterator[Alarm]:
    newest = arriving_now(connection, one.id, now - _RECENT, now + _RECENT)
    if not newest:
        return
    # While the alarm holds, the past is that before it began: or the change itself would soon be what is usual.
    held = [each.began for each in open_alarms(connection, one.id) if each.name == "policy"]
    until = min(held, default=now).replace(minute=0, second=0, microsecond=0) - _HOUR
    gone = shifts(arriving_before(connection, one.id, until - timedelta(days=7), until), newest)
    if not gone:
        return
    listed = "; ".join(shift.sentence for shift in gone[:5])
    more = f"; and {len(gone) - 5} more" if len(gone) > 5 else ""
    yield Alarm(
        one.id,
        "policy",
        f"The audit policy of cluster {one.name} visibly changed",
        Severity.HIGH,
        f"{listed}{more}. Rules that need it see less now.",
        "As in every hour of the week before.",
        now - _RECENT,
        count=sum(shift.events for shift in gone),
    )


def _loss(
    connection: Connection, one: Cluster, settings: CompletenessSettings, now: datetime
) -> Iterator[Alarm]:
    found = loss_of(connection, one.id, now)
    if (
        found is None
        or found.high is None
        or found.high >= settings.complete_least
        or now - found.until > _OLD
    ):
        return
    named = ", ".join(f"{name} {count:,.0f}" for name, count in found.errors.items() if count)
    yield Alarm(
        one.id,
        "incomplete",
        f"Events of cluster {one.name} are lost",
        Severity.HIGH,
        f"Between {found.since:%Y-%m-%d %H:%M} and {found.until:%Y-%m-%d %H:%M} UTC its API servers counted"
        f" {found.generated:,.0f} events and {found.received:,} are here, {found.high:.1%} at the most"
        + (f"; they say they could not deliver: {named}." if named else "."),
        f"At least {settings.complete_least:.1%}.",
        found.since,
        count=max(0, round(found.generated - found.received)),
    )


def _canaries(connection: Connection, one: Cluster, now: datetime) -> Iterator[Alarm]:
    sent = [
        each for each in canaries_of(connection, one.id, now - timedelta(days=7)) if each.sent is not None
    ]
    missing = []
    for each in sent:
        if each.noticed is not None:
            break
        if each.sent is not None and now - each.sent > _CANARY_LATE:
            missing.append(each)
    # Where none ever arrived, the policy writes nothing about them, and their absence says nothing.
    if len(missing) < 2 or not any(each.noticed for each in sent):
        return
    first = missing[-1].sent or now
    yield Alarm(
        one.id,
        "canary",
        f"Canaries of cluster {one.name} do not arrive any more",
        Severity.HIGH,
        f"The last {len(missing)} requests made on purpose since {first:%Y-%m-%d %H:%M} UTC were answered by the API server, and"
        " their events are not here.",
        "Their events come within a minute.",
        first,
        count=len(missing),
    )


_OVER: Final = {
    "silent": "The cluster was silent",
    "quarantine": "Much could not be decoded",
    "refused": "Deliveries were sent back",
    "late": "Events came late",
    "policy": "The audit policy visibly changed",
    "incomplete": "Events were lost",
    "canary": "Canaries did not arrive",
}


def _is_over(episode: Episode) -> str:
    minutes = max(1, round((episode.seen - episode.began).total_seconds() / 60))
    return f"It was so for {minutes:,} minutes, until {episode.seen:%Y-%m-%d %H:%M} UTC. {episode.says}"
