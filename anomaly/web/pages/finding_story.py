"""One verdict for what else belongs to a finding's story: whoever judged one of them has mostly judged them all."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from anomaly import review
from anomaly.errors import MoveNotAllowed, UsageError
from anomaly.rights import Principal, Right
from anomaly.store.inbox import others_to_do
from anomaly.store.lines import lines_of
from anomaly.store.triage import standing_of
from anomaly.web.access import need
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.console.answer import saying
from anomaly.web.pages.finding import seen
from anomaly.web.pages.finding_moves import said, triage_part

router = APIRouter(include_in_schema=False)


@router.post("/findings/{number}/story")
def close_story(
    request: Request,
    who: Annotated[Principal, Depends(need(Right.TRIAGE))],
    number: UUID,
    finding: Annotated[list[str], Form()],
) -> Response:
    """Close those named of what else is to do in the story with the verdict of this finding; what somebody touched since stays."""
    database = shared_of(request).database
    done = 0
    with database.begin() as session:
        seen(session, number, who)
        verdict = standing_of(session, number).standing.verdict
        if verdict is None:
            raise UsageError("This finding has no verdict that others could share.")
        wanted = set(finding)
        others = others_to_do(session, lines_of(session, [number])[0])
        # In the order of their ids, so that two who act at once wait for each other instead of both failing.
        for one in sorted(others, key=lambda each: each.id):
            if f"{one.id}:{one.version}" not in wanted:
                continue
            try:
                with session.begin_nested():
                    review.close(
                        session, one.id, verdict, who.name, clock(), f"As {str(number)[:8]}", one.version
                    )
            except MoveNotAllowed:
                continue
            done += 1
    with database.read() as connection:
        answer = triage_part(request, connection, who, number, None)
    if done < len(wanted):
        return saying(answer, said(request, "conflict"), kind="note")
    return saying(answer, said(request, verdict.value, done))
