"""Events: the question language over everything that is kept, one event as it came, and how many there are over time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from typing_extensions import TypedDict

from anomaly.errors import NotFound
from anomaly.payloads.event import EventPayload, event_payload, raw_payload
from anomaly.query import read as read_query
from anomaly.query.tree import Pattern, Text, all_of
from anomaly.rights import Principal, Right
from anomaly.store.histogram import histogram
from anomaly.store.search import Asked, count_events, one_event, search_events
from anomaly.web.access import need
from anomaly.web.answer import answer
from anomaly.web.clock import clock
from anomaly.web.desk import read
from anomaly.web.fields import ClusterName, Cursor, Moment, OfCluster
from anomaly.web.fields import Text as Said
from anomaly.web.openapi import problems

router = APIRouter(prefix="/v1", tags=["events"])
Reader = Annotated[Principal, Depends(need(Right.READ))]
MOST_COUNTED: Final = 100_000
Question = Annotated[
    Said,
    Query(
        description="As in `user:alice* verb:delete code:>=400 time:-2h`; the reference of the question language has it all.",
        examples=["verb:delete code:>=400"],
    ),
]
AllStages = Annotated[bool, Query(description="Also stages that do not end a request.")]


class EventsPayload(TypedDict):
    """Some of the events. `cut` says that so many raw events were read that reading stopped before the page was full; going on with
    `next` reads more."""

    items: list[EventPayload]
    next: str | None
    cut: bool


class CountPayload(TypedDict):
    """How many events answer; not `complete` when only the first that may answer were read."""

    count: int
    complete: bool


class OverTimePayload(TypedDict):
    """Events over time in buckets of `width_seconds` from `since` on; `exact` is false when raw events would have to be read."""

    since: datetime
    until: datetime
    width_seconds: float
    counts: list[int]
    exact: bool


@router.get("/events", response_model=EventsPayload, responses=problems())
async def search(
    request: Request,
    who: Reader,
    q: Question = "",
    cluster: OfCluster = None,
    all_stages: AllStages = False,
    oldest_first: bool = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Cursor = None,
) -> Response:
    """Search events, the newest first."""
    asked = asked_of(who, q, cluster, all_stages, oldest_first)
    found = await read(request, lambda connection: search_events(connection, asked, cursor, limit, raw=True))
    return answer(
        {"items": [event_payload(one) for one in found.found], "next": found.cursor, "cut": found.cut}
    )


@router.get("/events/count", response_model=CountPayload, responses=problems())
async def count(
    request: Request, who: Reader, q: Question = "", cluster: OfCluster = None, all_stages: AllStages = False
) -> Response:
    """Count the events that answer."""
    asked = asked_of(who, q, cluster, all_stages)
    total, whole = await read(request, lambda connection: count_events(connection, asked, MOST_COUNTED))
    return answer({"count": total, "complete": whole})


@router.get("/events/over-time", response_model=OverTimePayload | None, responses=problems())
async def over_time(
    request: Request,
    who: Reader,
    q: Question = "",
    cluster: OfCluster = None,
    all_stages: AllStages = False,
    buckets: Annotated[int, Query(ge=2, le=1_000)] = 60,
) -> Response:
    """Count the events that answer over time; null when there are none."""
    asked = asked_of(who, q, cluster, all_stages)
    made = await read(request, lambda connection: histogram(connection, asked, buckets))
    if made is None:
        return answer(None)
    return answer(
        {
            "since": made.since,
            "until": made.until,
            "width_seconds": made.width.total_seconds(),
            "counts": list(made.counts),
            "exact": made.exact,
        }
    )


@router.get("/clusters/{cluster}/events/{key}", response_model=dict[str, Any], responses=problems())
async def show_raw(
    request: Request,
    who: Reader,
    cluster: ClusterName,
    key: Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="`key` of the event.")],
    time: Annotated[Moment, Query(description="`time` of the event.")],
) -> Response:
    """Show one event as it was received."""
    from uuid import UUID

    found = await read(request, lambda connection: one_event(connection, cluster, time, UUID(key)))
    if found is None:
        raise NotFound("There is no such event, or it is not kept any more.")
    return answer(raw_payload(found.raw))


def asked_of(
    who: Principal, text: str, cluster: str | None, all_stages: bool = False, oldest_first: bool = False
) -> Asked:
    """This will return a question as it is asked by somebody. Raises UsageError with the place of what cannot be understood."""
    node = read_query(text)
    if cluster is not None:
        node = all_of([node, Text("cluster", (Pattern((cluster,)),))])
    return Asked(node, clock(), who.clusters, all_stages, oldest_first)
