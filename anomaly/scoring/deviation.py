"""A window over the threshold with everything a finding needs: name, severity, reason, contributions, evidence."""

from __future__ import annotations

from dataclasses import dataclass, field

from anomaly.windows.dimension import Dimension
from anomaly.windows.entity import Entity


@dataclass(frozen=True, slots=True)
class Part:
    """What one feature has to do with the score: its value, the usual one for the entity and its peers (in its unit), and its
    share of the strangeness; all shares add up to 1."""

    feature: str
    title: str
    unit: str
    value: float
    usual: float | None
    peers: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Deviation:
    """One judged window that lies over the threshold.

    `name` is of `anomaly.scoring.catalogue`, `also` are further names that stand out. An event is evidence when it has one of the
    `evidence` terms. `confidence` 0..1 says how far the judgement rests on the entity's own past; `score` 0..1, high = strange.
    Times are microseconds since 1970, UTC.
    """

    entity: Entity
    start_us: int
    span_us: int
    name: str
    title: str
    severity: str
    attack: tuple[str, ...]
    score: float
    p_value: float
    confidence: float
    reason: str
    normal: str
    parts: tuple[Part, ...]
    evidence: tuple[tuple[Dimension, str], ...]
    also: tuple[str, ...] = ()
    details: dict[str, str] = field(default_factory=dict)
