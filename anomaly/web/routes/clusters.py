"""Clusters: which may send their events, and what their API servers need for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from anomaly.errors import UsageError
from anomaly.joining import join, sink_for
from anomaly.payloads.cluster import ClusterPayload, WebhookPayload, cluster_payload, webhook_payload
from anomaly.rights import Principal, Right
from anomaly.store.clusters import list_clusters, no_cluster
from anomaly.web.access import need
from anomaly.web.answer import answer, tagged
from anomaly.web.clock import clock
from anomaly.web.desk import change, read
from anomaly.web.fields import Body, ClusterName, Document, Words
from anomaly.web.openapi import NOT_MODIFIED, problems

router = APIRouter(prefix="/v1/clusters", tags=["clusters"])
Reader = Annotated[Principal, Depends(need(Right.READ))]


class ClusterBody(Body):
    """A cluster to add. `server` is the address at which its API server reaches this service; the CA certificate of the service
    is named by its path on the control plane (`certificate_authority`) or given (`certificate_authority_pem`)."""

    name: Words
    server: Words
    certificate_authority: Words | None = None
    certificate_authority_pem: Document | None = None
    expires_days: Annotated[float, Field(gt=0, le=3_660)] | None = None


@router.get("", response_model=list[ClusterPayload], responses=NOT_MODIFIED | problems())
async def list_all(request: Request, who: Reader) -> Response:
    """List the clusters, how many valid tokens each has and when its newest event happened."""
    found = await read(request, lambda connection: list_clusters(connection, clock()))
    return tagged(request, [cluster_payload(one) for one in found if who.may_see(one.name)])


@router.get("/{cluster}", response_model=ClusterPayload, responses=NOT_MODIFIED | problems())
async def show(request: Request, who: Reader, cluster: ClusterName) -> Response:
    """Show one cluster."""
    found = await read(request, lambda connection: list_clusters(connection, clock()))
    for one in found:
        if one.name == cluster:
            return tagged(request, cluster_payload(one))
    raise no_cluster(cluster)


@router.post("", status_code=201, response_model=WebhookPayload, responses=problems(409))
async def add(
    request: Request, who: Annotated[Principal, Depends(need(Right.ADMIN))], body: ClusterBody
) -> Response:
    """Add a cluster. Answers with its token, shown this once, the webhook configuration and the flags of its kube-apiserver."""
    if not who.may_see(body.name):
        raise UsageError("You may only add clusters that are within your scope.")
    pem = body.certificate_authority_pem
    wanted = sink_for(
        body.name, body.server, body.certificate_authority, None if pem is None else pem.encode()
    )
    until = None if body.expires_days is None else clock() + timedelta(days=body.expires_days)

    def deed(connection: Connection) -> WebhookPayload:
        return webhook_payload(join(connection, wanted, until), until)

    made = await change(request, deed)
    return answer(made, 201, {"Location": f"/v1/clusters/{body.name}", "Cache-Control": "no-store"})
