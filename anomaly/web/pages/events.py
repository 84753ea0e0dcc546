"""Events: ask for them, see when they were, open them to the last byte."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from anomaly.errors import NotFound
from anomaly.events.key import EPOCH, microseconds
from anomaly.query import QueryInvalid
from anomaly.query.completing import at
from anomaly.query.fields import FIELDS, Cost
from anomaly.rights import Principal, Right
from anomaly.store.found import Found
from anomaly.store.histogram import Histogram, histogram
from anomaly.store.reading import Reading, weigh
from anomaly.store.search import one_event, search_events
from anomaly.store.suggest import suggest
from anomaly.store.views import views_of
from anomaly.web.access import need_page
from anomaly.web.app import shared_of
from anomaly.web.console import charts
from anomaly.web.console.answer import page, partial
from anomaly.web.console.asked import asked, events_url, is_field
from anomaly.web.console.folded import folded
from anomaly.web.console.language import N_
from anomaly.web.console.menu import Entry
from anomaly.web.console.view import view_of
from anomaly.web.pages.inbox import owner_of

router = APIRouter(include_in_schema=False)
ENTRY = Entry("/events", N_("Events"), "list", "e", 30)
Reader = Annotated[Principal, Depends(need_page(Right.READ))]
Text = Annotated[str, Query(max_length=5_000)]

SPAN: Final = "24h"
PAGE: Final = "/events"
ROWS: Final = 50
COLUMNS: Final = {
    "time": N_("Time"),
    "cluster": N_("Cluster"),
    "user": N_("User"),
    "as": N_("Acting as"),
    "verb": N_("Verb"),
    "resource": N_("Resource"),
    "namespace": N_("Namespace"),
    "name": N_("Name"),
    "code": N_("Code"),
    "address": N_("Address"),
    "agent": N_("Agent"),
    "latency": N_("Latency"),
    "size": N_("Size"),
    "stage": N_("Stage"),
}
USUAL: Final = ("time", "user", "verb", "resource", "namespace", "name", "code", "address")
_WORTH_SAYING: Final = 1_000_000
_BUCKETS: Final = 80


@router.get("/events")
def events(
    request: Request, who: Reader, q: Text = "", cols: Text = "", cursor: str | None = None
) -> Response:
    """Show the newest events that answer the question, or what is wrong with it."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection, SPAN)
        chosen = tuple(name for name in cols.split(",") if name in COLUMNS) or USUAL
        values: dict[str, Any] = {
            "q": q,
            "chosen": chosen,
            "all_columns": COLUMNS,
            "cursor": cursor,
            "fields": FIELDS,
            "views": views_of(connection, owner_of(who), PAGE),
        }
        values |= {
            "wrong": None,
            "reading": Reading(),
            "found": None,
            "is_field": is_field,
            "events_url": events_url,
        }
        values |= {"cols": ",".join(chosen) if chosen != USUAL else "", "place": place_of, "costs": Cost}
        try:
            query = asked(view, q)
        except QueryInvalid as wrong:
            return page("events.html", view, 400, **values | {"wrong": wrong})
        found = search_events(connection, query, cursor, ROWS)
        reading = weigh(connection, query) if q else Reading()
        values |= {"found": found, "reading": reading, "worth_saying": _WORTH_SAYING}
    if partial(request):
        return page("events_rows.html", view, **values)
    return page("events.html", view, **values)


@router.get("/events/over-time")
def over_time(request: Request, who: Reader, q: Text = "", cols: Text = "") -> Response:
    """Draw how many events answer, over time. Asked for by the page once it stands."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection, SPAN)
        try:
            counted = histogram(connection, asked(view, q), _BUCKETS)
        except QueryInvalid:
            counted = None
    return page(
        "events_over_time.html",
        view,
        q=q,
        cols=cols,
        counted=counted,
        chart=_drawn(counted),
        events_url=events_url,
    )


def _drawn(counted: Histogram | None) -> charts.Columns | None:
    if counted is None:
        return None
    starts = [counted.bucket(place)[0] for place in range(len(counted.counts))]
    return charts.columns(starts, counted.counts, counted.width)


@router.get("/events/suggestions")
def suggestions(
    request: Request, who: Reader, q: Text = "", caret: Annotated[int, Query(ge=0, le=5_000)] = 0
) -> dict[str, Any]:
    """Say what may be meant at the caret: names of fields, or values a field has, the most frequent first."""
    here = at(q, caret)
    found: list[dict[str, Any]]
    if here.field is None:
        begins = here.prefix.casefold()
        found = [
            {"text": f"{one.name}:", "about": one.about, "events": None}
            for one in FIELDS.values()
            if one.name.startswith(begins) or any(alias.startswith(begins) for alias in one.aliases if begins)
        ]
    else:
        with shared_of(request).database.read() as connection:
            known = suggest(connection, here.field, here.prefix, 12, who.clusters)
        found = [
            {"text": is_field(here.field, one.value).partition(":")[2] if not _plain(here.field) else one.value,
             "about": "", "events": one.events if who.clusters is None else None}
            for one in known
        ]  # fmt: skip
    return {"start": here.start, "end": here.end, "found": found[:12]}


def _plain(field: str) -> bool:
    return field in {"code", "time", "outcome", "kind", "stage", "level"}


@router.get("/events/{cluster}/{moment}/{key}")
def event(request: Request, who: Reader, cluster: str, moment: int, key: UUID) -> Response:
    """Show one event whole, folded."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection, SPAN)
        found = one_event(connection, cluster, _when(moment), key, who.clusters)
    if found is None:
        raise NotFound("There is no such event.", hint="Retention may have let go of it.")
    values: dict[str, Any] = {
        "one": found,
        "tree": folded(found.raw),
        "place": place_of,
        "is_field": is_field,
        "events_url": events_url,
    }
    return page("event_part.html" if partial(request) else "event.html", view, **values)


def _when(moment: int) -> Any:
    try:
        return EPOCH + timedelta(microseconds=moment)
    except OverflowError:
        raise NotFound("There is no such event.") from None


def place_of(one: Found) -> str:
    """This will return the URL of one event."""
    return f"/events/{quote(one.cluster, safe='')}/{microseconds(one.received_at)}/{one.event_key.hex}"
