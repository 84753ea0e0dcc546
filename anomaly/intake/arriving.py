"""One sort of events that arrive: a verb on a resource, at a level and a stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Arriving:
    """`resource` as in `apps/deployments`, `pods/exec`, or the path of a request that is for none. Level and stage are
    kube-apiserver's names, empty where a source has none. `events` counts those looked at."""

    verb: str
    resource: str
    level: str
    stage: str
    events: int
    last: datetime | None = None


def shares(arriving: Iterable[Arriving], of: str) -> dict[str, float]:
    """This will return the share (0..1) of events by "level" or "stage", the greatest first; "(none)" where there is none."""
    counts: dict[str, int] = {}
    for one in arriving:
        name = (one.level if of == "level" else one.stage) or "(none)"
        counts[name] = counts.get(name, 0) + one.events
    total = sum(counts.values()) or 1
    return {name: count / total for name, count in sorted(counts.items(), key=lambda pair: -pair[1])}
