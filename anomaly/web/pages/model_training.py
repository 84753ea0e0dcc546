"""Training now, from the page of models: begun by a button, followed to what came of it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, Response
from sqlalchemy import Connection
from starlette.responses import RedirectResponse

from anomaly.asked import Desk, chosen_clusters, train_now
from anomaly.errors import NotFound
from anomaly.jobs.job import Work
from anomaly.rights import Principal, Right
from anomaly.store.job_runs import Run
from anomaly.web.access import need
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.console.answer import HEADERS, page
from anomaly.web.console.errands import begin, followed
from anomaly.web.console.view import view_of
from anomaly.web.fields import Id

router = APIRouter(include_in_schema=False)

ERRAND: Final = "train"
"""The same name as one asked for over the API: both are found in the history of jobs as one kind."""

Admin = Annotated[Principal, Depends(need(Right.ADMIN))]


@router.post("/models/-/trainings")
def train(request: Request, who: Admin, of: Annotated[str, Form(max_length=300)]) -> Response:
    """Begin to train a model for a cluster, as the nightly job would, and go where it can be followed."""
    now = clock()
    with shared_of(request).database.read() as connection:
        if of not in view_of(request, who, connection).clusters:
            raise NotFound(f"There is no cluster {of!r}.")
        found = chosen_clusters(connection, of, now)

    def deed(work: Work) -> dict[str, object]:
        since = now - work.settings.training.lookback
        return {"trained": train_now(Desk(work.settings, work.database, work.say), found, since, now)}

    run = begin(request, who, ERRAND, of, {}, deed)
    return RedirectResponse(
        f"/models?run={run.id}#training", 303, {"Cache-Control": HEADERS["Cache-Control"]}
    )


@router.get("/models/-/trainings/{run}")
def training(request: Request, who: Admin, run: Id) -> Response:
    """Show how far a training is, and once it has ended what came of it."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        return page("model_training.html", view, **told(connection, who, run))


def told(connection: Connection, who: Principal, number: int) -> dict[str, Any]:
    """This will return a training as the page shows it. Raises NotFound."""
    run: Run = followed(connection, who, number, ERRAND, {})
    return {"run": run, "trained": run.detail.get("trained", ())}
