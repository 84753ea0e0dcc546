"""Rule matches as findings with their evidence, written with the events they are about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql
from psycopg.types.json import Jsonb

from anomaly.findings.finding import FindingKind
from anomaly.findings.gather import SCORES, Draft, Match, gather
from anomaly.rules.rule import Rule
from anomaly.store.batch import Batch
from anomaly.store.binary_copy import RowFormat, timestamps, uuids
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
    """This will yield every match of the rules on the kept events. Most shapes have no rule left to ask."""
    asked = np.array([bool(known.plan.certain or known.plan.check) for known in batch.known], dtype=np.bool_)
    for index in np.flatnonzero(asked[batch.shape] & kept).tolist():
        known = batch.known[batch.shape[index]]
        event, shape = batch.events[index], known.shape
        fired = known.plan.certain
        if known.plan.check is not None:
            fired += known.plan.check(event, shape)
        for rule in fired:
            if not rule.silent:
                received = int(batch.received_us[index])
                yield Match(rule, rule.group_key(event, shape), index, received)


def keep_matches(cursor: psycopg.Cursor[tuple[object, ...]], batch: Batch, kept: NDArray[np.bool_]) -> int:
    """This will write the findings that rules make of the kept events, in the caller's transaction; returns how many matched.

    Findings are taken in the order of their ids, so that two writers cannot lock each other out.
    """
    drafts = gather(batch.cluster_id, matches_of(batch, kept))
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
    return len(index)


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
