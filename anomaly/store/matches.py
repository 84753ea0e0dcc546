"""Matches that correlations read, kept with each batch, and the findings they make: exact over writers, order and lateness.

Two writers may add to one group at once, and neither sees what the other has not committed. So whoever adds takes the lock
of the group first, reads what is there with what it added, and holds the lock until its transaction ends: the last of them
sees all. Locks are hashed into few, so that a batch with many groups does not fill the server's lock table.

What a flood of one group leaves is thinned while it is read (`episodes.spare` says what stays exact and what is capped), so
that each batch reads a bounded number of rows however many came before. Every event of it still counts and is evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from anomaly.events.key import received_at
from anomaly.findings.episodes import (
    Told,
    group_key,
    only_grows,
    reason,
    spare,
    to_read,
    to_replace,
    told,
    value_key,
)
from anomaly.findings.exceptions import Exceptions
from anomaly.findings.finding import Severity
from anomaly.findings.gather import SCORES
from anomaly.findings.gather import Match as Fired
from anomaly.rules.compile import RuleSet
from anomaly.rules.correlation import Correlation, Match
from anomaly.store.arrays import array_of
from anomaly.store.batch import Batch
from anomaly.store.pauses import Candidate, held_back
from anomaly.store.terms import without_nul

Cursor = psycopg.Cursor[tuple[object, ...]]
_LOCK: Final = 0x616E6F70
_LOCKS: Final = 256

Fires = Sequence[tuple[Batch, Sequence[Fired]]]
Watched = Mapping[str, tuple[Correlation, ...]]


@dataclass(frozen=True, slots=True)
class _Group:
    """One group that got new matches: their times, and what is to be read to judge it again."""

    cluster_id: int
    correlation: Correlation
    values: tuple[str, ...]
    times: list[int] = field(default_factory=list)
    fresh: dict[Match, int] = field(default_factory=dict)
    """The entity of each new match"""


def watched(rules: RuleSet) -> Watched:
    """This will return, for each rule that feeds correlations, which."""
    found: dict[str, tuple[Correlation, ...]] = {}
    for correlation in rules.correlations:
        for rule in correlation.rules:
            found[rule] = (*found.get(rule, ()), correlation)
    return found


def keep_correlated(
    cursor: Cursor, watching: Watched, fires: Fires, exceptions: Exceptions, clusters: Mapping[int, str]
) -> None:
    """This will keep the matches that feed correlations and renew the findings they change, in the caller's transaction.

    A match that an exception covers, for its rule or for the correlation, is not kept. Costs nothing when no rule that feeds
    a correlation fired.
    """
    groups = _captured(watching, fires, exceptions, clusters)
    if not groups:
        return
    locks = sorted({key.int % _LOCKS for key in groups})
    cursor.execute(
        "SELECT pg_advisory_xact_lock(%s, place) FROM (SELECT place FROM unnest(%s::int[]) AS place ORDER BY place) AS ordered",
        [_LOCK, locks],
    )
    stored = _read(cursor, groups)
    _thin(cursor, groups, stored)
    _renew(cursor, groups, stored)


def _thin(cursor: Cursor, groups: Mapping[UUID, _Group], stored: Mapping[UUID, Mapping[Match, int]]) -> None:
    """Keep the new matches, but of a flood only what may still matter."""
    added: list[tuple[object, ...]] = []
    dropped: list[tuple[object, ...]] = []
    for key, group in groups.items():
        there = stored[key]
        spared = set(spare(group.correlation, [*there, *group.fresh], group.times))
        added += [
            (one.time, key.hex, one.key, one.value[0], entity_id, group.cluster_id, one.rule)
            for one, entity_id in group.fresh.items()
            if one not in spared
        ]
        dropped += [(one.time, key.hex, one.key, one.rule) for one in spared if one in there]
    if added:
        cursor.execute(_INSERT, _arrays(added))
    if dropped:
        times = [one[0] for one in dropped]
        cursor.execute(_DELETE, [*_arrays(dropped), min(times), max(times)])  # type: ignore[type-var]


_INSERT: Final = (
    "INSERT INTO anomaly.rule_match (received_at, group_key, event_key, value_key, entity_id, cluster_id, rule)"
    " SELECT to_timestamp(0) + us * interval '1 microsecond', g, e, v, n, c, r"
    " FROM unnest(%s::bigint[], %s::uuid[], %s::uuid[], %s::uuid[], %s::int[], %s::smallint[], %s::text[])"
    " AS new (us, g, e, v, n, c, r) ON CONFLICT DO NOTHING"
)
_DELETE: Final = """
DELETE FROM anomaly.rule_match m USING unnest(%s::bigint[], %s::uuid[], %s::uuid[], %s::text[]) AS gone (us, g, e, r)
WHERE m.group_key = gone.g AND m.received_at = to_timestamp(0) + gone.us * interval '1 microsecond'
  AND m.event_key = gone.e AND m.rule = gone.r
  AND m.received_at >= to_timestamp(0) + %s * interval '1 microsecond' AND m.received_at <= to_timestamp(0) + %s * interval '1 microsecond'
