"""Suppressions: what is not to be shown for a while, tried before it is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import StrictBool
from sqlalchemy import Connection

from anomaly.errors import NotFound, UsageError
from anomaly.findings.finding import FindingKind, Severity
from anomaly.findings.suppress import Suppression, checked
from anomaly.payloads.finding import KindWord, SeverityWord
from anomaly.payloads.suppression import (
    KeptSuppressionPayload,
    SuppressionPayload,
    SuppressionPreviewPayload,
    kept_suppression_payload,
    suppression_payload,
    suppression_preview_payload,
)
from anomaly.review import hold_back, preview, suppress
from anomaly.rights import Principal, Right
from anomaly.store.clusters import cluster_id, cluster_names
from anomaly.store.triage import end_suppression, list_suppressions
from anomaly.web.access import need
from anomaly.web.answer import answer, tagged
from anomaly.web.clock import clock
from anomaly.web.desk import change, read
from anomaly.web.fields import Body, Days, Id, Note, Words
from anomaly.web.openapi import NOT_MODIFIED, problems
from anomaly.web.routes.moves import who_is

router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"])
Reader = Annotated[Principal, Depends(need(Right.READ))]
Analyst = Annotated[Principal, Depends(need(Right.TRIAGE))]


class Scope(Body):
    """What a suppression hides; what is not said restricts nothing. `*` stands for anything in `name` and `entity`."""

    name: Words | None = None
    entity: Words | None = None
    cluster: Words | None = None
    namespace: Words | None = None
    kind: KindWord | None = None
    up_to: SeverityWord = "high"

    def suppression(
        self, connection: Connection, who: Principal, ends_at: datetime, owner: str, reason: str
    ) -> Suppression:
        """This will return the suppression. Raises UsageError for one that reaches further than who asks may see, NotFound."""
        if self.cluster is None and who.clusters is not None:
            raise UsageError("Name a cluster: you may not see all of them.")
        if self.cluster is not None and not who.may_see(self.cluster):
            raise NotFound(f"There is no cluster {self.cluster!r}.")
        return Suppression(
            self.name,
            self.entity,
            owner,
            reason,
            ends_at,
            FindingKind(self.kind) if self.kind else None,
            cluster_id(connection, self.cluster) if self.cluster else None,
            self.namespace,
            Severity(self.up_to),
        )


class PreviewBody(Scope):
    """A suppression to try on the findings of the last days."""

    days: Days = 30


class SuppressionBody(Scope):
    """A suppression to keep. With `even_confirmed` it may cover findings that were confirmed as attacks."""

    reason: Note
    days: Days = 30
    owner: Words | None = None
    even_confirmed: StrictBool = False


@router.get("", response_model=list[SuppressionPayload], responses=NOT_MODIFIED | problems())
async def list_all(
    request: Request,
    who: Reader,
    ended: Annotated[bool, Query(description="Also those that hold no more.")] = False,
) -> Response:
    """List suppressions with how many findings each hides."""

    def deed(connection: Connection) -> list[SuppressionPayload]:
        names = cluster_names(connection)
        made = [
            suppression_payload(one, hidden, names)
            for one, hidden in list_suppressions(connection, clock(), ended)
        ]
        return [one for one in made if one["cluster"] is None or who.may_see(one["cluster"])]

    return tagged(request, await read(request, deed))


@router.post("/preview", response_model=SuppressionPreviewPayload, responses=problems())
async def try_one(request: Request, who: Reader, body: PreviewBody) -> Response:
    """Say what a suppression would have hidden. Keeps nothing."""
    now = clock()

    def deed(connection: Connection) -> SuppressionPreviewPayload:
        wanted = body.suppression(connection, who, now + timedelta(days=1), "nobody", "a look")
        return suppression_preview_payload(
            preview(connection, checked(wanted, now), now, timedelta(days=body.days))
        )

    return answer(await read(request, deed))


@router.post("", status_code=201, response_model=KeptSuppressionPayload, responses=problems())
async def add(request: Request, who: Analyst, body: SuppressionBody) -> Response:
    """Keep a suppression and hide at once what it covers. Hidden findings are kept and counted."""
    now = clock()

    def deed(connection: Connection) -> KeptSuppressionPayload:
        owner = body.owner or who_is(who)
        wanted = body.suppression(connection, who, now + timedelta(days=body.days), owner, body.reason)
        kept, would = suppress(connection, wanted, now, body.even_confirmed)
        return kept_suppression_payload(kept, hold_back(connection, now).hidden, would)

    return answer(await change(request, deed), 201)


@router.post("/{suppression}/end", status_code=204, responses=problems())
async def end(request: Request, who: Analyst, suppression: Id) -> Response:
    """End a suppression before its time. What it hid stays as it is; reopening brings one back."""

    def deed(connection: Connection) -> None:
        names = cluster_names(connection)
        held = {one.id: one for one, _ in list_suppressions(connection, clock())}
        one = held.get(suppression)
        scope = None if one is None or one.cluster_id is None else names.get(one.cluster_id, "")
        if one is None or (who.clusters is not None and (scope is None or not who.may_see(scope))):
            raise NotFound(f"There is no suppression {suppression} that still holds.")
        end_suppression(connection, suppression, who_is(who), clock())

    await change(request, deed)
    return Response(status_code=204)
