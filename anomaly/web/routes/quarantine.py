"""Quarantine: input that is no audit event; look at it, try it again."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from anomaly.asked import Desk, retry_quarantine
from anomaly.errors import NotFound
from anomaly.jobs.job import Work
from anomaly.payloads.job import RunPayload
from anomaly.payloads.quarantine import QuarantinedPayload, quarantined_payload
from anomaly.rights import Principal, Right
from anomaly.store.quarantine import quarantine_before, quarantined_raw
from anomaly.web.access import need
from anomaly.web.answer import Page, page, place_of
from anomaly.web.desk import desk_of, plainly
from anomaly.web.fields import Body, ClusterName, Cursor, Id, Limit, OfCluster
from anomaly.web.openapi import problems
from anomaly.web.routes.runs import begun

router = APIRouter(prefix="/v1", tags=["quarantine"])
Reader = Annotated[Principal, Depends(need(Right.READ))]
MOST = 10_000
RAW: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}
_Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class RetryBody(Body):
    """Which inputs to try again; all of the cluster unless said."""

    numbers: Annotated[list[_Number], Field(min_length=1, max_length=MOST)] | None = None


@router.get("/quarantine", response_model=Page[QuarantinedPayload], responses=problems())
async def list_all(
    request: Request, who: Reader, cluster: OfCluster = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """List what is in quarantine, the newest first."""
    place = place_of(cursor, int)
    scope = [cluster] if cluster is not None else None if who.clusters is None else sorted(who.clusters)

    found = [
        quarantined_payload(one)
        for one in await plainly(
            request,
            lambda connection: quarantine_before(
                connection, scope, None if place is None else place[0], limit
            ),
        )
    ]
    return page(found, limit, (found[-1]["id"],) if found else None)


@router.get(
    "/quarantine/{number}/raw",
    response_class=Response,
    responses=RAW | problems(),
)
async def show_raw(request: Request, who: Reader, number: Id) -> Response:
    """Show the bytes of one input exactly as received."""
    found = await plainly(request, lambda connection: quarantined_raw(connection, number))
    if found is None or not who.may_see(found[0]):
        raise NotFound(
            f"There is no input {number} in quarantine.", hint="The list of quarantine has their numbers."
        )
    # Nobody's browser shall make a page of what nobody could decode.
    headers = {
        "Content-Disposition": f"attachment; filename={number}.bin",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found[1], media_type="application/octet-stream", headers=headers)


@router.post(
    "/clusters/{cluster}/quarantine/retry",
    status_code=202,
    response_model=RunPayload,
    responses=problems(429),
)
async def retry(
    request: Request,
    who: Annotated[Principal, Depends(need(Right.ADMIN))],
    cluster: ClusterName,
    body: RetryBody,
) -> Response:
    """Decode inputs again, after an update that understands them; what is still undecodable stays."""
    desk = desk_of(request)
    await desk_cluster(request, cluster)

    def deed(work: Work) -> dict[str, object]:
        with work.database.connection() as connection:
            held = [one.id for one in quarantine_before(connection, [cluster], None, MOST)]
        wanted = held if body.numbers is None else sorted(set(held) & set(body.numbers))
        return dict(retry_quarantine(Desk(work.settings, work.database, work.say), desk.rules, wanted))

    return await begun(request, who, "retry-quarantine", cluster, deed)


async def desk_cluster(request: Request, cluster: str) -> int:
    """This will return the id of a cluster. Raises NotFound."""
    from anomaly.web.app import shared_of

    return await shared_of(request).doorkeeper.cluster_id(cluster)