"""


def _arrays(rows: Sequence[tuple[object, ...]]) -> list[object]:
    """Columns of numbers and keys; the last one is of rules."""
    *numbers, rules = zip(*rows, strict=True)
    return [*map(array_of, numbers), list(rules)]


def _captured(
    watching: Watched, fires: Fires, exceptions: Exceptions, clusters: Mapping[int, str]
) -> dict[UUID, _Group]:
    """The groups that got new matches, with them."""
    groups: dict[UUID, _Group] = {}
    for batch, fired in fires:
        for one in fired:
            for correlation in watching.get(one.rule.id, ()):
                event, known = batch.events[one.index], batch.known[batch.shape[one.index]]
                if exceptions.listed and excepted(
                    exceptions, clusters, batch, one, (one.rule.id, correlation.id)
                ):
                    continue
                key_of_event = batch.keys[one.index].hex()
                match = correlation.capture(
                    one.rule, event, known.shape, key=key_of_event, time=one.received_us
                )
                if match is None:
                    continue
                key = group_key(batch.cluster_id, correlation, match.group)
                group = groups.get(key)
                if group is None:
                    group = groups[key] = _Group(batch.cluster_id, correlation, match.group)
                group.times.append(match.time)
                kept = Match(match.time, match.key, match.rule, (), (value_key(match.value).hex,))
                group.fresh[kept] = known.entity_id
    return groups


def excepted(
    exceptions: Exceptions, clusters: Mapping[int, str], batch: Batch, fired: Fired, names: Iterable[str]
) -> int:
    """This will return the id of the exception that covers a match for one of these rules or correlations, 0 for none."""
    event, shape = batch.events[fired.index], batch.known[batch.shape[fired.index]].shape
    moment = received_at(event)
    assert moment is not None
    name = event.objectRef.name if event.objectRef is not None else ""
    for rule in names:
        found = exceptions.covering(
            rule, clusters[batch.cluster_id], shape.identity.username, shape.namespace, name, moment
        )
        if found is not None:
            return found.id
    return 0


def _read(cursor: Cursor, groups: Mapping[UUID, _Group]) -> dict[UUID, dict[Match, int]]:
    """What is there already near the new matches, with the entity of each."""
    keys = sorted(groups)
    bounds = [to_read(groups[key].correlation, groups[key].times) for key in keys]
    low, high = min(first for first, _ in bounds), max(last for _, last in bounds)
    # The outer bounds are said again for themselves: they let PostgreSQL leave out the partitions of other days.
    cursor.execute(
        """
SELECT translate(m.group_key::text, '-', ''), (extract(epoch FROM m.received_at) * 1000000)::bigint,
  translate(m.event_key::text, '-', ''), translate(m.value_key::text, '-', ''), m.entity_id, m.rule
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS asked (g, low, high)
JOIN anomaly.rule_match m ON m.group_key = asked.g
  AND m.received_at >= to_timestamp(0) + asked.low * interval '1 microsecond' AND m.received_at <= to_timestamp(0) + asked.high * interval '1 microsecond'
