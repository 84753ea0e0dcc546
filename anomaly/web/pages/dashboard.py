"""The dashboard: the four pictures of a time, how events come, what was found against the budget. Everything leads to what is behind it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection

from anomaly.completeness import lag_of, loss_of
from anomaly.overview import Overview, overview
from anomaly.rights import Principal, Right
from anomaly.store.clusters import cluster_names
from anomaly.store.database import driver_connection
from anomaly.store.spending import rooms
from anomaly.web.access import need_page
from anomaly.web.app import shared_of
from anomaly.web.console import charts
from anomaly.web.console.answer import page
from anomaly.web.console.asked import events_url, is_field
from anomaly.web.console.language import N_
from anomaly.web.console.menu import Entry
from anomaly.web.console.view import View, view_of

router = APIRouter(include_in_schema=False)
ENTRY = Entry("/dashboard", N_("Dashboard"), "chart", "d", 20)
ACCOUNTS: Final = 20
"""Clusters whose lag and completeness are worked out for one page; beyond that one is chosen above."""
_LATE = timedelta(minutes=15)


@router.get("/dashboard")
def dashboard(request: Request, who: Annotated[Principal, Depends(need_page(Right.READ))]) -> Response:
    """Show the picture of the time and clusters chosen."""
    shared = shared_of(request)
    with shared.database.read() as connection:
        view = view_of(request, who, connection, "24h")
        shown = clusters_in(view, connection)
        found = overview(
            connection, shown, view.scope.since, view.scope.until, shared.settings.windows.span, view.now
        )
        per_day = shared.settings.scoring.findings_per_day
        room = rooms(connection, shown, per_day, found.since, found.until)
        raw = driver_connection(connection)
        intake = {
            name: (lag_of(raw, number, view.now), loss_of(raw, number, view.now))
            for number, name in list(shown.items())[:ACCOUNTS]
        }
    starts = [one.start for one in found.moments]
    seconds = found.step / timedelta(seconds=1)
    errors = [
        ("failed", [one.failed for one in found.moments]),
        ("refused", [one.refused for one in found.moments]),
    ]
    rates = [one.requests / seconds for one in found.moments]
    return page(
        "dashboard.html",
        view,
        found=found,
        clusters=shown,
        intake=intake,
        most=max((one.count for one in found.users), default=0.0),
        slices=charts.pie([(one.label, one.count) for one in found.resources]),
        errors=charts.lines(starts, errors, found.step),
        rate=charts.lines(starts, [("rate", rates)], found.step),
        rates=rates,
        days=_days(found, room),
        budget=per_day * max(len(shown), 1),
        events_url=events_url,
        is_field=is_field,
        late=_LATE,
        midnight=midnight,
        step=found.step,
    )


def clusters_in(view: View, connection: Connection) -> dict[int, str]:
    """This will return the clusters that a page is about, by id: those in sight, or the one chosen."""
    chosen = (view.scope.cluster,) if view.scope.cluster else view.clusters
    return {number: name for number, name in cluster_names(connection).items() if name in chosen}


def midnight(day: datetime) -> datetime:
    """This will return when a day (UTC) begins."""
    return datetime.combine(day, time(), UTC)


def _days(found: Overview, room: dict[date, int]) -> list[tuple[datetime, int, int, int, float, float]]:
    """Each day: its beginning, findings by behaviour, for how many of them there was room, findings by rules, and how far the
    bars of both reach (0..1)."""
    most = max([1, *room.values(), *(max(one.behaviour, one.rules) for one in found.days)])
    return [
        (
            datetime.combine(one.day, time(), UTC),
            one.behaviour,
            room.get(one.day, 0),
            one.rules,
            one.behaviour / most,
            one.rules / most,
        )
        for one in reversed(found.days)
    ]
