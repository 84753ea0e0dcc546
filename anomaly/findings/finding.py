"""What a person sees: something that a rule matched or that deviates from what is usual, with the reason and the evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Final
from uuid import UUID


class FindingKind(StrEnum):
    """Where a finding comes from."""

    RULE = "rule"
    BEHAVIOUR = "behaviour"
    SYSTEM = "system"
    """About the product's own sight: a cluster fell silent, its policy changed, events are lost."""


class Severity(StrEnum):
    """How bad it would be if it were what it looks like; ordered from info to critical by `rank`."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 4 for critical."""
        return _RANKS[self]


_RANKS: Final = {one: place for place, one in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Contribution:
    """How much one feature moved the score, beside what is usual.

    `share` is the part of the score's strangeness this feature carries (they add to 1 over all features);
    `usual` and `peers` are the usual values for the entity itself and its peer group, in the feature's own unit; None: unknown.
    """

    feature: str
    title: str
    unit: str
    value: float
    usual: float | None
    peers: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `evidence` holds audit ids of the events behind it, oldest first, at most as many as are kept;
    `count` is how many events there are in all. Times are aware UTC; `score` is 0..1, high = strange (rules: by severity)."""

    id: UUID
    cluster: str
    entity: str
    entity_kind: str
    kind: FindingKind
    name: str
    title: str
    severity: Severity
    attack: tuple[str, ...]
    start: datetime
    end: datetime
    score: float
    reason: str
    count: int
    evidence: tuple[str, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    normal: str = ""
    state: str = "open"
    details: dict[str, str] = field(default_factory=dict)


def finding_id(cluster_id: int, kind: FindingKind, name: str, group: tuple[str, ...], bucket_us: int) -> UUID:
    """This will return the id that all matches of one story share: same cluster, rule or deviation, group and time bucket.

    It follows from the content, so every replica and every repeat gives the same finding.
    """
    parts = (str(cluster_id), kind.value, name, str(bucket_us), *group)
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return UUID(bytes=blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest())
