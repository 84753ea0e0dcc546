"""What the doctor says, and what came of a cluster by day."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from anomaly.completeness import account_of
from anomaly.doctor import examine
from anomaly.intake.diagnosis import Diagnosis
from anomaly.payloads.completeness import CompletenessPayload, completeness_payload
from anomaly.payloads.doctor import DiagnosisPayload, diagnosis_payload
from anomaly.rights import Principal, Right
from anomaly.store.clusters import cluster_id
from anomaly.web.access import need
from anomaly.web.answer import answer
from anomaly.web.clock import clock
from anomaly.web.desk import Desk, aside, desk_of, plainly, read
from anomaly.web.fields import ClusterName, Words
from anomaly.web.openapi import problems

router = APIRouter(tags=["doctor"])
Reader = Annotated[Principal, Depends(need(Right.READ))]
_DAYS = Annotated[int, Query(ge=1, le=400, description="How many days, today included.")]


@router.get("/v1/doctor", response_model=DiagnosisPayload, responses=problems())
async def doctor(request: Request, who: Reader, cluster: Words | None = None) -> Response:
    """Say what arrives of each cluster, what cannot fire because of it, what ails the installation, and the next step.

    Who may see only some clusters is told of these; what is said of the installation is for those who see all.
    """
    if cluster is not None:
        await read(request, lambda connection: cluster_id(connection, cluster))
    only = who.clusters if cluster is None else frozenset({cluster})
    found = await aside(request, _examine, desk_of(request), only)
    return answer(
        diagnosis_payload(found if who.clusters is None else Diagnosis(found.at, (), found.clusters))
    )


def _examine(desk: Desk, only: frozenset[str] | None) -> Diagnosis:
    return examine(desk.database, desk.settings, desk.wanted, clock(), only)


@router.get("/v1/clusters/{cluster}/completeness", response_model=CompletenessPayload, responses=problems())
async def completeness(request: Request, who: Reader, cluster: ClusterName, days: _DAYS = 7) -> Response:
    """Say what came of a cluster on each of the last days, its unusual pauses and alarms, and how it compares with what its API
    servers counted."""
    number = await read(request, lambda connection: cluster_id(connection, cluster))
    least = desk_of(request).settings.completeness.silence_after
    found = await plainly(request, lambda connection: account_of(connection, number, clock(), days, least))
    return answer(completeness_payload(cluster, found))
