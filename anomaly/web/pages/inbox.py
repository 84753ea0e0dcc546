"""The inbox: what there is to review, one story a row, the riskiest first; what was asked stands in the URL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from anomaly.errors import NotFound, UsageError
from anomaly.findings.finding import FindingKind, Severity
from anomaly.findings.triage import State
from anomaly.rights import Principal, Right
from anomaly.store.inbox import (
    MOST_TOGETHER,
    InboxStory,
    Tally,
    choices,
    count_new,
    is_anything_there,
    list_and_tally,
    tally,
)
from anomaly.store.lines import Sought, lines_of
from anomaly.store.spending import newest_days
from anomaly.store.views import views_of
from anomaly.web.access import need_page
from anomaly.web.app import shared_of
from anomaly.web.console.answer import page
from anomaly.web.console.language import N_
from anomaly.web.console.menu import Entry
from anomaly.web.console.sieve import PAGE, STATES, Sieve, Tab, sieve_of
from anomaly.web.console.view import view_of

router = APIRouter(include_in_schema=False)
ENTRY = Entry("/", N_("Inbox"), "inbox", "i", 10)
KEYS = (
    ("j k", N_("Next and previous row")),
    ("Enter", N_("Open the finding")),
    ("o", N_("Unfold what else belongs to the row")),
    ("x", N_("Select the row; then keys act on all that are selected")),
    ("t", N_("Take")),
    ("b", N_("Benign: unusual, but wanted")),
    ("f", N_("False alarm: not unusual at all")),
    ("c", N_("Confirmed attack")),
    ("u", N_("Undo what you did last")),
    ("r", N_("Load what is new")),
)

Reader = Annotated[Principal, Depends(need_page(Right.READ))]


@router.get("/")
def inbox(request: Request, who: Reader) -> Response:
    """Show the inbox."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        sieve = sieve_of(request.query_params)
        sought = sieve.sought(view.scope, who)
        listed, counts = list_and_tally(
            connection, sought, who.name, PAGE, (sieve.page - 1) * PAGE, sieve.newest
        )
        head = _head(request, connection, sieve, who, sought, counts)
        there = is_anything_there(connection, sought.clusters) if not listed.stories else {}
        offered = choices(connection, sought.clusters)
    return page(
        "inbox.html",
        view,
        **head,
        listed=listed,
        there=there,
        offered=offered,
        last_page=max(1, -(-listed.total // PAGE)),
        page_keys=KEYS,
        scope_rest=sieve.pairs(),
    )


@router.get("/inbox/head")
def head(request: Request, who: Reader) -> Response:
    """Show the tabs with their counts, and the budget, alone: after each deed."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        sieve = sieve_of(request.query_params)
        sought = sieve.sought(view.scope, who)
        counts = tally(connection, sought, who.name)
        return page("inbox_head.html", view, **_head(request, connection, sieve, who, sought, counts))


@router.get("/inbox/news")
def news(request: Request, who: Reader, after: Annotated[datetime, Query()]) -> Response:
    """Say how many findings came since the page was loaded; the page itself is not moved."""
    if after.tzinfo is None:
        raise UsageError("The time needs a zone.")
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        sieve = sieve_of(request.query_params)
        found = count_new(connection, sieve.sought(view.scope, who), after)
    return page("inbox_news.html", view, found=found, sieve=sieve)


@router.get("/inbox/story")
def story(request: Request, who: Reader, row: UUID, finding: Annotated[list[UUID], Query()]) -> Response:
    """Show one row again, of those of its findings that are in sight still belong to the question. Empty when none does."""
    if len(finding) > MOST_TOGETHER:
        raise UsageError("A row has not so many findings.")
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        sieve = sieve_of(request.query_params)
        lines = [one for one in lines_of(connection, finding) if who.may_see(one.cluster)]
    if not lines:
        raise NotFound("There is no such finding.")
    wanted = STATES[sieve.tab]
    left = [one for one in lines if not wanted or one.state in wanted]
    if not left:
        return page("nothing.html", view)
    left.sort(key=lambda one: (-one.severity.rank, -one.score, one.id))
    made = InboxStory(tuple(left), len(left), min(one.start for one in left), max(one.end for one in left))
    return page("inbox_story.html", view, story=made, row_id=row, sieve=sieve)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many findings each choice would show."""

    tabs: dict[Tab, int]
    severities: dict[Severity, int]
    kinds: dict[FindingKind, int]


def _head(
    request: Request,
    connection: Connection,
    sieve: Sieve,
    who: Principal,
    sought: Sought,
    counts: list[Tally],
) -> dict[str, Any]:
    budget = shared_of(request).settings.scoring.findings_per_day
    return {
        "sieve": sieve,
        "counts": counted(counts, sieve),
        "spent": newest_days(connection, sought.clusters, budget),
        "views": views_of(connection, owner_of(who), "/"),
    }


def counted(found: list[Tally], sieve: Sieve) -> Counts:
    """This will count what each tab, severity and kind would show, given what else is chosen."""
    active = (State.OPEN, State.TAKEN)

    def fits(one: Tally) -> bool:
        return (not sieve.severity or one.severity in sieve.severity) and sieve.kind in {None, one.kind}

    tabs = {
        tab: sum(one.count for one in found if fits(one) and (not states or one.state in states))
        for tab, states in STATES.items()
    }
    tabs[Tab.MINE] = sum(one.mine for one in found if fits(one) and one.state in active)
    tabs[Tab.NOBODYS] = sum(one.nobodys for one in found if fits(one) and one.state is State.OPEN)
    inside = [one for one in found if not STATES[sieve.tab] or one.state in STATES[sieve.tab]]

    def many(one: Tally) -> int:
        return one.mine if sieve.tab is Tab.MINE else one.nobodys if sieve.tab is Tab.NOBODYS else one.count

    severities = {
        each: sum(many(one) for one in inside if one.severity is each and sieve.kind in {None, one.kind})
        for each in reversed(Severity)
    }
    kinds = {
        each: sum(
            many(one)
            for one in inside
            if one.kind is each and (not sieve.severity or one.severity in sieve.severity)
        )
        for each in FindingKind
    }
    return Counts(tabs, severities, kinds)


def owner_of(who: Principal) -> str:
    """This will return the name under which somebody's saved views are kept."""
    return f"{who.kind}:{who.name}"
