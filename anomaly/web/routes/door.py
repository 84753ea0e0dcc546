"""The audit policy at our own door: set, shown, cleared; its ledger, and a forecast before it is set."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from anomaly.asked import Desk as Asked
from anomaly.asked import weigh_policy
from anomaly.jobs.job import Work
from anomaly.payloads.door import (
    DoorPolicyPayload,
    LedgerPayload,
    door_policy_payload,
    ledger_payload,
)
from anomaly.payloads.job import RunPayload
from anomaly.rights import Principal, Right
from anomaly.store.clusters import cluster_id
from anomaly.store.door import InForce, clear_policy, in_force, ledger, set_policy
from anomaly.web.access import need
from anomaly.web.answer import answer
from anomaly.web.clock import clock
from anomaly.web.desk import aside, desk_of, plainly, read
from anomaly.web.fields import ClusterName, Moment
from anomaly.web.openapi import problems
from anomaly.web.routes.policy import PolicyBody
from anomaly.web.routes.runs import begun

router = APIRouter(prefix="/v1/clusters/{cluster}", tags=["policy"])
Reader = Annotated[Principal, Depends(need(Right.READ))]
Admin = Annotated[Principal, Depends(need(Right.ADMIN))]
_DAYS = Annotated[int, Query(ge=1, le=400, description="How many days, today included.")]
_MOST = 5_000


class WeighBody(PolicyBody):
    """A policy to be weighed on the events that are stored since a time; of the last day unless said."""

    since: Moment | None = None


@router.get("/policy", response_model=DoorPolicyPayload, responses=problems())
async def show(request: Request, who: Reader, cluster: ClusterName) -> Response:
    """Show the audit policy that is applied at our door to what comes of a cluster; null when there is none."""
    number = await read(request, lambda connection: cluster_id(connection, cluster))
    found = await plainly(request, lambda connection: in_force(connection, number))
    return answer(door_policy_payload(cluster, found[0] if found else None))


@router.put("/policy", response_model=DoorPolicyPayload, responses=problems())
async def put(request: Request, who: Admin, cluster: ClusterName, body: PolicyBody) -> Response:
    """Apply an audit policy at our door: what it writes nothing about is dropped from now on, and counted in the ledger.

    Ask for a forecast first. It is heeded within 5 seconds by every replica.
    """
    number = await read(request, lambda connection: cluster_id(connection, cluster))
    desk = desk_of(request)

    def deed() -> InForce:
        body.read()
        with desk.database.connection() as connection:
            return set_policy(connection, number, body.policy, who.name or who.kind)

    return answer(door_policy_payload(cluster, await aside(request, deed)))


@router.delete("/policy", response_model=DoorPolicyPayload, responses=problems())
async def clear(request: Request, who: Admin, cluster: ClusterName) -> Response:
    """Apply no policy at our door any more. The ledger stays."""
    number = await read(request, lambda connection: cluster_id(connection, cluster))
    desk = desk_of(request)

    def deed() -> bool:
        with desk.database.connection() as connection:
            return clear_policy(connection, number, who.name or who.kind)

    await aside(request, deed)
    return answer(door_policy_payload(cluster, None))


@router.post("/policy/forecast", status_code=202, response_model=RunPayload, responses=problems(429))
async def forecast(request: Request, who: Reader, cluster: ClusterName, body: WeighBody) -> Response:
    """Say what a policy would have dropped of the stored events, and which detections would go blind by it."""
    number = await read(request, lambda connection: cluster_id(connection, cluster))
    policy = await aside(request, body.read)
    desk = desk_of(request)

    def deed(work: Work) -> dict[str, object]:
        asked = Asked(work.settings, work.database, work.say)
        since = body.since or clock() - timedelta(days=1)
        return dict(weigh_policy(asked, policy, number, since, desk.wanted))

    return await begun(request, who, "weigh-policy", cluster, deed)


@router.get("/dropped", response_model=LedgerPayload, responses=problems())
async def show_ledger(request: Request, who: Reader, cluster: ClusterName, days: _DAYS = 7) -> Response:
    """List what policies at our door dropped and lowered: by day, rule of the policy, user and action."""
    number = await read(request, lambda connection: cluster_id(connection, cluster))
    since = clock().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
    found = await plainly(request, lambda connection: ledger(connection, number, since, _MOST))
    return answer(ledger_payload(cluster, found))
