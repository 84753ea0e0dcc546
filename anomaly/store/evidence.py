"""Rule matches as findings with their evidence, written with the events they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql
from psycopg.types.json import Jsonb

from anomaly.findings.exceptions import Exceptions
from anomaly.findings.finding import FindingKind
from anomaly.findings.gather import SCORES, Draft, Match, gather
from anomaly.rules.rule import Rule
from anomaly.store.batch import Batch
from anomaly.store.binary_copy import RowFormat, timestamps, uuids
from anomaly.store.matches import excepted
from anomaly.store.pauses import Candidate, held_back, keep_held
from anomaly.store.terms import without_nul

EVIDENCE: Final = RowFormat(
    sql.Identifier("anomaly", "evidence"),
    {"received_at": "timestamptz", "finding_id": "uuid", "event_key": "uuid"},
)
_UPSERT: Final = """
INSERT INTO anomaly.finding AS f
  (id, cluster_id, entity_id, kind, name, title, severity, attack, start_at, end_at, score, reason, count, details)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, to_timestamp(0) + %s * interval '1 microsecond',
        to_timestamp(0) + %s * interval '1 microsecond', %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET
  entity_id = CASE WHEN {earlier} THEN excluded.entity_id ELSE f.entity_id END,
  reason = CASE WHEN {earlier} THEN excluded.reason ELSE f.reason END,
  start_at = least(f.start_at, excluded.start_at),
  end_at = greatest(f.end_at, excluded.end_at),
  count = f.count + excluded.count,
  updated_at = now()
""".format(
    # Of events in one microsecond the least reason speaks, so that the order of arrival cannot change what a finding says.
    earlier='(excluded.start_at, excluded.reason COLLATE "C", excluded.entity_id)'
    ' < (f.start_at, f.reason COLLATE "C", f.entity_id)'
)

_TWINS: Final = """
WITH twin AS MATERIALIZED (
  SELECT s.finding_id, s.us, e.received_at, e.event_key
  FROM (SELECT DISTINCT n, us FROM unnest(%s::uuid[], %s::bigint[]) AS one (n, us)) AS s (finding_id, us)
  JOIN anomaly.evidence e
    ON e.finding_id = s.finding_id AND e.received_at = to_timestamp(0) + s.us * interval '1 microsecond'
  WHERE e.event_key <> ALL (%s::uuid[])
    AND e.received_at BETWEEN to_timestamp(0) + %s * interval '1 microsecond' AND to_timestamp(0) + %s * interval '1 microsecond')
SELECT DISTINCT twin.finding_id, twin.us, v.audit_crc, v.entity_id, v.verb_id, v.resource_id, v.namespace_id, v.name_id
FROM twin JOIN anomaly.event v
  ON v.cluster_id = %s AND v.received_at = twin.received_at AND v.event_key = twin.event_key
WHERE v.received_at BETWEEN to_timestamp(0) + %s * interval '1 microsecond' AND to_timestamp(0) + %s * interval '1 microsecond'
"""
"""Evidence of the same moment in the same findings that this batch did not bring: perhaps another event of its requests.

