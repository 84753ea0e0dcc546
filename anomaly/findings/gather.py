"""From rule matches to findings: which events belong to one story. A function of the set of matches, never of their order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from anomaly.findings.finding import FindingKind, Severity, finding_id
from anomaly.rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Match:
    """Rule `rule` fired on event number `index` of a batch."""

    rule: Rule
    group: tuple[str, ...]
    index: int
    received_us: int
    request: tuple[str, str, str, int] | None = None
    """Which request it was, for rules that may match several events of one; None where an event is a request."""


@dataclass(slots=True)
class Draft:
    """What a batch adds to one finding. `earliest` are the events it begins with: several when they share a microsecond."""

    id: UUID
    rule: Rule
    group: tuple[str, ...]
    start_us: int
    end_us: int
    earliest: list[int]
    indexes: list[int] = field(default_factory=list)
    requests: set[tuple[str, str, str, int]] = field(default_factory=set)

    @property
    def count(self) -> int:
        """How many requests these events are."""
        return len(self.requests) or len(self.indexes)

    @property
    def severity(self) -> Severity:
        return Severity(self.rule.severity)


SCORES = {
    Severity.INFO: 0.1,
    Severity.LOW: 0.3,
    Severity.MEDIUM: 0.5,
    Severity.HIGH: 0.8,
    Severity.CRITICAL: 0.95,
}
"""A rule's score: rules are certain of what they saw, so its severity stands for how strange it is."""


def gather(cluster_id: int, matches: Iterable[Match]) -> list[Draft]:
    """This will return one draft for each (rule, group, timeframe), ordered by finding id."""
    drafts: dict[UUID, Draft] = {}
    for match in matches:
        frame_us = match.rule.timeframe * 1_000_000
        bucket = match.received_us - match.received_us % frame_us
        number = finding_id(cluster_id, FindingKind.RULE, match.rule.id, match.group, bucket)
        draft = drafts.get(number)
        if draft is None:
            draft = drafts[number] = Draft(
                number,
                match.rule,
                match.group,
                match.received_us,
                match.received_us,
                [match.index],
            )
        elif match.received_us < draft.start_us:
            draft.start_us, draft.earliest = match.received_us, [match.index]
        elif match.received_us == draft.start_us:
            draft.earliest.append(match.index)
        draft.end_us = max(draft.end_us, match.received_us)
        draft.indexes.append(match.index)
        if match.request is not None:
            draft.requests.add(match.request)
    return sorted(drafts.values(), key=lambda draft: draft.id)
