"""Promises: what the alert budget promised of each day, and what came."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from anomaly.payloads.promise import PromisePayload, promise_payload
from anomaly.rights import Principal, Right
from anomaly.store.clusters import cluster_id, cluster_names
from anomaly.store.promises import list_promises
from anomaly.web.access import need
from anomaly.web.answer import answer
from anomaly.web.desk import read
from anomaly.web.fields import OfCluster, Since, Until
from anomaly.web.openapi import problems

router = APIRouter(prefix="/v1", tags=["models"])


@router.get("/promises", response_model=list[PromisePayload], responses=problems())
async def promises(
    request: Request,
    who: Annotated[Principal, Depends(need(Right.READ))],
    cluster: OfCluster = None,
    since: Since = None,
    until: Until = None,
    days: Annotated[int, Query(ge=1, le=1_000, description="Of each cluster, at most so many.")] = 30,
) -> Response:
    """List the reports that were made each night, the latest day first: promised, come, and whether that held."""

    def deed(connection: Connection) -> list[PromisePayload]:
        names = cluster_names(connection)
        if cluster is not None:
            cluster_id(connection, cluster)
        seen = [number for number, name in names.items() if who.may_see(name) and cluster in {None, name}]
        told = [one for number in seen for one in list_promises(connection, number, since, until, days)]
        told.sort(key=lambda one: (-one.day.timestamp(), one.cluster_id))
        return [promise_payload(names[one.cluster_id], one) for one in told]

    return answer(await read(request, deed))
