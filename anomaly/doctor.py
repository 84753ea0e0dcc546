"""The doctor: for each cluster what arrives, what cannot fire because of it, and the next step; and what ails the installation.

Everything it says follows from what is stored and set; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import psycopg

from anomaly.completeness import by_source
from anomaly.errors import AnomalyError
from anomaly.installation import installation, unreachable
from anomaly.intake.arriving import Arriving, shares
from anomaly.intake.diagnosis import Arrives, Blind, Check, Diagnosis, Grade, Patient
from anomaly.intake.tally import total
from anomaly.patient import Known, checks_of
from anomaly.policy.arriving import views
from anomaly.policy.coverage import Sight
from anomaly.policy.families import families
from anomaly.policy.need import Need, of_rules
from anomaly.rules import RuleSet
from anomaly.rules.needs import needs
from anomaly.settings import Settings
from anomaly.store.arriving import arriving_before, arriving_now
from anomaly.store.clusters import Cluster, list_clusters
from anomaly.store.database import Database
from anomaly.store.intake import hours_of
from anomaly.store.models import champion_id
from anomaly.store.tokens import list_tokens

Connection = psycopg.Connection[tuple[object, ...]]

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_HISTORY: Final = timedelta(days=28)
_LOOKED_BACK: Final = timedelta(days=7)
"""How far back sorts of events are looked for: a rule for what happens once a week is not blind."""


def wanted_by(rules: RuleSet) -> list[Need]:
    """This will return what rules and feature families need to arrive; it takes seconds, so keep it."""
    return [*of_rules(needs(rules)), *families()]


def examine(
    database: Database,
    settings: Settings,
    wanted: Sequence[Need],
    now: datetime,
    only: frozenset[str] | None = None,
) -> Diagnosis:
    """This will look at the installation and at the clusters, all or `only` those of these names; `wanted` as of `wanted_by`."""
    checks = installation(database, settings, now)
    with database.read() as session:
        clusters = [one for one in list_clusters(session, now) if only is None or one.name in only]
    patients = tuple(_patient(database, settings, wanted, one, now) for one in clusters)
    if not clusters and only is None:
        none = Check(
            "clusters",
            Grade.NOTE,
            "No cluster is added yet.",
            "Run `anomaly cluster add NAME`, or `anomaly demo` to look around.",
        )
        checks = (*checks, none)
    return Diagnosis(now, checks, patients)


def without_database(settings: Settings, failure: AnomalyError, now: datetime) -> Diagnosis:
    """This will say what can be said when the database cannot be used."""
    return Diagnosis(now, unreachable(settings, failure, now))


def _patient(
    database: Database, settings: Settings, wanted: Sequence[Need], one: Cluster, now: datetime
) -> Patient:
    with database.read() as session:
        tokens = list_tokens(session, one.id)
        model = champion_id(session, one.id)
    with database.connection() as connection:
        history = hours_of(connection, one.id, now - _HISTORY, now + _HOUR)
        recent = [hour for hour in history if hour.hour > now - _DAY]
        known = Known(
            one, tokens, history, total(hour.tally for hour in recent), _sorts(connection, one, now), now
        )
        blind, unseen, whole = _sight(wanted, known.arriving)
        checks = checks_of(connection, known, settings, blind, model)
    last_hour = [hour.tally for hour in history if hour.hour > now - 2 * _HOUR]
    minutes = (now - (now - _HOUR).replace(minute=0, second=0, microsecond=0)) / timedelta(minutes=1)
    arrives = Arrives(
        one.last_event_at,
        known.last_arrival,
        known.day,
        sum(tally.live for tally in last_hour) / minutes,
        {source: tally.kept for source, tally in by_source(recent).items()},
        shares(known.arriving, "level"),
        shares(known.arriving, "stage"),
    )
    return Patient(one.name, checks, arrives, tuple(blind), unseen, whole)


def _sorts(connection: Connection, one: Cluster, now: datetime) -> list[Arriving]:
    """The newest events, with those learned of the week before the newest one: read in from a file, that may be long ago."""
    if one.last_event_at is None:
        return []
    until = one.last_event_at + timedelta(microseconds=1)
    since = until - _LOOKED_BACK
    learned = [found for _, found in arriving_before(connection, one.id, since - _HOUR, until)]
    return [*arriving_now(connection, one.id, since, until), *learned]


def _sight(wanted: Sequence[Need], arriving: Sequence[Arriving]) -> tuple[list[Blind], int, int]:
    if not arriving:
        return [], len({need.owner for need in wanted}), 0
    seen = views(wanted, arriving)
    blind = [
        Blind(one.owner, one.sight.value, one.why)
        for one in seen
        if one.sight is not None and one.sight is not Sight.ALL
    ]
    order = {sight.value: place for place, sight in enumerate((Sight.ALWAYS, Sight.BLIND, Sight.PART))}
    return (
        sorted(blind, key=lambda one: (order[one.sees], one.owner)),
        sum(one.sight is None for one in seen),
        sum(one.sight is Sight.ALL for one in seen),
    )
