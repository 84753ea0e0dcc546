"""One rule: what it looks for and why, what it needs, when it fired, what is excepted from it, and what it would have found."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy import Connection

from anomaly.asked import chosen_rule
from anomaly.findings.exceptions import fits
from anomaly.payloads.exception import exception_payload, held_payload
from anomaly.payloads.rule import rule_card_payload, rule_standing_payload
from anomaly.rights import Principal, Right
from anomaly.rules.needs import Need, needs
from anomaly.rules.rule import Card, Example
from anomaly.store.exceptions import list_exceptions
from anomaly.store.firing import fired_by_day, firings
from anomaly.store.pauses import list_held
from anomaly.web.access import need_page
from anomaly.web.app import shared_of
from anomaly.web.console.answer import page
from anomaly.web.console.columns import DAY, chart_of, days_until
from anomaly.web.console.errands import ended_well, followed
from anomaly.web.console.language import N_
from anomaly.web.console.rulebook import meaning
from anomaly.web.console.view import View, view_of
from anomaly.web.desk import Desk, desk_of
from anomaly.web.fields import Words
from anomaly.web.pages.rules import clusters_of, pauses_in_sight, state_of
from anomaly.web.routes.exceptions import visible

router = APIRouter(include_in_schema=False)
KEYS = (("p", N_("Replay over what is stored")), ("i", N_("Back to the rules")))

ERRAND: Final = "replay-rules"
DAYS: Final = 30
_HELD: Final = 5

Reader = Annotated[Principal, Depends(need_page(Right.READ))]
RuleId = Annotated[Words, Path(description="Id of the rule.")]


@router.get("/rules/{rule}")
def rule(
    request: Request,
    who: Reader,
    rule: RuleId,
    run: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Show one rule, and how far its replay is when one was begun."""
    desk = desk_of(request)
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        values = {
            **_about(connection, desk, view, rule),
            **work(connection, desk, view, who, rule),
            **told(connection, who, rule, run),
        }
    return page("rule.html", view, page_keys=KEYS, **values)


def _about(connection: Connection, desk: Desk, view: View, name: str) -> dict[str, Any]:
    found = chosen_rule(desk.every_rule, name).by_id[name]
    needed = need_of(desk, name)
    ids = clusters_of(connection, view)
    days = days_until(view.now, DAYS)
    counts = fired_by_day(connection, ids, name, days[0], days[-1] + DAY)
    paused = [one.rule for one in pauses_in_sight(connection, view)]
    fired = firings(connection, ids, view.now, name).get(name)
    why, harmless = meaning(found.card)
    return {
        "one": rule_standing_payload(found, state_of(desk, name, paused), fired),
        "card": rule_card_payload(found, needed),
        "targets": needed.reaches,
        "why": why,
        "harmless": harmless,
        "references": found.card.references,
        "fires": examples_of(found.card, firing=True),
        "stays_quiet": examples_of(found.card, firing=False),
        "chart": chart_of(days, counts),
        "by_day": [(day, counts[day]) for day in reversed(days) if day in counts],
    }


def work(connection: Connection, desk: Desk, view: View, who: Principal, name: str) -> dict[str, Any]:
    """This will return what people decided about a rule: its exceptions, and the pauses they can end."""
    listed = [
        one
        for one in list_exceptions(connection)
        if fits(one.exception.rule, name)
        and visible(who, one)
        and one.exception.ends_at > view.now - timedelta(days=30)
    ]
    pauses = [one for one in pauses_in_sight(connection, view) if one.rule == name]
    return {
        "rule_id": name,
        "exceptions": [
            (exception_payload(one), one.exception.ends_at > view.now, _may_end(who, one.exception.cluster))
            for one in listed
        ],
        "pauses": [
            (one, [held_payload(held) for held in list_held(connection, "pause", one.id, _HELD)])
            for one in pauses
        ],
        "everywhere": who.clusters is None,
    }


def told(connection: Connection, who: Principal, name: str, number: int | None) -> dict[str, Any]:
    """This will return a replay: how far it is, and what it would have found a day."""
    run = None if number is None else followed(connection, who, number, ERRAND, {"rule": name})
    shown = run is not None and ended_well(run)
    detail = run.detail if run and shown else {}
    counts: dict[datetime, int] = {}
    for one in detail.get("days", []):
        if one["rule"] == name:
            counts[datetime.fromisoformat(f"{one['day']}T00:00:00+00:00")] = one["findings"]
    days = _between(counts)
    return {
        "run": run,
        "shown": shown,
        "replayed": list(counts.items()),
        "replayed_count": sum(counts.values()),
        "replayed_chart": chart_of(days, counts),
        "replayed_examples": [
            one | {"start": datetime.fromisoformat(one["start"])} for one in detail.get("examples", [])
        ],
    }


def _between(counts: dict[datetime, int]) -> list[datetime]:
    """Every day from the first to the last, at most a year of them."""
    if not counts:
        return []
    last = max(counts)
    length = min((last - min(counts)) // DAY, 366)
    return [last - place * DAY for place in range(length, -1, -1)]


def _may_end(who: Principal, pattern: str) -> bool:
    return who.may(Right.TRIAGE) and (who.clusters is None or who.may_see(pattern))


def need_of(desk: Desk, name: str) -> Need:
    """This will return what one rule needs; of one that is not in use it is worked out for it alone."""
    if name in desk.rules.by_id:
        return desk.needs[name]
    found = needs(chosen_rule(desk.every_rule, name))
    return next(one for one in found if one.rule == name)


def examples_of(card: Card, firing: bool) -> list[tuple[str, list[str]]]:
    """This will return the examples of a rule as (name, events laid out for reading)."""
    return [(one.name, _laid_out(one)) for one in card.examples if one.firing is firing]


def _laid_out(one: Example) -> list[str]:
    return [msgspec.json.format(event, indent=2).decode("utf-8", "replace") for event in one.events]
