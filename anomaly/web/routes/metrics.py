"""What the service says of itself, for Prometheus."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from anomaly.rights import Principal, Right
from anomaly.web.access import need
from anomaly.web.app import shared_of

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request, principal: Annotated[Principal, Depends(need(Right.READ))]) -> Response:
    """Answer the metrics of this process and of what is stored, in Prometheus' text form, of the clusters that one may see."""
    text = await to_thread.run_sync(shared_of(request).meter.text, principal.may_see)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
