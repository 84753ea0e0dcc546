"""How complete what arrived is, held against what the API servers counted themselves over the same time.

    completeness = received / generated        generated = growth of apiserver_audit_event_total
    known loss   = growth of apiserver_audit_error_total by plugin: what the API server itself could not deliver

What cannot be known is part of the answer: events near both ends of the span may belong to either side (they travel in batches of
up to 30 s and may be late), so completeness is an interval; before a restart a counter takes its last minutes with it; and of
several API servers behind one address only those are counted whose pages are given, while events of all of them arrive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from anomaly.intake.exposition import Sample

_SAME_START: Final = 2.0
"""Seconds by which two readings of one start may differ."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What one API server counted in (since, until]. `restarted`: it started anew in between, and what it counted between the
    earlier sample and its end is not known, so this is the least it can have been."""

    instance: str
    since: datetime
    until: datetime
    generated: float
    errors: Mapping[str, float]
    restarted: bool


@dataclass(frozen=True, slots=True)
class Loss:
    """The estimate. `low` and `high` bound `completeness` (0..1) by what is near the ends of the span; None without events.

    `unexplained` are events neither received nor counted as errors by the API servers, zero at the least.
    """

    since: datetime
    until: datetime
    generated: float
    received: int
    errors: Mapping[str, float]
    completeness: float | None
    low: float | None
    high: float | None
    unexplained: float
    caveats: tuple[str, ...]


def growth(earlier: Sample | None, later: Sample) -> Growth | None:
    """This will return what was counted from one sample of an instance to the next; without an earlier one, or after a restart, since
    it started. None when that is not known either."""
    again = earlier is not None and _restarted(earlier, later)
    if earlier is not None and not again:
        errors = {
            name: max(0.0, count - earlier.errors.get(name, 0.0)) for name, count in later.errors.items()
        }
        made = later.generated - earlier.generated
        return Growth(later.instance, earlier.at, later.at, made, errors, restarted=False)
    if later.started is None:
        return None
    return Growth(
        later.instance,
        later.started,
        later.at,
        later.generated,
        dict(later.errors),
        restarted=earlier is not None,
    )


def _restarted(earlier: Sample, later: Sample) -> bool:
    if earlier.started is not None and later.started is not None:
        return abs((later.started - earlier.started).total_seconds()) > _SAME_START
    return later.generated < earlier.generated


def estimate(parts: Sequence[Growth], received: int, near_ends: int, heard_since: datetime | None) -> Loss:
    """This will hold what all API servers of a cluster counted against the `received` events of that span.

    `near_ends` is how many of these lie so near an end that they may belong to the other side; `heard_since` is when the first
    event of the cluster arrived at all. Raises ValueError without parts.
    """
    if not parts:
        raise ValueError("nothing was counted")
    since, until = min(part.since for part in parts), max(part.until for part in parts)
    generated = sum(part.generated for part in parts)
    errors: dict[str, float] = {}
    for part in parts:
        for name, count in part.errors.items():
            errors[name] = errors.get(name, 0.0) + count
    caveats = list(_caveats(parts, heard_since))
    if received > generated + near_ends:
        caveats.append(
            "More arrived than was counted: another API server delivers too, or the same log was read in from elsewhere."
        )

    def share(events: int) -> float | None:
        return None if generated <= 0 else min(1.0, max(0.0, events / generated))

    unexplained = max(0.0, generated - received - near_ends - sum(errors.values()))
    return Loss(
        since,
        until,
        generated,
        received,
        errors,
        share(received),
        share(received - near_ends),
        share(received + near_ends),
        unexplained,
        tuple(caveats),
    )


def _caveats(parts: Sequence[Growth], heard_since: datetime | None) -> list[str]:
    found = []
    if any(part.restarted for part in parts):
        found.append(
            "An API server started anew meanwhile: what it counted just before it ended is not known."
        )
    if len({part.instance for part in parts}) == 1:
        found.append(
            "Only one API server was read: if there are more, their events arrive and are not counted here."
        )
    starts = [part.since for part in parts]
    if (max(starts) - min(starts)).total_seconds() > 60:
        found.append("The API servers were read over different times: the span is that of all together.")
    if heard_since is None or heard_since > min(starts):
        found.append(
            "It counts from before the first event arrived here: what came earlier was never sent to us."
        )
    return found
