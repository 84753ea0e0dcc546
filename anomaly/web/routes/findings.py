"""Findings: the list of what there is to review, one with its evidence, and every move that people can make."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from anomaly.errors import NotFound, UsageError
from anomaly.findings.finding import Finding, FindingKind, Severity
from anomaly.payloads.event import EventPayload, event_payload
from anomaly.payloads.finding import FindingPayload, KindWord, SeverityWord, StateWord, finding_payload
from anomaly.payloads.triage import HistoryPayload, history_payload
from anomaly.review import history
from anomaly.rights import Principal, Right
from anomaly.store import findings as store
from anomaly.store.search import evidence_of
from anomaly.store.triage import standing_of
from anomaly.web.access import need
from anomaly.web.answer import Page, answer, page, place_of, tagged, told
from anomaly.web.desk import read
from anomaly.web.fields import Cursor, Limit, OfCluster, Since, Until, Words
from anomaly.web.openapi import NOT_MODIFIED, problems

router = APIRouter(prefix="/v1/findings", tags=["findings"])
Reader = Annotated[Principal, Depends(need(Right.READ))]


@router.get("", response_model=Page[FindingPayload], responses=problems())
async def list_findings(
    request: Request,
    who: Reader,
    cluster: OfCluster = None,
    kind: KindWord | None = None,
    name: Annotated[Words | None, Query(description="Rule id or name of the deviation.")] = None,
    entity: Annotated[Words | None, Query(description="Username of the one it is about.")] = None,
    severity: Annotated[SeverityWord, Query(description="Leave out what is less severe.")] = "info",
    state: Annotated[list[StateWord] | None, Query(max_length=5)] = None,
    since: Since = None,
    until: Until = None,
    order: Annotated[
        Literal["gravest", "newest"], Query(description="The gravest first, or by their beginning.")
    ] = "gravest",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List findings. Those whose day had no room for them (state `below`) are left out unless asked for."""
    place = place_of(cursor, Literal["gravest", "newest"], int, float, datetime, UUID)
    if place is not None and place[0] != order:
        raise UsageError("The cursor is of another order.", hint="Take `next` of the page before.")
    wanted = store.Wanted(
        cluster=cluster,
        kind=FindingKind(kind) if kind else None,
        name=name,
        entity=entity,
        at_least=Severity(severity),
        states=tuple(state or ()),
        since=since,
        until=until,
        limit=limit,
        clusters=who.clusters,
        newest_first=order == "newest",
        after=None if place is None else store.Place(place[1], place[2], place[3], place[4]),
    )
    found = await read(request, lambda connection: store.placed_findings(connection, wanted))
    last = found[-1][1] if found else None
    return page(
        [finding_payload(one) for one, _ in found],
        limit,
        None if last is None else (order, last.severity, last.rank, told(last.start), last.id),
    )


@router.get("/{finding}", response_model=FindingPayload, responses=NOT_MODIFIED | problems())
async def show_finding(request: Request, who: Reader, finding: UUID) -> Response:
    """Show one finding with the audit ids of its events. Its ETag is what a move's If-Match takes."""

    def deed(connection: Connection) -> tuple[FindingPayload, int]:
        one = seen_by(who, store.find_finding(connection, finding))
        (whole,) = store.with_evidence(connection, [one])
        return finding_payload(whole), standing_of(connection, finding).version

    payload, version = await read(request, deed)
    return tagged(request, payload, version)


@router.get("/{finding}/events", response_model=list[EventPayload], responses=problems())
async def show_events(request: Request, who: Reader, finding: UUID, limit: Limit = 100) -> Response:
    """List the events behind a finding, oldest first. Those that retention let go of are missing."""

    def deed(connection: Connection) -> list[EventPayload]:
        seen_by(who, store.find_finding(connection, finding))
        return [event_payload(one) for one in evidence_of(connection, finding, limit)]

    return answer(await read(request, deed))


@router.get("/{finding}/steps", response_model=HistoryPayload, responses=NOT_MODIFIED | problems())
async def show_steps(request: Request, who: Reader, finding: UUID) -> Response:
    """Show where a finding stands, which moves it can make now, and who did what with it, oldest first."""

    def deed(connection: Connection) -> HistoryPayload:
        seen_by(who, store.find_finding(connection, finding))
        steps = history(connection, finding)
        return history_payload(finding, standing_of(connection, finding), steps)

    payload = await read(request, deed)
    return tagged(request, payload, payload["version"])


def seen_by(who: Principal, one: Finding) -> Finding:
    """This will return a finding that somebody may see. Raises NotFound as for one that there is not."""
    if not who.may_see(one.cluster):
        raise NotFound(f"There is no finding {one.id}.", hint="`anomaly findings list` shows their ids.")
    return one
