"""Stories: what one entity does in one go, gathered from its findings.

A story is a run of findings whose times touch or lie at most GAP apart, cut after LONGEST so that a busy account does not become
one endless row. All in columns of numbers: ten thousand findings take about two milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

GAP: Final = timedelta(hours=1)
LONGEST: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stories:
    """Findings by place, story after story: those of story i are `members[edges[i] : edges[i + 1]]`, by time. `start`, `end`
    and `risk` are of whole stories: the first start, the last end (microseconds, as given) and the highest risk."""

    members: Numbers
    edges: Numbers
    start: Numbers
    end: Numbers
    risk: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.start)

    def of(self, story: int) -> Numbers:
        """This will return the places of the findings of one story."""
        return self.members[self.edges[story] : self.edges[story + 1]]

    def riskiest_first(self) -> Numbers:
        """This will return the stories in the order of their risk, of equal risk the latest first."""
        return np.lexsort((np.arange(len(self)), -self.end, -self.risk))

    def newest_first(self) -> Numbers:
        """This will return the stories in the order in which they ended, the latest first."""
        return np.lexsort((np.arange(len(self)), -self.end))


def gather(whose: Numbers, start: Numbers, end: Numbers, risk: NDArray[np.float64]) -> Stories:
    """This will gather findings into stories. All are columns, a place for each finding: the entity, times in microseconds from
    any one moment on, and the risk."""
    members = np.lexsort((start, whose))
    whose, start, end, risk = whose[members], start[members], end[members], risk[members]
    if not len(members):
        return Stories(members, np.zeros(1, np.int64), start, end, risk)
    begins = np.concatenate(([True], _apart(whose, start, end)))
    edges = np.append(np.flatnonzero(begins), len(members))
    edges = _cut(start, edges)
    first = edges[:-1]
    return Stories(
        members, edges, start[first], np.maximum.reduceat(end, first), np.maximum.reduceat(risk, first)
    )


def _apart(whose: Numbers, start: Numbers, end: Numbers) -> NDArray[np.bool_]:
    """Whether each finding but the first is of another entity than the one before, or starts too long after all before it."""
    others = whose[1:] != whose[:-1]
    # The furthest end so far, of each entity anew: later entities are lifted above all that earlier ones can reach.
    entity = np.concatenate(([0], np.cumsum(others)))
    low = int(start.min())
    lift = entity * (int(end.max()) - low + 1)
    reach = np.maximum.accumulate(end - low + lift) - lift + low
    apart: NDArray[np.bool_] = others | (start[1:] - reach[:-1] > GAP // _MICROSECOND)
    return apart


def _cut(start: Numbers, edges: Numbers) -> Numbers:
    """Edges, with more where a run goes on for LONGEST or more; few do."""
    longest = LONGEST // _MICROSECOND
    too_long = np.flatnonzero(start[edges[1:] - 1] - start[edges[:-1]] >= longest)
    more: list[int] = []
    for run in too_long.tolist():
        first, last = int(edges[run]), int(edges[run + 1])
        while start[last - 1] - start[first] >= longest:
            first += int(np.searchsorted(start[first:last], start[first] + longest))
            more.append(first)
    return np.sort(np.concatenate((edges, np.array(more, np.int64)))) if more else edges
