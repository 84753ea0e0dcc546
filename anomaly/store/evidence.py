"""Rule matches as findings with their evidence, written with the events they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

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
            yield Match(rule, group, index, int(batch.received_us[index]))


def keep_matches(
    cursor: psycopg.Cursor[tuple[object, ...]],
    batch: Batch,
    matches: Sequence[Match],
    exceptions: Exceptions,
    clusters: Mapping[int, str],
) -> int:
    """This will write the findings that rules make of these matches, in the caller's transaction; returns how many matched.

    Matches of silent rules make none; what an exception covers or a pause holds back is counted apart. Findings are taken in
    the order of their ids, so that two writers cannot lock each other out.
    """
    loud = [match for match in matches if not match.rule.silent]
    if not loud:
        return 0
    left = _without_excepted(cursor, batch, loud, exceptions, clusters) if exceptions.listed else loud
    drafts = gather(batch.cluster_id, left)
    held = held_back(cursor, batch.cluster_id, [_candidate(batch, draft) for draft in drafts])
    _write(cursor, batch, [draft for draft in drafts if draft.id not in held])
    return len(loud)


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


def _write(cursor: psycopg.Cursor[tuple[object, ...]], batch: Batch, drafts: Sequence[Draft]) -> None:
    if not drafts:
        return
    lengths = [len(draft.indexes) for draft in drafts]
    index = np.concatenate([draft.indexes for draft in drafts])
    rows = EVIDENCE.rows(len(index))
    rows["received_at"] = timestamps(batch.received_us)[index]
    rows["finding_id"] = np.repeat(uuids([draft.id.bytes for draft in drafts]), lengths)
    rows["event_key"] = uuids(batch.keys)[index]
    EVIDENCE.copy(cursor, rows)
    cursor.executemany(_UPSERT, [_values(batch, draft) for draft in drafts])


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
        len(draft.indexes),
        Jsonb({"group": group}),
    )


def _said(batch: Batch, rule: Rule, index: int) -> tuple[str, int]:
    """What the rule says about one event, and whose event it is."""
    known = batch.known[batch.shape[index]]
    return without_nul(rule.why(batch.events[index], known.shape)), known.entity_id
