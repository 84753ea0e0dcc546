"""Entities: who there is, what is usual for one, what it does now, whom it is compared with."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from anomaly.errors import NoModel
from anomaly.events.key import EPOCH
from anomaly.payloads.entity import (
    BehaviourPayload,
    EntityPayload,
    HistogramPayload,
    entity_payload,
    usual_payload,
)
from anomaly.payloads.judging import judgement_payload
from anomaly.rights import Principal, Right
from anomaly.store.known import Known, find_known, list_known, no_entity
from anomaly.store.windows import Span, read_windows
from anomaly.web.access import need
from anomaly.web.answer import Page, answer, page, place_of, tagged
from anomaly.web.clock import clock
from anomaly.web.desk import aside, desk_of, read
from anomaly.web.fields import Cursor, Id, Limit, OfCluster, Since, Until, Words
from anomaly.web.openapi import NOT_MODIFIED, problems

router = APIRouter(prefix="/v1/entities", tags=["entities"])
Reader = Annotated[Principal, Depends(need(Right.READ))]


@router.get("", response_model=Page[EntityPayload], responses=problems())
async def list_entities(
    request: Request,
    who: Reader,
    cluster: OfCluster = None,
    username: Annotated[Words | None, Query(description="Username; * stands for anything.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List entities by cluster and username."""
    scope = [cluster] if cluster is not None else None if who.clusters is None else sorted(who.clusters)
    after = place_of(cursor, str, str)
    found = await read(
        request,
        lambda connection: list_known(
            connection, scope, username, None if after is None else (after[0], after[1]), limit
        ),
    )
    last = None if not found else (found[-1].cluster, found[-1].identity.username)
    return page([entity_payload(one) for one in found], limit, last)


@router.get("/{entity}", response_model=EntityPayload, responses=NOT_MODIFIED | problems())
async def show_entity(request: Request, who: Reader, entity: Id) -> Response:
    """Show who an entity is and what was found about it."""
    one = await read(request, lambda connection: seen(connection, who, entity))
    return tagged(request, entity_payload(one))


@router.get("/{entity}/behaviour", response_model=BehaviourPayload, responses=problems())
async def show_behaviour(request: Request, who: Reader, entity: Id) -> Response:
    """Show what is usual for an entity, whom it is compared with, and what it does now, judged."""
    one = await read(request, lambda connection: seen(connection, who, entity))
    desk, now = desk_of(request), clock()

    def deed() -> BehaviourPayload:
        learned = desk.appraiser.usual(one.cluster_id, one.id)
        try:
            present = desk.appraiser.now(one.cluster_id, one.identity.username, now)
        except NoModel:
            present = []
        return {
            "entity": entity_payload(one),
            "usual": None if learned is None else usual_payload(*learned),
            "present": judgement_payload(one.cluster, present[0]) if present else None,
        }

    return answer(await to_thread.run_sync(deed, limiter=desk.scorers))


@router.get("/{entity}/windows", response_model=list[HistogramPayload], responses=problems())
async def show_windows(
    request: Request,
    who: Reader,
    entity: Id,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 24,
) -> Response:
    """List the latest windows of an entity as counts, oldest first."""
    one = await read(request, lambda connection: seen(connection, who, entity))
    desk = desk_of(request)

    def deed() -> list[HistogramPayload]:
        span_us = desk.settings.windows.span // timedelta(microseconds=1)
        with desk.database.connection() as connection:
            windows = read_windows(connection, Span(since, until, one.cluster_id, (one.id,)), span_us)
        made: list[HistogramPayload] = []
        for index in range(max(0, windows.n - limit), windows.n):
            counts: dict[str, dict[str, int]] = {}
            for (dimension, text), count in windows.histogram(index).items():
                counts.setdefault(dimension.name.lower(), {})[text] = int(count)
            made.append(
                {"start": EPOCH + timedelta(microseconds=int(windows.start[index])), "counts": counts}
            )
        return made

    return answer(await aside(request, deed))


def seen(connection: Connection, who: Principal, number: int) -> Known:
    """This will return an entity that somebody may see. Raises NotFound as for one that there is not."""
    one = find_known(connection, number)
    if not who.may_see(one.cluster):
        raise no_entity(number)
    return one
