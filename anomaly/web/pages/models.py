"""The models of each cluster: which is in use and why, what the budget promised and what came, what else was trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from anomaly.payloads.model import ModelPayload, model_payload
from anomaly.payloads.promise import PromisePayload, promise_payload
from anomaly.rights import Principal, Right
from anomaly.store.clusters import cluster_names
from anomaly.store.models import CHAMPION, list_models
from anomaly.store.promises import list_promises
from anomaly.web.access import need_page
from anomaly.web.app import shared_of
from anomaly.web.console.answer import page
from anomaly.web.console.columns import Chart, chart_of_promises
from anomaly.web.console.language import N_
from anomaly.web.console.menu import Entry
from anomaly.web.console.view import view_of
from anomaly.web.pages.model_training import told

router = APIRouter(include_in_schema=False)
ENTRY = Entry("/models", N_("Models"), "model", "m", 60)
KEYS = (("j k", N_("Next and previous row")), ("Enter", N_("Open the row")))

SHOWN: Final = 20
"""Clusters on one page; beyond that one is chosen by name."""
MODELS: Final = 30
DAYS: Final = 30

Reader = Annotated[Principal, Depends(need_page(Right.READ))]


@dataclass(frozen=True, slots=True)
class OfCluster:
    """What is shown of one cluster; `promises` are the last days, the latest first, of which `held` were kept."""

    name: str
    models: list[ModelPayload]
    champion: ModelPayload | None
    promises: list[PromisePayload]
    chart: Chart
    held: int


@router.get("/models")
def models(
    request: Request, who: Reader, run: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None
) -> Response:
    """Show the models of the clusters in sight, and a training that is followed."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        wanted = [
            (number, name)
            for number, name in sorted(cluster_names(connection).items(), key=lambda one: one[1])
            if name in view.clusters and view.scope.cluster in {None, name}
        ]
        listed = [_of_cluster(connection, number, name) for number, name in wanted[:SHOWN]]
        training = told(connection, who, run) if run is not None else {"run": None, "trained": ()}
    return page(
        "models.html",
        view,
        listed=listed,
        more=max(0, len(wanted) - SHOWN),
        budget=shared_of(request).settings.scoring.findings_per_day,
        page_keys=KEYS,
        **training,
    )


def _of_cluster(connection: Connection, number: int, name: str) -> OfCluster:
    made = [model_payload(one, name) for one in list_models(connection, number, MODELS)]
    promises = [promise_payload(name, one) for one in list_promises(connection, number, limit=DAYS)]
    return OfCluster(
        name,
        made,
        next((one for one in made if one["state"] == CHAMPION), None),
        promises,
        chart_of_promises(promises),
        sum(one["holds"] for one in promises),
    )
