"""Whether the process lives, and whether it can do its work; for load balancers and probes, so without a token."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from anomaly.errors import SchemaOutdated
from anomaly.store import migrate
from anomaly.store.database import Database
from anomaly.web.app import shared_of

router = APIRouter()


@router.get("/healthz")
async def healthz() -> Response:
    """Answer 200 as long as the process runs and its event loop turns."""
    return Response("ok\n", media_type="text/plain")


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Answer 200 when the database answers with a schema that this release works on, else 503."""
    await to_thread.run_sync(_check, shared_of(request).database)
    return Response("ok\n", media_type="text/plain")


def _check(database: Database) -> None:
    with database.read() as connection:
        if not migrate.fits(connection):
            raise SchemaOutdated