WHERE m.received_at >= to_timestamp(0) + %s * interval '1 microsecond' AND m.received_at <= to_timestamp(0) + %s * interval '1 microsecond'
""",
        [
            array_of(key.hex for key in keys),
            array_of(first for first, _ in bounds),
            array_of(last for _, last in bounds),
            *(low, high),
        ],
    )
    found: dict[UUID, dict[Match, int]] = {key: {} for key in keys}
    by_text = {key.hex: found[key] for key in keys}
    # As texts: a flood leaves thousands of rows, and making a UUID of each key took longer than all the rest.
    rows = cast("Iterable[tuple[str, int, str, str, int, str]]", cursor)
    for key, us, event_key, value, entity_id, rule in rows:
        by_text[key][Match(us, event_key, rule, (), (value,))] = entity_id
    return found


@dataclass(frozen=True, slots=True)
class _Change:
    """What a group says now of one bucket, ready to be written."""

    group: _Group
    told: Told
    entity_id: int
    events: dict[str, int]


def _renew(cursor: Cursor, groups: Mapping[UUID, _Group], stored: Mapping[UUID, Mapping[Match, int]]) -> None:
    changes: list[_Change] = []
    undone: list[UUID] = []
    for key, group in groups.items():
        entities = {**stored[key], **group.fresh}
        found = told(group.cluster_id, group.correlation, group.values, entities, group.times)
        known = _written(group, stored[key]) if found else {}
        undone += to_replace(group.cluster_id, group.correlation, group.values, group.times)
        for one in found:
            start = [match for match in one.members if match.time == one.start_us]
            there = known.get(one.id, frozenset())
            events = {match.key: match.time for match in one.members if match.key not in there}
            if events:
                changes.append(_Change(group, one, min(entities[match] for match in start), events))
    if undone:
        staying = {change.told.id for change in changes}
        cursor.execute("DELETE FROM anomaly.evidence WHERE finding_id = ANY(%s)", [sorted(undone)])
        cursor.execute("DELETE FROM anomaly.finding WHERE id = ANY(%s)", [sorted(set(undone) - staying)])
    held: set[UUID] = set()
    for cluster_id in sorted({change.group.cluster_id for change in changes}):
        held |= held_back(
            cursor, cluster_id, [_candidate(one) for one in changes if one.group.cluster_id == cluster_id]
        )
    _write(cursor, sorted((one for one in changes if one.told.id not in held), key=lambda one: one.told.id))


def _written(group: _Group, stored: Mapping[Match, int]) -> dict[UUID, frozenset[str]]:
    """The events that whoever added before has written as evidence: in a flood that is nearly all there is to write."""
    if not stored or not only_grows(group.correlation):
        return {}
    found = told(group.cluster_id, group.correlation, group.values, stored)
    return {one.id: frozenset(match.key for match in one.members) for one in found}


def _candidate(change: _Change) -> Candidate:
    times = set(change.group.times)
    return Candidate(
        change.told.id,
        change.group.correlation.id,
        change.told.start_us,
        change.told.end_us,
        change.entity_id,
        without_nul(reason(change.group.correlation, change.group.values)),
        [(us, bytes.fromhex(key)) for key, us in change.events.items() if us in times],
    )


def _write(cursor: Cursor, changes: Sequence[_Change]) -> None:
    """Evidence first: how much of it is new is what the count grows by."""
    if not changes:
        return
    rows = [(us, one.told.id.hex, key) for one in changes for key, us in sorted(one.events.items())]
    cursor.execute(
        """
WITH added AS (
  INSERT INTO anomaly.evidence (received_at, finding_id, event_key)
  SELECT to_timestamp(0) + us * interval '1 microsecond', f, e FROM unnest(%s::bigint[], %s::uuid[], %s::uuid[]) AS new (us, f, e)
  ON CONFLICT DO NOTHING RETURNING finding_id)
SELECT finding_id, count(*) FROM added GROUP BY finding_id
""",
        [array_of(column) for column in zip(*rows, strict=True)],
    )
    added = {number: int(str(count)) for number, count in cursor.fetchall()}
    cursor.executemany(_UPSERT, [_values(one, added.get(one.told.id, 0)) for one in changes])


# A correlation whose hits can be undone was read whole, and its evidence written anew: what it says replaces what was said.
_UPSERT: Final = """
INSERT INTO anomaly.finding AS f
  (id, cluster_id, entity_id, kind, name, title, severity, attack, start_at, end_at, score, reason, count, details)
VALUES (%(id)s, %(cluster)s, %(entity)s, 'rule', %(name)s, %(title)s, %(severity)s, %(attack)s,
  to_timestamp(0) + %(start)s * interval '1 microsecond', to_timestamp(0) + %(end)s * interval '1 microsecond',
  %(score)s, %(reason)s, %(count)s, %(details)s)
ON CONFLICT (id) DO UPDATE SET
  entity_id = CASE WHEN NOT %(grows)s OR (excluded.start_at, excluded.entity_id) < (f.start_at, f.entity_id)
    THEN excluded.entity_id ELSE f.entity_id END,
  start_at = CASE WHEN %(grows)s THEN least(f.start_at, excluded.start_at) ELSE excluded.start_at END,
  end_at = CASE WHEN %(grows)s THEN greatest(f.end_at, excluded.end_at) ELSE excluded.end_at END,
  count = CASE WHEN %(grows)s THEN f.count ELSE 0 END + excluded.count,
  updated_at = now()
"""


def _values(change: _Change, added: int) -> dict[str, object]:
    correlation, one = change.group.correlation, change.told
    severity = Severity(correlation.severity)
    group = dict(zip(correlation.group_by, map(without_nul, change.group.values), strict=True))
    return {
        "id": one.id,
        "cluster": change.group.cluster_id,
        "entity": change.entity_id,
        "name": correlation.id,
        "title": correlation.title,
        "severity": severity.rank,
        "attack": list(correlation.attack),
        "start": one.start_us,
        "end": one.end_us,
        "score": SCORES[severity],
        "reason": without_nul(reason(correlation, change.group.values)),
        "count": added,
        "details": Jsonb({"group": group}),
        "grows": only_grows(correlation),
    }
