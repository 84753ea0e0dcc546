"""A window as somebody tells it: who, when, and what was counted, in words. Nothing of it need be stored.

The same counts that events fold into (`fold.py`), for batches so small that numbers for their words would cost more than they save.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from anomaly.events.decode import Decoded
from anomaly.events.key import microseconds, received_at
from anomaly.windows.dimension import Dimension
from anomaly.windows.fold import MINUTE_US
from anomaly.windows.terms import Term, event_terms, shape_terms


@dataclass(frozen=True, slots=True)
class Told:
    """What one user did in one window. `start_us` in microseconds since 1970, at the beginning of a window."""

    username: str
    start_us: int
    counts: Mapping[Term, int]


def told_by(decoded: Decoded, span_us: int) -> Iterator[Told]:
    """This will yield the windows that events fall into, by user and start; duplicates in the batch count as often as they come."""
    windows: dict[tuple[str, int], Counter[Term]] = {}
    for event, shape, raw in zip(decoded.events, decoded.shapes, decoded.raws, strict=True):
        moment = received_at(event)
        terms = shape_terms(shape)
        if moment is None or not terms:
            continue
        at = microseconds(moment)
        start = at - at % span_us
        counts = windows.setdefault((shape.identity.username, start), Counter())
        counts.update(terms)
        counts.update(event_terms(event, shape))
        if shape.final:
            counts[Dimension.MINUTE, str((at - start) // MINUTE_US)] += 1
            counts[Dimension.BYTES, ""] += len(raw)
    for (username, start), found in sorted(windows.items()):
        yield Told(username, start, dict(found))
