"""What is done to rows of the inbox: one deed for many findings, each only if it still is what was seen, all of it undoable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Form, Request, Response
from sqlalchemy import Connection

from anomaly import review
from anomaly.errors import MoveNotAllowed, UsageError
from anomaly.findings.triage import Changed, Verdict
from anomaly.rights import Principal, Right
from anomaly.store.lines import Line, lines_of
from anomaly.store.triage import Kept
from anomaly.store.views import drop_view, keep_view
from anomaly.web.access import need
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.console.answer import page, saying
from anomaly.web.console.language import language_of
from anomaly.web.console.templates import environment
from anomaly.web.console.view import view_of
from anomaly.web.pages.inbox import owner_of

router = APIRouter(include_in_schema=False)

MOST: Final = 2_000
"""Findings of one deed."""
WITH_VIEWS: Final = ("/", "/events")
"""The pages whose questions can be kept by name."""
_VERDICTS: Final = {"benign": Verdict.BENIGN, "false_alarm": Verdict.FALSE_ALARM, "true": Verdict.TRUE}

Reviewer = Annotated[Principal, Depends(need(Right.TRIAGE))]


class Seen(msgspec.Struct, frozen=True):
    """A finding in the version that was seen."""

    id: UUID
    version: int


@router.post("/inbox/moves")
def move(
    request: Request,
    who: Reviewer,
    move: Annotated[str, Form()],
    finding: Annotated[list[str], Form()],
    to: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    """Make one move with many findings. Answers what was done, in which versions they are now, and what was refused and why."""
    seen = [_seen(text) for text in finding]
    if not 0 < len(seen) <= MOST:
        raise UsageError(f"One move is made with 1 to {MOST:,} findings.")
    make = _maker(move, who.name, to, note)
    done: list[Seen] = []
    refused: list[dict[str, str]] = []
    with shared_of(request).database.begin() as session:
        lines = {
            one.id: one for one in lines_of(session, [one.id for one in seen]) if who.may_see(one.cluster)
        }
        # In the order of their ids, so that two who act at once wait for each other instead of both failing.
        for one in sorted(seen, key=lambda each: each.id):
            line = lines.get(one.id)
            if line is None:
                refused.append({"id": str(one.id), "why": "There is no such finding."})
                continue
            try:
                with session.begin_nested():
                    kept = make(session, one)
            except MoveNotAllowed as wrong:
                refused.append({"id": str(one.id), "why": _why(session, line, wrong)})
            else:
                done.append(Seen(one.id, kept.version))
    text = _said(request, move, len(done), refused)
    undo = [f"{one.id}:{one.version}" for one in done] if move != "undo" else []
    answer = {"done": [str(one.id) for one in done], "refused": refused, "text": text, "undo": undo}
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _maker(move: str, who: str, to: str, note: str) -> Callable[[Connection, Seen], Kept]:
    now = clock()
    if move == "take":
        return lambda session, one: review.take(session, one.id, who, now, one.version)
    if move == "release":
        return lambda session, one: review.release(session, one.id, who, now, one.version)
    if move == "assign":
        return lambda session, one: review.assign(session, one.id, to, who, now, one.version)
    if move == "reopen":
        return lambda session, one: review.reopen(session, one.id, who, now, note, one.version)
    if move == "undo":
        return lambda session, one: review.undo(session, one.id, who, now, one.version)
    if move in _VERDICTS:
        return lambda session, one: review.close(
            session, one.id, _VERDICTS[move], who, now, note, one.version
        )
    raise UsageError("There is no such move.")


def _seen(text: str) -> Seen:
    number, _, version = text.partition(":")
    try:
        return Seen(UUID(number), int(version))
    except ValueError as wrong:
        raise UsageError("A finding is named by its id and version.") from wrong


def _why(session: Connection, line: Line, wrong: MoveNotAllowed) -> str:
    """Who was faster, and what it is now; the message of the refusal where nobody was."""
    steps = review.history(session, line.id)
    if isinstance(wrong, Changed) and steps:
        last = steps[-1]
        return f"{last.who} was faster: {last.move.value}; it is {last.after.state.value} now."
    return str(wrong)


def _said(request: Request, move: str, done: int, refused: list[dict[str, str]]) -> str:
    made = environment(language_of(request)).get_template("inbox_said.html")
    return " ".join(made.render(move=move, done=done, refused=refused).split())


@router.post("/inbox/views")
def keep(
    request: Request,
    who: Annotated[Principal, Depends(need(Right.READ))],
    name: Annotated[str, Form()],
    query: Annotated[str, Form()] = "",
    path: Annotated[str, Form()] = "/",
) -> Response:
    """Keep what a page is asked as a view of whoever asks."""
    if path not in WITH_VIEWS:
        raise UsageError("Views are kept of the inbox and of events.")
    with shared_of(request).database.begin() as session:
        keep_view(session, owner_of(who), path, name, query.removeprefix("?"))
        view = view_of(request, who, session)
    return saying(page("nothing.html", view), _text(request, "view kept"), refresh=True)


@router.post("/inbox/views/{number}/drop")
def drop(request: Request, who: Annotated[Principal, Depends(need(Right.READ))], number: int) -> Response:
    """Drop a view."""
    with shared_of(request).database.begin() as session:
        drop_view(session, owner_of(who), number)
        view = view_of(request, who, session)
    return saying(page("nothing.html", view), _text(request, "view dropped"), refresh=True)


def _text(request: Request, what: str) -> str:
    return _said(request, what, 0, [])
