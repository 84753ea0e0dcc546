"""Exceptions from rules, pauses of rules, and what both hold back, as data."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.findings.exceptions import RuleException
    from anomaly.store.exceptions import Listed, Preview
    from anomaly.store.pauses import Held, Pause


class ExceptionPayload(TypedDict):
    """An exception; `*` stands for anything. `findings` and `silenced` count what it has held back, in findings and events."""

    id: int
    rule: str
    cluster: str
    entity: str
    namespace: str
    name: str
    owner: str
    reason: str
    created_at: datetime | None
    ends_at: datetime
    findings: int
    silenced: int


class FoundDayPayload(TypedDict):
    """How many findings of one day."""

    day: date
    findings: int


class SilencedPayload(TypedDict):
    """A finding that an exception would have silenced."""

    id: str
    rule: str
    entity: str
    start: datetime


class ExceptionPreviewPayload(TypedDict):
    """What an exception would have silenced: findings wholly and `partly`, events in them, matches correlations would have missed."""

    findings: int
    partly: int
    events: int
    fed: int
    days: list[FoundDayPayload]
    examples: list[SilencedPayload]


class KeptExceptionPayload(TypedDict):
    """An exception that was just saved, with how many findings it would have silenced."""

    id: int
    rule: str
    cluster: str
    entity: str
    namespace: str
    name: str
    owner: str
    reason: str
    ends_at: datetime
    would_have_silenced: int


class HeldPayload(TypedDict):
    """A finding that an exception or a pause holds back."""

    id: str
    start: datetime
    end: datetime
    rule: str
    cluster: str
    entity: str
    reason: str
    count: int


class PausePayload(TypedDict):
    """A rule that made too many findings in an hour: how many, how many are usual, and what is held back since."""

    rule: str
    cluster: str
    hour: datetime
    found: int
    usual: float
    paused_at: datetime
    held: int
    held_events: int


def exception_payload(one: Listed) -> ExceptionPayload:
    """This will return an exception as data."""
    made = one.exception
    return {
        "id": made.id,
        "rule": made.rule,
        "cluster": made.cluster,
        "entity": made.entity,
        "namespace": made.namespace,
        "name": made.name,
        "owner": made.owner,
        "reason": made.reason,
        "created_at": made.created_at,
        "ends_at": made.ends_at,
        "findings": one.findings,
        "silenced": one.silenced,
    }


def kept_exception_payload(number: int, made: RuleException, would: Preview) -> KeptExceptionPayload:
    """This will return an exception that was saved under a number."""
    return {
        "id": number,
        "rule": made.rule,
        "cluster": made.cluster,
        "entity": made.entity,
        "namespace": made.namespace,
        "name": made.name,
        "owner": made.owner,
        "reason": made.reason,
        "ends_at": made.ends_at,
        "would_have_silenced": would.findings,
    }


def exception_preview_payload(would: Preview) -> ExceptionPreviewPayload:
    """This will return what an exception would have silenced."""
    return {
        "findings": would.findings,
        "partly": would.partly,
        "events": would.events,
        "fed": would.fed,
        "days": [{"day": day, "findings": count} for day, count in would.by_day.items()],
        "examples": [
            {"id": str(number), "rule": rule, "entity": entity, "start": start}
            for number, rule, entity, start in would.examples
        ],
    }


def held_payload(one: Held) -> HeldPayload:
    """This will return a finding that is held back."""
    return {
        "id": str(one.id),
        "start": one.start,
        "end": one.end,
        "rule": one.rule,
        "cluster": one.cluster,
        "entity": one.entity,
        "reason": one.reason,
        "count": one.count,
    }


def pause_payload(one: Pause) -> PausePayload:
    """This will return a pause as data."""
    return {
        "rule": one.rule,
        "cluster": one.cluster,
        "hour": one.hour,
        "found": one.found,
        "usual": one.usual,
        "paused_at": one.paused_at,
        "held": one.held,
        "held_events": one.held_events,
    }
