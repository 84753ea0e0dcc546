"""What is done to one finding on its page: triage, comments and suppressions. Each answers the triage part of the page anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from sqlalchemy import Connection

from anomaly import review
from anomaly.errors import AnomalyError, MoveNotAllowed, UsageError
from anomaly.findings.finding import Finding, Severity
from anomaly.findings.suppress import Suppression, checked
from anomaly.findings.triage import Changed, Verdict
from anomaly.rights import Principal, Right
from anomaly.store.clusters import cluster_id
from anomaly.store.lines import lines_of
from anomaly.web.access import need
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.console.answer import page, saying
from anomaly.web.console.language import language_of
from anomaly.web.console.templates import environment
from anomaly.web.console.view import view_of
from anomaly.web.pages.finding import seen, work

router = APIRouter(include_in_schema=False)

LOOK_BACK: Final = timedelta(days=90)
_VERDICTS: Final = {"benign": Verdict.BENIGN, "false_alarm": Verdict.FALSE_ALARM, "true": Verdict.TRUE}

Reviewer = Annotated[Principal, Depends(need(Right.TRIAGE))]


@router.post("/findings/{number}/moves")
def move(
    request: Request,
    who: Reviewer,
    number: UUID,
    move: Annotated[str, Form()],
    version: Annotated[int, Form()],
    note: Annotated[str, Form()] = "",
    to: Annotated[str, Form()] = "",
) -> Response:
    """Make a move and show where the finding stands now; if somebody was faster, who, and what it is now (409)."""
    database = shared_of(request).database
    faster: MoveNotAllowed | None = None
    with database.begin() as session:
        seen(session, number, who)
        try:
            with session.begin_nested():
                _make(session, number, who.name, move, version, note, to)
        except MoveNotAllowed as wrong:
            faster = wrong
    with database.read() as connection:
        answer = triage_part(request, connection, who, number, faster)
    return saying(answer, said(request, "conflict" if faster else move), kind="note" if faster else "done")


def _make(session: Connection, number: UUID, who: str, move: str, version: int, note: str, to: str) -> None:
    now = clock()
    if move in _VERDICTS:
        review.close(session, number, _VERDICTS[move], who, now, note, version)
    elif move == "take":
        review.take(session, number, who, now, version)
    elif move == "release":
        review.release(session, number, who, now, version)
    elif move == "assign":
        review.assign(session, number, to, who, now, version)
    elif move == "reopen":
        review.reopen(session, number, who, now, note, version)
    elif move == "undo":
        review.undo(session, number, who, now, version)
    elif move == "comment":
        review.comment(session, number, note, who, now)
    else:
        raise UsageError("There is no such move.")


def triage_part(
    request: Request, connection: Connection, who: Principal, number: UUID, faster: MoveNotAllowed | None
) -> Response:
    """This will show where a finding stands and what can be done; `faster` is why a move was refused (409)."""
    view = view_of(request, who, connection)
    one = seen(connection, number, who)
    return page(
        "finding_triage.html",
        view,
        409 if faster else 200,
        one=one,
        line=lines_of(connection, [number])[0],
        faster=faster,
        overtaken=isinstance(faster, Changed),
        **work(connection, number, who),
    )


def said(request: Request, move: str, done: int = 1) -> str:
    """This will say in one sentence what was done with so many findings."""
    made = environment(language_of(request)).get_template("inbox_said.html")
    return " ".join(made.render(move=move, done=done, refused=()).split())


Scope = Literal["both", "name", "entity"]


def _wanted(
    session: Connection,
    one: Finding,
    scope: str,
    here: bool,
    namespace: str,
    up_to: str,
    days: int,
    owner: str,
    reason: str,
) -> Suppression:
    if not 1 <= days <= 365:
        raise UsageError("A suppression holds for 1 to 365 days.")
    now = clock()
    return Suppression(
        one.name if scope in {"both", "name"} else None,
        one.entity if scope in {"both", "entity"} else None,
        owner,
        reason,
        now + timedelta(days=days),
        one.kind if scope != "entity" else None,
        cluster_id(session, one.cluster) if here else None,
        namespace.strip() or None,
        Severity(up_to),
    )


@router.post("/findings/{number}/suppression/preview")
def preview(
    request: Request,
    who: Reviewer,
    number: UUID,
    scope: Annotated[Scope, Form()] = "both",
    here: Annotated[bool, Form()] = False,
    namespace: Annotated[str, Form()] = "",
    up_to: Annotated[Severity, Form()] = Severity.HIGH,
    days: Annotated[int, Form()] = 30,
) -> Response:
    """Say what a suppression would have hidden; nothing is kept."""
    problem = ""
    values: dict[str, Any] = {"would": None, "lines": [], "stays": False}
    with shared_of(request).database.read() as session:
        view = view_of(request, who, session)
        one = seen(session, number, who)
        try:
            wanted = _wanted(
                session,
                one,
                scope,
                here or who.clusters is not None,
                namespace,
                up_to,
                days,
                who.name,
                "a look",
            )
            now = clock()
            would = review.preview(session, checked(wanted, now), now, now - min(one.start, now - LOOK_BACK))
            lines = [
                each
                for each in lines_of(session, [each.id for each in would.hidden[:200]])
                if who.may_see(each.cluster)
            ]
            values = {
                "would": would,
                "lines": sorted(lines, key=lambda each: (-each.severity.rank, -each.score))[:8],
                "stays": one.severity.rank > up_to.rank,
            }
        except UsageError as wrong:
            problem = str(wrong)
    return page("finding_preview.html", view, problem=problem, **values)


@router.post("/findings/{number}/suppression")
def suppress(
    request: Request,
    who: Reviewer,
    number: UUID,
    reason: Annotated[str, Form()] = "",
    owner: Annotated[str, Form()] = "",
    scope: Annotated[Scope, Form()] = "both",
    here: Annotated[bool, Form()] = False,
    namespace: Annotated[str, Form()] = "",
    up_to: Annotated[Severity, Form()] = Severity.HIGH,
    days: Annotated[int, Form()] = 30,
    even_confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Keep a suppression and hide at once what it covers. One whose maker sees only some clusters holds in this one alone."""
    database = shared_of(request).database
    try:
        with database.begin() as session:
            one = seen(session, number, who)
            only_here = here or who.clusters is not None
            wanted = _wanted(
                session, one, scope, only_here, namespace, up_to, days, owner.strip() or who.name, reason
            )
            review.suppress(session, wanted, clock(), even_confirmed)
            review.hold_back(session, clock())
    except AnomalyError as wrong:
        with database.read() as connection:
            answer = triage_part(request, connection, who, number, None)
        answer.status_code = 422
        return saying(answer, str(wrong), kind="failed")
    with database.read() as connection:
        answer = triage_part(request, connection, who, number, None)
    return saying(answer, said(request, "suppress"))
