"""What the API says of itself, and the settings of this service."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from anomaly.rights import Principal, Right
from anomaly.web.access import need
from anomaly.web.answer import tagged
from anomaly.web.openapi import NOT_MODIFIED, document_of, problems

router = APIRouter(prefix="/v1", tags=["description"])


@router.get("/openapi.json", response_model=dict[str, Any], responses=NOT_MODIFIED | problems())
async def openapi(request: Request, who: Annotated[Principal, Depends(need(Right.READ))]) -> Response:
    """Describe the API (OpenAPI 3.1)."""
    return tagged(request, document_of(request.app))
