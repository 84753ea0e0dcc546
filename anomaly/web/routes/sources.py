"""The sources that the service reads by itself, and how it goes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from anomaly.payloads.source import SourcesPayload, source_payload
from anomaly.rights import Principal, Right
from anomaly.store.clusters import cluster_id
from anomaly.store.sources import list_sources
from anomaly.web.access import need
from anomaly.web.answer import answer
from anomaly.web.desk import plainly, read
from anomaly.web.fields import ClusterName
from anomaly.web.openapi import problems

router = APIRouter(tags=["clusters"])
Reader = Annotated[Principal, Depends(need(Right.READ))]


@router.get("/v1/clusters/{cluster}/sources", response_model=SourcesPayload, responses=problems())
async def list_of_cluster(request: Request, who: Reader, cluster: ClusterName) -> Response:
    """List the logs that are followed and the folders that are read for a cluster: who reads each, how far it is, what failed."""
    await read(request, lambda connection: cluster_id(connection, cluster))
    found = await plainly(request, lambda connection: list_sources(connection, [cluster]))
    return answer({"items": [source_payload(one) for one in found]})
