"""Entities: who acts in the clusters, the riskiest first; and the portrait of one."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from anomaly.errors import NotFound
from anomaly.events.identity import EntityKind
from anomaly.portrait import Portrait, entities, portrait
from anomaly.rights import Principal, Right
from anomaly.web.access import need_page
from anomaly.web.app import shared_of
from anomaly.web.console import charts
from anomaly.web.console.answer import page
from anomaly.web.console.asked import events_url, is_field
from anomaly.web.console.language import N_
from anomaly.web.console.menu import Entry
from anomaly.web.console.view import view_of
from anomaly.web.pages.dashboard import clusters_in
from anomaly.windows.dimension import Dimension

router = APIRouter(include_in_schema=False)
ENTRY = Entry("/entities", N_("Entities"), "people", "u", 40)
Reader = Annotated[Principal, Depends(need_page(Right.READ))]
ROWS: Final = 100
DAYS: Final = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
HABITS: Final = {
    Dimension.VERB: (N_("Verbs"), "verb"),
    Dimension.RESOURCE: (N_("Resources"), "resource"),
    Dimension.NAMESPACE: (N_("Namespaces"), "namespace"),
    Dimension.ADDRESS: (N_("Addresses"), "address"),
    Dimension.AGENT: (N_("User agents"), "agent"),
}
FIRSTS: Final = {
    Dimension.ACTION: N_("action"),
    Dimension.NAMESPACE: N_("namespace"),
    Dimension.ADDRESS: N_("address"),
    Dimension.AGENT: N_("user agent"),
    Dimension.IMPERSONATED: N_("acted as"),
    Dimension.SECRET: N_("secret read"),
    Dimension.EXEC: N_("pod entered"),
    Dimension.DENIED: N_("refused"),
    Dimension.RISK: N_("danger written"),
    Dimension.GRANT: N_("grant written"),
    Dimension.IMAGE: N_("image"),
}


@router.get("/entities")
def listed(
    request: Request,
    who: Reader,
    q: Annotated[str, Query(max_length=300)] = "",
    kind: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show who acted in the time chosen or has risk now."""
    chosen = EntityKind(kind) if kind in list(EntityKind) else None
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection, "7d")
        until = view.scope.until or view.now
        since = view.scope.since or until - timedelta(days=3_650)
        found = entities(
            connection, clusters_in(view, connection), since, until, text=q, kind=chosen, limit=ROWS + 1
        )
    return page(
        "entities.html",
        view,
        found=found[:ROWS],
        more=len(found) > ROWS,
        q=q,
        kind=kind,
        kinds=list(EntityKind),
        most=max((one.requests for one in found), default=0.0),
        events_url=events_url,
        is_field=is_field,
    )


@router.get("/entities/{cluster}/{name:path}")
def one(request: Request, who: Reader, cluster: str, name: str) -> Response:
    """Show the portrait of one entity."""
    shared = shared_of(request)
    with shared.database.read() as connection:
        view = view_of(request, who, connection)
        number = {title: one for one, title in clusters_in(view, connection).items()}.get(cluster)
        if number is None:
            raise NotFound("There is no such cluster.")
        drawn = portrait(
            connection,
            number,
            cluster,
            name,
            view.scope.since,
            view.scope.until,
            shared.settings.windows.span,
            view.now,
            view.zone,
        )
    moments = [at for at, _ in drawn.risks]
    step = moments[1] - moments[0] if len(moments) > 1 else timedelta(hours=1)
    most = max((count for day in drawn.rhythm for count in day), default=0.0)
    values: dict[str, Any] = {
        "one": drawn,
        "risks": charts.lines(moments, [("risk", [value for _, value in drawn.risks])], step, top=100),
        "rhythm": [
            [
                (count, charts.shade(count, most), (day, hour) in drawn.rhythm_now)
                for hour, count in enumerate(row)
            ]
            for day, row in enumerate(drawn.rhythm)
        ],
        "habits": [(title, field, _rows(drawn, dimension)) for dimension, (title, field) in HABITS.items()],
        "days": DAYS,
        "first_words": FIRSTS,
    }
    return page("entity.html", view, events_url=events_url, is_field=is_field, **values)


def _rows(drawn: Portrait, dimension: Dimension) -> list[tuple[Any, float, float]]:
    """Each habit with the lengths of its two bars, now and usual, 0..1."""
    habits = drawn.habits[dimension]
    most = max((max(habit.now, habit.usual or 0.0) for habit in habits), default=0.0) or 1.0
    return [(habit, habit.now / most, (habit.usual or 0.0) / most) for habit in habits]
