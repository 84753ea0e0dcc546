"""One finding: what happened, why it is unusual, what shows it, what the log cannot show, and what people did with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from anomaly import review
from anomaly.errors import NotFound
from anomaly.findings.finding import Contribution, Finding
from anomaly.findings.triage import Move, Verdict, allowed
from anomaly.findings.unseen import unseen
from anomaly.rights import Principal, Right
from anomaly.scoring.amounts import Words, title_of, words_for
from anomaly.store.behind import evidence_of
from anomaly.store.findings import find_finding
from anomaly.store.found import Found
from anomaly.store.heard import change_of
from anomaly.store.inbox import others_to_do
from anomaly.store.lines import lines_of, related
from anomaly.store.people import list_people
from anomaly.store.timeline import timeline_of
from anomaly.store.triage import standing_of
from anomaly.web.access import need_page
from anomaly.web.app import shared_of
from anomaly.web.console.answer import page
from anomaly.web.console.language import N_
from anomaly.web.console.rulebook import card_of, first_looks, meaning
from anomaly.web.console.view import view_of
from anomaly.web.desk import desk_of

router = APIRouter(include_in_schema=False)

EVENTS: Final = 20
"""Raw events shown at once."""
MOST_EVENTS: Final = 1_000
LEAST_SHARE: Final = 0.005
"""A share below this would read as 0 %."""
AROUND: Final = timedelta(hours=1)
NO_UNDO: Final = frozenset({Move.COMMENT, Move.UNDO})
KEYS = (
    ("t", N_("Take")),
    ("b", N_("Benign: unusual, but wanted")),
    ("f", N_("False alarm: not unusual at all")),
    ("c", N_("Confirmed attack")),
    ("m", N_("Write a comment")),
    ("s", N_("Suppress what is alike")),
    ("u", N_("Undo the last move")),
    ("e", N_("Unfold all events")),
    ("j k", N_("Next and previous finding of the inbox")),
    ("i", N_("Back to the inbox")),
)

Reader = Annotated[Principal, Depends(need_page(Right.READ))]


@dataclass(frozen=True, slots=True)
class Amount:
    """One feature as a small chart: words, and lengths of 100 for the largest of the three."""

    title: str
    share: float
    now: Words
    usual: Words
    peers: Words
    bars: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Shown:
    """One raw event with its JSON laid out for reading."""

    event: Found
    audit_id: str
    text: str


@router.get("/findings/{number}")
def finding(request: Request, who: Reader, number: UUID) -> Response:
    """Show a finding."""
    shared = shared_of(request)
    with shared.database.read() as connection:
        view = view_of(request, who, connection)
        one = seen(connection, number, who)
        line = lines_of(connection, [number])[0]
        found = evidence_of(connection, number, EVENTS)
        card = card_of(desk_of(request).rules, one.name)
        why, harmless = meaning(card)
        values = {
            "one": one,
            "line": line,
            "amounts": amounts(one.contributions),
            "timeline": timeline_of(connection, number),
            "shown": [shown(event) for event in found],
            "first": 0,
            "related": related(connection, line, AROUND),
            "unseen": unseen(
                (event.resource for event in found),
                (event.verb for event in found),
                (event.level for event in found),
            ),
            "looks": first_looks(one, card),
            "why": why,
            "harmless": harmless,
            "references": card.references if card else (),
            **work(connection, number, who),
        }
    return page(
        "finding.html", view, page_keys=KEYS, events_at_once=EVENTS, most_events=MOST_EVENTS, **values
    )


@router.get("/findings/{number}/events")
def events(
    request: Request, who: Reader, number: UUID, first: Annotated[int, Query(ge=0, lt=MOST_EVENTS)] = 0
) -> Response:
    """Show the next raw events of a finding."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        one = seen(connection, number, who)
        found = evidence_of(connection, number, EVENTS, first)
    return page(
        "finding_events.html",
        view,
        one=one,
        shown=[shown(event) for event in found],
        first=first,
        events_at_once=EVENTS,
        most_events=MOST_EVENTS,
    )


def seen(connection: Connection, number: UUID, who: Principal) -> Finding:
    """This will return a finding in sight. Raises NotFound for all others, as for those there are not."""
    one = find_finding(connection, number)
    if not who.may_see(one.cluster):
        raise NotFound(f"There is no finding {number}.", hint="`anomaly findings list` shows their ids.")
    return one


def work(connection: Connection, number: UUID, who: Principal) -> dict[str, Any]:
    """This will return what the triage part of the page shows: where the finding stands, what can be done, and what was."""
    held = standing_of(connection, number)
    steps = review.history(connection, number)
    people = (
        [one for one in list_people(connection) if one.state == "active"] if who.may(Right.TRIAGE) else []
    )
    return {
        "held": held,
        "moves": set(allowed(held.standing)),
        "steps": list(reversed(steps)),
        "undoable": any(step.move not in NO_UNDO and not step.undone for step in steps),
        "people": [one.name for one in people if Right.TRIAGE in one.principal().rights],
        "change": change_of(connection, number),
        "rest": others_to_do(connection, lines_of(connection, [number])[0]) if held.standing.verdict else (),
        "verdicts": tuple(Verdict),
    }


def amounts(parts: Sequence[Contribution]) -> list[Amount]:
    """This will return what made a window unusual, the largest share first, without what carries next to nothing."""
    found = []
    for part in sorted(parts, key=lambda each: -each.share):
        if part.share < LEAST_SHARE:
            continue
        values = (part.value, part.usual or 0.0, part.peers or 0.0)
        largest = max(max(values), 1e-9)
        bars = tuple(round(100 * max(value, 0.0) / largest, 1) for value in values)
        found.append(
            Amount(
                title_of(part.title),
                part.share,
                words_for(part.value, part.unit),
                words_for(part.usual, part.unit),
                words_for(part.peers, part.unit),
                (bars[0], bars[1], bars[2]),
            )
        )
    return found


def shown(event: Found) -> Shown:
    """This will lay out an event's JSON for reading; what is no JSON, or nested too deep to be laid out, is shown as it came."""
    try:
        text = msgspec.json.format(event.raw, indent=2).decode("utf-8", "replace")
    except (msgspec.DecodeError, RecursionError):
        text = event.raw.decode("utf-8", "replace")
    return Shown(event, event.audit_id, text)
