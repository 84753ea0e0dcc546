"""Exceptions: what rules shall not report, tried on what is stored before it is saved."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from anomaly.errors import NotFound, UsageError
from anomaly.findings.exceptions import ANY, RuleException, checked
from anomaly.payloads.exception import (
    ExceptionPayload,
    ExceptionPreviewPayload,
    HeldPayload,
    KeptExceptionPayload,
    exception_payload,
    exception_preview_payload,
    held_payload,
    kept_exception_payload,
)
from anomaly.rights import Principal, Right
from anomaly.store.exceptions import (
    Listed,
    add_exception,
    end_exception,
    list_exceptions,
    preview,
)
from anomaly.store.pauses import list_held
from anomaly.web.access import need
from anomaly.web.answer import answer, tagged
from anomaly.web.clock import clock
from anomaly.web.desk import change, desk_of, read
from anomaly.web.fields import Body, Days, Id, Limit, Text, Words
from anomaly.web.openapi import NOT_MODIFIED, problems

router = APIRouter(prefix="/v1/exceptions", tags=["exceptions"])
Reader = Annotated[Principal, Depends(need(Right.READ))]
Analyst = Annotated[Principal, Depends(need(Right.TRIAGE))]
_Days = Annotated[int, Field(ge=1, le=3_660)]


class ScopeBody(Body):
    """What an exception covers; `*` stands for anything. It is tried on the findings of so many days."""

    rule: Words
    cluster: Words = ANY
    entity: Text = ANY
    namespace: Text = ANY
    name: Text = ANY
    days: _Days = 30


class ExceptionBody(ScopeBody):
    """An exception to save: who answers for it, why it is harmless, and how many days it holds."""

    owner: Words
    reason: Words
    ends_in_days: Days


@router.get("", response_model=list[ExceptionPayload], responses=NOT_MODIFIED | problems())
async def list_all(
    request: Request,
    who: Reader,
    ended: Annotated[bool, Query(description="Also those that ended.")] = False,
) -> Response:
    """List exceptions, and what each has silenced."""
    found = await read(request, lambda connection: list_exceptions(connection, None if ended else clock()))
    return tagged(request, [exception_payload(one) for one in found if visible(who, one)])


@router.post("/preview", response_model=ExceptionPreviewPayload, responses=problems())
async def try_one(request: Request, who: Reader, body: ScopeBody) -> Response:
    """Show what an exception would have silenced, without saving it."""
    now, rules = clock(), desk_of(request).rules.by_id
    within(who, body.cluster)
    made = checked(_made(body, "a look", "a look", 1.0), now, rules)

    def deed(connection: Connection) -> ExceptionPreviewPayload:
        would = preview(connection, made, rules, now - timedelta(days=body.days), now)
        return exception_preview_payload(would)

    return answer(await read(request, deed))


@router.post("", status_code=201, response_model=KeptExceptionPayload, responses=problems())
async def add(request: Request, who: Analyst, body: ExceptionBody) -> Response:
    """Save an exception. It holds for events received before its end, from the next batch on; findings there are already stay."""
    now, rules = clock(), desk_of(request).rules.by_id
    within(who, body.cluster)
    made = checked(_made(body, body.owner, body.reason, body.ends_in_days), now, rules)

    def deed(connection: Connection) -> KeptExceptionPayload:
        would = preview(connection, made, rules, now - timedelta(days=body.days), now)
        return kept_exception_payload(add_exception(connection, made), made, would)

    return answer(await change(request, deed), 201)


@router.get("/{exception}/held", response_model=list[HeldPayload], responses=problems())
async def show_held(request: Request, who: Reader, exception: Id, limit: Limit = 50) -> Response:
    """List what an exception has silenced: the findings there would be."""

    def deed(connection: Connection) -> list[HeldPayload]:
        seen(connection, who, exception)
        held = list_held(connection, "exception", exception, limit)
        return [held_payload(one) for one in held if who.may_see(one.cluster)]

    return answer(await read(request, deed))


@router.post("/{exception}/end", status_code=204, responses=problems())
async def end(request: Request, who: Analyst, exception: Id) -> Response:
    """End an exception now: events received from now on are reported again."""

    def deed(connection: Connection) -> None:
        within(who, seen(connection, who, exception).exception.cluster)
        end_exception(connection, exception, clock())

    await change(request, deed)
    return Response(status_code=204)


def _made(body: ScopeBody, owner: str, reason: str, days: float) -> RuleException:
    return RuleException(
        body.rule,
        owner,
        reason,
        clock() + timedelta(days=days),
        body.cluster,
        body.entity,
        body.namespace,
        body.name,
    )


def seen(connection: Connection, who: Principal, number: int) -> Listed:
    """This will return an exception that somebody may see. Raises NotFound as for one that there is not."""
    for one in list_exceptions(connection):
        if one.exception.id == number and visible(who, one):
            return one
    raise NotFound(f"There is no exception {number}.", hint="The list of exceptions shows them.")


def visible(who: Principal, one: Listed) -> bool:
    """This will say whether an exception holds, by its pattern, in some cluster that somebody may see."""
    return who.clusters is None or ANY in one.exception.cluster or who.may_see(one.exception.cluster)


def within(who: Principal, cluster: str) -> None:
    """This will do nothing when a pattern stays within somebody's clusters. Raises UsageError."""
    if who.clusters is not None and not who.may_see(cluster):
        raise UsageError("Name one of your clusters: you may not see all of them.")
