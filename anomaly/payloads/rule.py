"""A rule as data: its row in a list, its card, and what it would have found in what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from anomaly.payloads.finding import SeverityWord

if TYPE_CHECKING:
    from anomaly.rules import Correlation, Rule
    from anomaly.rules.needs import Need
    from anomaly.store.firing import Firing
    from anomaly.store.replay import Replayal, ReplayFinding

RuleState = Literal["on", "paused", "disabled"]


class RulePayload(TypedDict):
    """A rule. `level` is the audit level it needs to see anything."""

    id: str
    severity: SeverityWord
    attack: list[str]
    title: str
    level: str


class RuleStandingPayload(TypedDict):
    """A rule, whether it is on, paused somewhere or disabled by the settings, and its findings of late."""

    id: str
    severity: SeverityWord
    attack: list[str]
    title: str
    state: RuleState
    last_fired_at: datetime | None
    findings_7d: int
    findings_30d: int
    findings: int


class RuleCardPayload(TypedDict):
    """A rule with everything a person reads about it, and the events and fields it needs."""

    id: str
    severity: SeverityWord
    attack: list[str]
    title: str
    description: str
    falsepositives: list[str]
    look_at_first: list[str]
    tactics: list[str]
    uuid: str
    file: str
    audit_level: str
    stages: list[str]
    fields: list[str]


class RuleDayPayload(TypedDict):
    """How many findings a rule would have made on one day (UTC)."""

    day: str
    rule: str
    findings: int


class RuleFindingPayload(TypedDict):
    """A finding there would be; `evidence` has the audit ids of its earliest events."""

    id: str
    start: datetime
    severity: SeverityWord
    rule: str
    cluster: str
    entity: str
    group: list[str]
    events: int
    why: str
    evidence: list[str]


class RuleReplayPayload(TypedDict):
    """Rules over stored events: how many events there are, how many the columns left open, how many were decoded."""

    events: int
    candidates: int
    decoded: int
    findings: int
    days: list[RuleDayPayload]
    examples: list[RuleFindingPayload]


def rule_payload(one: Rule | Correlation, need: Need) -> RulePayload:
    """This will return a rule as data."""
    return {
        "id": one.id,
        "severity": one.severity,  # type: ignore[typeddict-item]
        "attack": list(one.attack),
        "title": one.title,
        "level": str(need.level),
    }


def rule_standing_payload(
    one: Rule | Correlation, state: RuleState, fired: Firing | None
) -> RuleStandingPayload:
    """This will return a rule with how it stands; `fired` None when it has no findings."""
    return {
        "id": one.id,
        "severity": one.severity,  # type: ignore[typeddict-item]
        "attack": list(one.attack),
        "title": one.title,
        "state": state,
        "last_fired_at": fired.last if fired else None,
        "findings_7d": fired.week if fired else 0,
        "findings_30d": fired.month if fired else 0,
        "findings": fired.all if fired else 0,
    }


def rule_card_payload(one: Rule | Correlation, need: Need) -> RuleCardPayload:
    """This will return a rule with its card."""
    card = one.card
    return {
        "id": one.id,
        "severity": one.severity,  # type: ignore[typeddict-item]
        "attack": list(one.attack),
        "title": one.title,
        "description": card.description,
        "falsepositives": list(card.falsepositives),
        "look_at_first": list(card.look_at_first),
        "tactics": list(card.tactics),
        "uuid": card.uuid,
        "file": card.file,
        "audit_level": str(need.level),
        "stages": [str(stage) for stage in need.stages],
        "fields": [str(field) for field in need.fields],
    }


def rule_replay_payload(made: Replayal, clusters: Mapping[int, str], examples: int) -> RuleReplayPayload:
    """This will return a replay as data, with at most so many of its findings; `clusters` has the names by id."""
    return {
        "events": made.events,
        "candidates": made.candidates,
        "decoded": made.decoded,
        "findings": len(made.findings),
        "days": list(_by_day(made.findings)),
        "examples": [_found(one, clusters) for one in made.findings[: max(0, examples)]],
    }


def _by_day(findings: Iterable[ReplayFinding]) -> Iterable[RuleDayPayload]:
    days: dict[tuple[str, str], int] = {}
    for one in findings:
        day = (f"{datetime.fromtimestamp(one.start_us / 1e6, UTC):%Y-%m-%d}", one.rule)
        days[day] = days.get(day, 0) + 1
    for (day_text, rule), count in sorted(days.items()):
        yield {"day": day_text, "rule": rule, "findings": count}


def _found(one: ReplayFinding, clusters: Mapping[int, str]) -> RuleFindingPayload:
    first = one.examples[0]
    return {
        "id": str(one.id),
        "start": first.at,
        "severity": one.severity,  # type: ignore[typeddict-item]
        "rule": one.rule,
        "cluster": clusters.get(one.cluster_id, ""),
        "entity": first.entity,
        "group": list(one.group),
        "events": one.count,
        "why": first.why,
        "evidence": [example.audit_id for example in one.examples],
    }
