"""The windows that verdicts are about, and the ranking that follows from verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from anomaly.events.key import microseconds
from anomaly.findings.finding import FindingKind
from anomaly.findings.triage import Verdict

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Told:
    """One window of a finding: `verdict` is None while the finding is open. `closed_at` orders verdicts."""

    finding_id: UUID
    kind: FindingKind
    verdict: Verdict | None
    attack: tuple[str, ...]
    closed_at: datetime | None
    entity_id: int
    start_us: int


_WINDOWS = """
WITH wanted AS (
    SELECT f.id, f.kind, f.attack, f.entity_id, f.start_at, f.cluster_id, t.verdict, t.closed_at
    FROM anomaly.finding f {join} anomaly.triage t ON t.finding_id = f.id
    WHERE f.cluster_id = %(cluster)s AND {where}
)
SELECT DISTINCT w.id, w.kind, w.verdict, w.attack, w.closed_at, coalesce(v.entity_id, w.entity_id),
    date_bin(%(span)s, coalesce(e.received_at, w.start_at), 'epoch')
FROM wanted w
LEFT JOIN anomaly.evidence e ON e.finding_id = w.id
LEFT JOIN anomaly.event v
    ON v.cluster_id = w.cluster_id AND v.received_at = e.received_at AND v.event_key = e.event_key
ORDER BY 5 DESC NULLS LAST, 1, 7, 6
"""
_WITH_VERDICT = _WINDOWS.format(
    join="JOIN", where="t.verdict IS NOT NULL AND f.end_at >= %(since)s AND f.start_at <= %(until)s"
)
_STILL_OPEN = _WINDOWS.format(
    join="LEFT JOIN",
    where="f.kind = 'behaviour' AND f.state IN ('open', 'taken') AND f.end_at >= %(since)s AND f.start_at <= %(until)s",
)


def windows_with_verdict(
    connection: Connection, cluster_id: int, span: timedelta, since: datetime, until: datetime
) -> list[Told]:
    """This will return the windows that hold the events of closed findings that overlap [since, until], newest verdict first."""
    return _told(connection, _WITH_VERDICT, cluster_id, span, since, until)


def windows_still_open(
    connection: Connection, cluster_id: int, span: timedelta, since: datetime, until: datetime
) -> list[Told]:
    """This will return the windows of findings by behaviour in [since, until] that still wait for a verdict."""
    return _told(connection, _STILL_OPEN, cluster_id, span, since, until)


def _told(
    connection: Connection, query: str, cluster_id: int, span: timedelta, since: datetime, until: datetime
) -> list[Told]:
    given = {"cluster": cluster_id, "span": span, "since": since, "until": until}
    found = []
    for number, kind, verdict, attack, closed_at, entity, start in connection.execute(
        query.encode(), given
    ).fetchall():
        assert isinstance(number, UUID) and isinstance(start, datetime) and isinstance(attack, list)
        assert closed_at is None or isinstance(closed_at, datetime)
        found.append(
            Told(
                number,
                FindingKind(str(kind)),
                None if verdict is None else Verdict(str(verdict)),
                tuple(str(one) for one in attack),
                closed_at,
                int(str(entity)),
                microseconds(start),
            )
        )
    return found


def keep_heard(connection: Connection, cluster_id: int, model_id: int, heard: Mapping[UUID, float]) -> int:
    """This will keep the scores that open findings have after verdicts on alike ones; the others of the cluster go back to their
    own. Returns how many are ranked by verdicts now."""
    connection.execute(
        "UPDATE anomaly.triage t SET heard_score = NULL, heard_model_id = NULL FROM anomaly.finding f"
        " WHERE f.id = t.finding_id AND f.cluster_id = %s AND t.heard_score IS NOT NULL AND NOT t.finding_id = ANY(%s)",
        [cluster_id, list(heard)],
    )
    if heard:
        connection.execute(
            "INSERT INTO anomaly.triage (finding_id, heard_score, heard_model_id)"
            " SELECT n.id, n.score, %s FROM unnest(%s::uuid[], %s::float8[]) AS n (id, score)"
            " JOIN anomaly.finding f ON f.id = n.id"
            " ON CONFLICT (finding_id) DO UPDATE SET heard_score = excluded.heard_score,"
            " heard_model_id = excluded.heard_model_id",
            [model_id, list(heard), list(heard.values())],
        )
    return len(heard)
