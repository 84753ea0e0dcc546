"""A finding as data, with its evidence and with what people did to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from anomaly.payloads.event import EventPayload, event_payload

if TYPE_CHECKING:
    from anomaly.findings.finding import Contribution, Finding
    from anomaly.store.search import Found

SeverityWord = Literal["info", "low", "medium", "high", "critical"]
KindWord = Literal["rule", "behaviour", "system"]
StateWord = Literal["open", "below", "taken", "closed", "suppressed"]


class ContributionPayload(TypedDict):
    """How much one feature moved the score: `usual` and `peers` are in the feature's own unit, `share` adds to 1 over all."""

    feature: str
    title: str
    unit: str
    value: float
    usual: float | None
    peers: float | None
    share: float


class FindingPayload(TypedDict):
    """One finding. `count` is how many events there are, `evidence` the audit ids of the earliest, at most 1,000."""

    id: str
    cluster: str
    entity: str
    entity_kind: str
    kind: KindWord
    name: str
    title: str
    severity: SeverityWord
    attack: list[str]
    start: datetime
    end: datetime
    score: float
    reason: str
    normal: str | None
    state: StateWord
    count: int
    evidence: list[str]
    contributions: list[ContributionPayload]
    details: dict[str, str]


class FindingWithEventsPayload(FindingPayload):
    """One finding with some of its events, oldest first."""

    events: list[EventPayload]


def finding_payload(one: Finding) -> FindingPayload:
    """This will return a finding as data."""
    return {
        "id": str(one.id),
        "cluster": one.cluster,
        "entity": one.entity,
        "entity_kind": one.entity_kind,
        "kind": one.kind.value,
        "name": one.name,
        "title": one.title,
        "severity": one.severity.value,
        "attack": list(one.attack),
        "start": one.start,
        "end": one.end,
        "score": one.score,
        "reason": one.reason,
        "normal": one.normal or None,
        "state": one.state,  # type: ignore[typeddict-item]
        "count": one.count,
        "evidence": list(one.evidence),
        "contributions": [contribution_payload(part) for part in one.contributions],
        "details": one.details,
    }


def contribution_payload(part: Contribution) -> ContributionPayload:
    """This will return one part of an explanation as data."""
    return {
        "feature": part.feature,
        "title": part.title,
        "unit": part.unit,
        "value": part.value,
        "usual": part.usual,
        "peers": part.peers,
        "share": part.share,
    }


def finding_with_events_payload(one: Finding, events: Iterable[Found]) -> FindingWithEventsPayload:
    """This will return a finding with the events given."""
    return {**finding_payload(one), "events": [event_payload(event) for event in events]}
