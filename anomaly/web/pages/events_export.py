"""Events as a file: what the page of events shows, all of it up to a bound, as CSV, JSON lines or Parquet."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from anomaly.reports.event_export import Form
from anomaly.rights import Principal, Right
from anomaly.web.access import need_page
from anomaly.web.app import shared_of
from anomaly.web.console.asked import asked
from anomaly.web.console.view import view_of
from anomaly.web.event_file import event_file
from anomaly.web.pages.events import SPAN

router = APIRouter(include_in_schema=False)


@router.get("/events/export")
def export(
    request: Request,
    who: Annotated[Principal, Depends(need_page(Right.READ))],
    form: Form = "csv",
    q: Annotated[str, Query(max_length=5_000)] = "",
) -> Response:
    """Send the events that answer, newest first."""
    database = shared_of(request).database
    with database.read() as connection:
        view = view_of(request, who, connection, SPAN)
    return event_file(database, asked(view, q), form, view.now)
