"""`anomaly findings`: what there is to review, and one finding with its reason and its events."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, cell, visible, write_json, write_table, write_text

if TYPE_CHECKING:
    from anomaly.findings.finding import Finding

_WIDE = 160
_ROOMY = 110

app = App(name="findings", help="What rules matched and what deviates: list it, look at one.")


@app.command(name="list")
def listed(
    *,
    cluster: str | None = None,
    kind: Literal["rule", "behaviour"] | None = None,
    name: str | None = None,
    entity: str | None = None,
    severity: Literal["info", "low", "medium", "high", "critical"] = "info",
    since: str | None = None,
    until: str | None = None,
    limit: int = 50,
    evidence: bool = True,
    below: Annotated[bool, Parameter(negative="")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List findings, the most severe first.

    Parameters
    ----------
    name
        Rule id or name of the deviation, as in exec-into-pod.
    entity
        Username of the one it is about.
    severity
        Leave out what is less severe.
    since
        2026-11-23, 2026-11-23T10:30:00Z, or 30m, 6h, 7d for so long ago; until likewise.
    evidence
        With --output json: also the audit ids of the events, at most 1,000 a finding.
    below
        Only what deviated on a day whose alert budget was spent on graver things.
    """
    from anomaly.asked import chosen_clusters
    from anomaly.cli.moment import clock, moment
    from anomaly.errors import UsageError
    from anomaly.findings.finding import FindingKind, Severity
    from anomaly.payloads.finding import finding_payload
    from anomaly.store import findings as store

    if not 1 <= limit <= 10_000:
        raise UsageError("--limit must be between 1 and 10000.")
    now = clock()
    wanted = store.Wanted(
        cluster=cluster,
        kind=FindingKind(kind) if kind else None,
        name=name,
        entity=entity,
        at_least=Severity(severity),
        since=moment(since, now),
        until=moment(until, now),
        below=below,
        limit=limit,
    )
    with current().database() as database, database.read() as connection:
        if cluster is not None:
            chosen_clusters(connection, cluster, now)
        found = store.list_findings(connection, wanted)
        total = store.count_findings(connection, wanted) if len(found) == limit else len(found)
        if evidence and output is Format.JSON:
            found = store.with_evidence(connection, found)
    if output is Format.JSON:
        write_json([finding_payload(one) for one in found])
    else:
        width = _room()
        columns = [
            Column("id", wrap=False),
            Column("severity", "sev" if width < _ROOMY else "", wrap=False),
            *([Column("kind", wrap=False)] if width >= _WIDE else []),
            Column("start", wrap=False),
            Column("entity"),
            Column("title", "what"),
            *([Column("reason")] if width >= _WIDE else []),
            Column("count", "events", right=True, wrap=False),
        ]
        rows = [_line(one, width) for one in found]
        write_table(rows, columns, empty="No findings: nothing matched a rule, and nothing deviates.")
    if total > len(found):
        current().say(f"{len(found)} of {total}; --limit shows more.")


_SHOWN_SHARE = 0.005
"""A share below this would read as 0 %."""

_EVENT_COLUMNS = (
    *("time", "user", "acting_as", "verb", "resource", "namespace", "name", "code"),
    *("address", "agent", "audit_id"),
)


_OFTEN_THE_SAME = ("address", "agent", "acting_as", "namespace")
"""Said once above the table of a narrow terminal when all events share it."""


def _says_something(key: str, rows: list[dict[str, object]]) -> bool:
    """A column that is empty, or names the one entity again in each row, only takes room."""
    values = {row[key] for row in rows}
    return len(values) > 1 if key == "user" else values != {None}


def _room() -> int:
    """Columns of the terminal: a reason is a paragraph, and in a narrow one would leave no room for anything else."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDE


def _line(one: Finding, width: int) -> dict[str, object]:
    from anomaly.payloads.finding import finding_payload

    row: dict[str, object] = {**finding_payload(one), "id": str(one.id)[:8], "kind": one.kind.value}
    if width < _WIDE:
        row["start"] = one.start.astimezone(UTC).strftime("%m-%d %H:%M")
    if width < _ROOMY:
        row["severity"] = one.severity.value[:4]
        row["count"] = _short(one.count)
        row["entity"] = one.entity.replace("system:serviceaccount:", "sa:", 1)
    return row


def _short(count: int) -> str:
    return str(count) if count < 100_000 else f"{count // 1000}k"


@app.command
def show(
    finding: Annotated[str, Parameter(help="Id of the finding, or how it begins.")],
    *,
    events: int = 20,
    output: Output = Format.TABLE,
) -> None:
    """Show one finding: what happened, why it is unusual, and the events behind it.

    Parameters
    ----------
    events
        How many of its events to show.
    """
    from anomaly.errors import NotFound, UsageError
    from anomaly.payloads.finding import finding_with_events_payload
    from anomaly.store import findings as store
    from anomaly.store.search import evidence_of

    with current().database() as database, database.read() as connection:
        found = store.findings_by_prefix(connection, finding)
        if not found:
            raise NotFound(f"There is no finding {finding}.", hint="`anomaly findings list` shows their ids.")
        if len(found) > 1:
            ids = ", ".join(str(one.id)[:13] for one in found)
            raise UsageError(f"Several findings begin with {finding}: {ids}.", hint="Give more of the id.")
        (one,) = store.with_evidence(connection, found)
        behind = evidence_of(connection, one.id, max(0, min(events, 1_000)))
    shown = finding_with_events_payload(one, behind)
    if output is Format.JSON:
        write_json(shown)
        return
    write_text("\n".join(_page(one)))
    if behind:
        write_text(f"\nEvents ({len(behind)} of {one.count:,}, oldest first)")
        rows: list[dict[str, object]] = [dict(event) for event in shown["events"]]
        keys = [key for key in _EVENT_COLUMNS if _says_something(key, rows)]
        if _room() < _WIDE:
            same = [key for key in keys if key in _OFTEN_THE_SAME and len({row[key] for row in rows}) == 1]
            for key in same:
                write_text(f"{key} of them all: {cell(rows[0][key])}")
            keys = [key for key in keys if key not in same]
            times = [event.received_at.astimezone(UTC).strftime("%m-%d %H:%M:%S") for event in behind]
            rows = [row | {"time": time} for row, time in zip(rows, times, strict=True)]
        write_table(rows, [Column(key, wrap=key not in {"time", "code"}) for key in keys])
    else:
        current().say("Its events are no longer kept.")


def _page(one: Finding) -> Iterator[str]:
    yield visible(f"{one.severity.value.upper()}  {one.title}")
    yield visible(one.reason)
    yield ""
    details = {
        "finding": one.id,
        "entity": f"{one.entity} ({one.entity_kind})",
        "cluster": one.cluster,
        "found by": f"{one.kind.value}: {one.name}",
        "from": one.start,
        "to": one.end,
        "events": one.count,
        "score": one.score,
        "ATT&CK": one.attack,
        "state": one.state,
        **one.details,
    }
    width = max(len(name) for name in details)
    for name, value in details.items():
        yield f"{visible(name):<{width}}  {cell(value)}"
    if one.contributions:
        from anomaly.scoring.amounts import contribution_text

        yield "\nWhy it is unusual"
        for part in one.contributions:
            if part.share < _SHOWN_SHARE:
                continue
            yield visible(f"  {part.share:4.0%}  {contribution_text(part)}")
    if one.normal:
        yield "\nWhat would have been normal"
        yield f"  {visible(one.normal)}"