There is nearly never any, so it is looked for before the events themselves, which one moment can have hundreds of."""


def matches_of(batch: Batch, kept: NDArray[np.bool_]) -> Iterator[Match]:
    """This will yield every match of the rules on the kept events, silent rules included. Most shapes have no rule left to ask."""
    asked = np.array([bool(known.plan.certain or known.plan.check) for known in batch.known], dtype=np.bool_)
    for index in np.flatnonzero(asked[batch.shape] & kept).tolist():
        known = batch.known[batch.shape[index]]
        event, shape = batch.events[index], known.shape
        fired = known.plan.certain
        if known.plan.check is not None:
            fired += known.plan.check(event, shape)
        for rule in fired:
            group = () if rule.silent else rule.group_key(event, shape)
            request = _request(batch, index) if rule.sees_stages else None
            yield Match(rule, group, index, int(batch.received_us[index]), request)


def keep_matches(
    cursor: psycopg.Cursor[tuple[object, ...]],
    batch: Batch,
    matches: Sequence[Match],
    exceptions: Exceptions,
    clusters: Mapping[int, str],
) -> int:
    """This will write the findings that rules make of these matches, in the caller's transaction; returns how many matched.

    A request counts once for a rule, whichever of its events came first. Matches of silent rules make none; what an exception covers or a pause holds back is counted apart. Findings are taken in
    the order of their ids, so that two writers cannot lock each other out.
    """
    loud = [match for match in matches if not match.rule.silent]
    if not loud:
        return 0
    left = _without_excepted(cursor, batch, loud, exceptions, clusters) if exceptions.listed else loud
    drafts = gather(batch.cluster_id, left)
    held = held_back(cursor, batch.cluster_id, [_candidate(batch, draft) for draft in drafts])
    told_before = _write(cursor, batch, [draft for draft in drafts if draft.id not in held])
    requests = {(match.rule.id, match.request) for match in loud if match.request is not None}
    return sum(match.request is None for match in loud) + len(requests) - told_before


def _without_excepted(
    cursor: psycopg.Cursor[tuple[object, ...]],
    batch: Batch,
    matches: Sequence[Match],
    exceptions: Exceptions,
    clusters: Mapping[int, str],
) -> list[Match]:
    """The matches that no exception covers; the others are counted for the exception that speaks."""
    left: list[Match] = []
    silenced: dict[int, list[Match]] = {}
    for match in matches:
        number = excepted(exceptions, clusters, batch, match, (match.rule.id,))
        (silenced.setdefault(number, []) if number else left).append(match)
    drafts = [
        (number, _candidate(batch, draft))
        for number, listed in silenced.items()
        for draft in gather(batch.cluster_id, listed)
    ]
    keep_held(cursor, batch.cluster_id, "exception", drafts)
    return left


def _candidate(batch: Batch, draft: Draft) -> Candidate:
    reason, entity_id = min(_said(batch, draft.rule, index) for index in draft.earliest)
    events = [(int(batch.received_us[index]), batch.keys[index]) for index in draft.indexes]
    return Candidate(draft.id, draft.rule.id, draft.start_us, draft.end_us, entity_id, reason, events)


def _write(cursor: psycopg.Cursor[tuple[object, ...]], batch: Batch, drafts: Sequence[Draft]) -> int:
    """Write findings and evidence; returns how many of the requests other events had already told."""
    if not drafts:
        return 0
    lengths = [len(draft.indexes) for draft in drafts]
    index = np.concatenate([draft.indexes for draft in drafts])
    rows = EVIDENCE.rows(len(index))
    rows["received_at"] = timestamps(batch.received_us)[index]
    rows["finding_id"] = np.repeat(uuids([draft.id.bytes for draft in drafts]), lengths)
    rows["event_key"] = uuids(batch.keys)[index]
    EVIDENCE.copy(cursor, rows)
    cursor.executemany(_UPSERT, [_values(batch, draft) for draft in drafts])
    return _count_once(cursor, batch, [draft for draft in drafts if draft.requests])


def _count_once(cursor: psycopg.Cursor[tuple[object, ...]], batch: Batch, drafts: Sequence[Draft]) -> int:
    """Take back what counted twice: requests whose other event is evidence already; returns how many.

    The upsert before holds the rows of the findings, so of two writers with one request the second sees the first's evidence.
    """
    if not drafts:
        return 0
    asked = [(draft.id, index) for draft in drafts for index in draft.indexes]
    times = [int(batch.received_us[index]) for _, index in asked]
    own = [UUID(bytes=batch.keys[index]) for _, index in asked]
    numbers, between = [number for number, _ in asked], [min(times), max(times)]
    cursor.execute(_TWINS, [numbers, times, own, *between, batch.cluster_id, *between])
    before = {tuple(row) for row in cursor.fetchall()}
    if not before:
        return 0
    crcs = batch.crcs()
    repeats: dict[UUID, set[object]] = {}
    for number, index in asked:
        known = batch.known[batch.shape[index]]
        row = (
            number,
            int(batch.received_us[index]),
            int(crcs[index]),
            *known.columns[:4],
            int(batch.name_ids[index]),
        )
        if row in before:
            repeats.setdefault(number, set()).add(_request(batch, index))
    cursor.executemany(
        "UPDATE anomaly.finding SET count = count - %s WHERE id = %s",
        [(len(requests), number) for number, requests in sorted(repeats.items())],
    )
    return sum(map(len, repeats.values()))


def _request(batch: Batch, index: int) -> tuple[str, str, str, int]:
    """Which request an event belongs to: the audit id alone can be chosen by a client."""
    event, user = batch.events[index], batch.known[batch.shape[index]].shape.user
    return event.auditID, user.username, event.requestURI, int(batch.received_us[index])


def _values(batch: Batch, draft: Draft) -> tuple[object, ...]:
    rule = draft.rule
    reason, entity_id = min(_said(batch, rule, index) for index in draft.earliest)
    group = {field.name: without_nul(value) for field, value in zip(rule.group_by, draft.group, strict=True)}
    return (
        draft.id,
        batch.cluster_id,
        entity_id,
        FindingKind.RULE.value,
        rule.id,
        rule.title,
        draft.severity.rank,
        list(rule.attack),
        draft.start_us,
        draft.end_us,
        SCORES[draft.severity],
        reason,
        draft.count,
        Jsonb({"group": group}),
    )


def _said(batch: Batch, rule: Rule, index: int) -> tuple[str, int]:
    """What the rule says about one event, and whose event it is."""
    known = batch.known[batch.shape[index]]
    return without_nul(rule.why(batch.events[index], known.shape)), known.entity_id
