"""Exports: findings and events as files, as streams that stay within a bound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from anomaly.findings.finding import FindingKind, Severity
from anomaly.payloads.finding import FindingPayload, KindWord, SeverityWord, StateWord, finding_payload
from anomaly.payloads.sheet import csv_lines
from anomaly.reports.event_export import Form
from anomaly.rights import Principal, Right
from anomaly.store.findings import Wanted, placed_findings, with_evidence
from anomaly.web.access import need
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.desk import read
from anomaly.web.event_file import event_file
from anomaly.web.fields import OfCluster, Since, Until
from anomaly.web.openapi import problems
from anomaly.web.routes.events import AllStages, Question, asked_of

router = APIRouter(prefix="/v1/exports", tags=["exports"])

MOST: Final = 100_000
_AT_ONCE: Final = 200
_COLUMNS: Final = (
    *(
        "id",
        "cluster",
        "entity",
        "entity_kind",
        "kind",
        "name",
        "title",
        "severity",
        "attack",
        "start",
        "end",
    ),
    *("score", "state", "count", "reason", "normal"),
)
_TYPES: Final = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "One finding a line.",
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}
EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "One event a line, or a row of a table.",
        "content": {
            "application/jsonl": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.get("/findings", response_class=Response, responses=STREAM | problems())
async def export_findings(
    request: Request,
    who: Annotated[Principal, Depends(need(Right.READ))],
    form: Annotated[
        Literal["jsonl", "csv"], Query(description="JSON lines with evidence, or CSV.")
    ] = "jsonl",
    cluster: OfCluster = None,
    kind: KindWord | None = None,
    severity: Annotated[SeverityWord, Query(description="Leave out what is less severe.")] = "info",
    state: Annotated[list[StateWord] | None, Query(max_length=5)] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 10_000,
) -> StreamingResponse:
    """Export findings, the newest first. What is added meanwhile doubles and hides nothing."""
    wanted = Wanted(
        cluster=cluster,
        kind=FindingKind(kind) if kind else None,
        at_least=Severity(severity),
        states=tuple(state or ()),
        since=since,
        until=until,
        clusters=who.clusters,
        newest_first=True,
    )
    first = await _some(request, wanted, min(limit, _AT_ONCE), evidence=form == "jsonl")
    headers = {
        "Content-Disposition": f"attachment; filename=findings.{form}",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(
        _lines(request, wanted, limit, form, first), media_type=_TYPES[form], headers=headers
    )


@router.get("/events", response_class=Response, responses=EVENTS | problems())
def export_events(
    request: Request,
    who: Annotated[Principal, Depends(need(Right.READ))],
    q: Question = "",
    form: Annotated[Form, Query(description="CSV, JSON lines of whole events, or Parquet.")] = "jsonl",
    cluster: OfCluster = None,
    all_stages: AllStages = False,
    oldest_first: bool = False,
) -> Response:
    """Export the events that answer, 100,000 at most; the header `Anomaly-Complete` says whether these are all."""
    asked = asked_of(who, q, cluster, all_stages, oldest_first)
    return event_file(shared_of(request).database, asked, form, clock())


Some = tuple[list[FindingPayload], Wanted]


async def _some(request: Request, wanted: Wanted, limit: int, *, evidence: bool) -> Some:
    def deed(connection: Connection) -> Some:
        found = placed_findings(connection, replace(wanted, limit=limit))
        listed = [one for one, _ in found]
        following = replace(wanted, after=found[-1][1] if found else None)
        whole = with_evidence(connection, listed) if evidence else listed
        return [finding_payload(one) for one in whole], following

    return await read(request, deed)


async def _lines(
    request: Request, wanted: Wanted, limit: int, form: Literal["jsonl", "csv"], some: Some
) -> AsyncIterator[bytes]:
    if form == "csv":
        yield (",".join(_COLUMNS) + "\r\n").encode()
    while True:
        found, wanted = some
        if form == "csv":
            yield csv_lines(found, _COLUMNS).encode()
        else:
            yield b"".join(msgspec.json.encode(one) + b"\n" for one in found)
        limit -= len(found)
        if len(found) < _AT_ONCE or limit <= 0:
            return
        some = await _some(request, wanted, min(limit, _AT_ONCE), evidence=form == "jsonl")
