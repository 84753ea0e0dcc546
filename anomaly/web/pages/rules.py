"""The rules: how grave each is, for which technique, whether it is on, when it fired last and how often of late."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from anomaly.findings.finding import Severity
from anomaly.payloads.rule import RuleStandingPayload, RuleState, rule_standing_payload
from anomaly.rights import Principal, Right
from anomaly.store.clusters import cluster_names
from anomaly.store.firing import firings
from anomaly.store.pauses import Pause, list_pauses
from anomaly.web.access import need_page
from anomaly.web.app import shared_of
from anomaly.web.console.answer import page
from anomaly.web.console.language import N_
from anomaly.web.console.menu import Entry
from anomaly.web.console.view import View, view_of
from anomaly.web.desk import Desk, desk_of

router = APIRouter(include_in_schema=False)
ENTRY = Entry("/rules", N_("Rules"), "rule", "r", 70)
KEYS = (("j k", N_("Next and previous row")), ("Enter", N_("Open the row")))

Reader = Annotated[Principal, Depends(need_page(Right.READ))]
Order = Literal["fired", "severity", "name"]
Fired = Literal["week", "month", "never"]
_LONGEST: Final = 100


@router.get("/rules")
def rules(
    request: Request,
    who: Reader,
    q: Annotated[str, Query(max_length=_LONGEST)] = "",
    severity: Annotated[Severity | Literal[""], Query()] = "",
    technique: Annotated[str, Query(max_length=_LONGEST)] = "",
    state: Annotated[RuleState | Literal[""], Query()] = "",
    fired: Annotated[Fired | Literal[""], Query()] = "",
    sort: Annotated[Order, Query()] = "fired",
) -> Response:
    """Show the rules."""
    desk = desk_of(request)
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        listed = standing(connection, desk, view)
        paused = pauses_in_sight(connection, view)
    chosen = [
        one
        for one in listed
        if (not q or q.lower() in f"{one['id']} {one['title']} {' '.join(one['attack'])}".lower())
        and severity in {"", one["severity"]}
        and (not technique or technique in one["attack"])
        and state in {"", one["state"]}
        and _fired(one, fired)
    ]
    return page(
        "rules.html",
        view,
        listed=sorted_by(chosen, sort),
        all=listed,
        counts={each: sum(one["state"] == each for one in listed) for each in ("on", "paused", "disabled")},
        techniques=sorted({id for one in listed for id in one["attack"]}),
        severities=[each.value for each in reversed(Severity)],
        paused=paused,
        chosen={
            "q": q,
            "severity": str(severity),
            "technique": technique,
            "state": state,
            "fired": fired,
            "sort": sort,
        },
        filtered=any((q, severity, technique, state, fired)),
        page_keys=KEYS,
    )


def standing(connection: Connection, desk: Desk, view: View) -> list[RuleStandingPayload]:
    """This will return every rule with how it stands in the clusters that the page is about, in the order of the set."""
    when = firings(connection, clusters_of(connection, view), view.now)
    paused = {one.rule for one in pauses_in_sight(connection, view)}
    return [
        rule_standing_payload(one, state_of(desk, one.id, paused), when.get(one.id))
        for one in desk.every_rule.by_id.values()
    ]


def state_of(desk: Desk, rule: str, paused: Iterable[str]) -> RuleState:
    """This will return whether a rule is on, paused in some cluster, or disabled by the settings."""
    if rule not in desk.rules.by_id:
        return "disabled"
    return "paused" if rule in paused else "on"


def clusters_of(connection: Connection, view: View) -> list[int]:
    """This will return the ids of the clusters in sight that the page is about."""
    return [
        number
        for number, name in cluster_names(connection).items()
        if name in view.clusters and view.scope.cluster in {None, name}
    ]


def pauses_in_sight(connection: Connection, view: View) -> list[Pause]:
    """This will return the pauses that last, of clusters in sight that the page is about."""
    return [
        one
        for one in list_pauses(connection)
        if one.cluster in view.clusters and view.scope.cluster in {None, one.cluster}
    ]


_RANK: Final = {each.value: -each.rank for each in Severity}


def sorted_by(rules: list[RuleStandingPayload], order: Order) -> list[RuleStandingPayload]:
    """This will order rules: those that fired last first, the gravest first, or by title."""
    if order == "name":
        return sorted(rules, key=lambda one: one["title"].lower())
    graver = sorted(rules, key=lambda one: (_RANK[one["severity"]], one["title"].lower()))
    if order == "severity":
        return graver
    return sorted(graver, key=lambda one: -(one["last_fired_at"].timestamp() if one["last_fired_at"] else 0))


def _fired(one: RuleStandingPayload, wanted: Fired | Literal[""]) -> bool:
    if wanted == "week":
        return one["findings_7d"] > 0
    if wanted == "month":
        return one["findings_30d"] > 0
    return wanted == "" or one["last_fired_at"] is None
