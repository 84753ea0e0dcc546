"""Triage: moves of one finding or of many. What stands in `If-Match` is the version that was seen; whoever was slower gets 412."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from anomaly.errors import NotFound
from anomaly.findings.triage import Move, Verdict
from anomaly.payloads.triage import (
    MovedPayload,
    StandingPayload,
    VerdictWord,
    moved_payload,
    standing_payload,
)
from anomaly.review import Outcome, Wish, make, make_many
from anomaly.rights import Principal, Right
from anomaly.store.findings import clusters_of_findings, find_finding
from anomaly.web.access import need
from anomaly.web.answer import answer, seen_version
from anomaly.web.clock import clock
from anomaly.web.desk import change
from anomaly.web.fields import Body, Note, Words
from anomaly.web.openapi import problems
from anomaly.web.routes.findings import seen_by

router = APIRouter(prefix="/v1", tags=["triage"])
Analyst = Annotated[Principal, Depends(need(Right.TRIAGE))]


class MoveBody(Body):
    """A move: `to` is whom to assign it to, `verdict` that of close, `note` the comment or the reason."""

    move: Literal["take", "assign", "release", "comment", "close", "reopen", "undo"]
    note: Note = ""
    to: Annotated[Words, Field(max_length=200)] | None = None
    verdict: VerdictWord | None = None

    def wish(self) -> Wish:
        """This will return the move as it is made."""
        return Wish(Move(self.move), self.note, self.to, Verdict(self.verdict) if self.verdict else None)


class ManyBody(MoveBody):
    """One move of many findings."""

    findings: Annotated[list[UUID], Field(min_length=1, max_length=500)]


@router.post("/findings/{finding}/moves", response_model=StandingPayload, responses=problems(409, 412))
async def move_one(request: Request, who: Analyst, finding: UUID, body: MoveBody) -> Response:
    """Take, assign, release, comment, close, reopen a finding, or undo the last step."""
    expected = seen_version(request)

    def deed(connection: Connection) -> StandingPayload:
        seen_by(who, find_finding(connection, finding))
        kept = make(connection, finding, body.wish(), who_is(who), clock(), expected)
        return standing_payload(finding, kept)

    payload = await change(request, deed)
    return answer(payload, headers={"ETag": f'"{payload["version"]}"'})


@router.post("/triage/moves", response_model=list[MovedPayload], responses=problems())
async def move_many(request: Request, who: Analyst, body: ManyBody) -> Response:
    """Make one move with many findings; each says what became of it."""

    def deed(connection: Connection) -> list[MovedPayload]:
        clusters = clusters_of_findings(connection, body.findings)
        seen = [number for number in body.findings if number in clusters and who.may_see(clusters[number])]
        made = make_many(connection, seen, body.wish(), who_is(who), clock())
        missing = [
            Outcome(number, None, str(NotFound("There is no such finding.")))
            for number in sorted(set(body.findings) - set(seen))
        ]
        return [moved_payload(one) for one in (*made, *missing)]

    return answer(await change(request, deed))


def who_is(who: Principal) -> str:
    """This will return the name under which a step is kept."""
    return who.name if who.kind == "person" and who.name else f"{who.kind} {who.name or who.id}"
