"""When each term was first seen, for each entity and for the whole cluster: the truth behind "never before".

Arrays sorted by (entity, term), so that a million questions are one binary search. The cluster's own firsts stand under the
entity id `CLUSTER_WIDE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.windows.entity import CLUSTER_WIDE

NEVER: Final = np.iinfo(np.int64).max
"""The moment of what has not happened yet."""

Moments = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Firsts:
    """First sightings in one cluster: `first_us[i]` (microseconds since 1970) belongs to `keys[i]`, entity << 32 | term.

    Build it with `Firsts.of`; keys are sorted and distinct.
    """

    keys: NDArray[np.int64]
    first_us: Moments

    @classmethod
    def of(
        cls, entity: NDArray[np.integer], term: NDArray[np.integer], first_us: NDArray[np.integer]
    ) -> Firsts:
        """This will sort and join sightings in any order; of several for one (entity, term) the earliest counts."""
        keys = (entity.astype(np.int64) << 32) | term.astype(np.int64)
        order = np.lexsort((first_us, keys))
        keys, moments = keys[order], first_us[order].astype(np.int64)
        fresh = np.concatenate(([True], np.diff(keys) != 0))[: len(keys)]
        return cls(keys[fresh], moments[fresh])

    @classmethod
    def none(cls) -> Firsts:
        """This will return an empty history."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))

    def joined(self, news: Firsts) -> Firsts:
        """This will return both together, the earlier moment of each; takes little when the news are few."""
        where = np.searchsorted(self.keys, news.keys)
        inside = np.minimum(where, max(len(self.keys) - 1, 0))
        there = self.keys[inside] == news.keys if len(self.keys) else np.zeros(len(where), dtype=np.bool_)
        moments = self.first_us.copy()
        moments[where[there]] = np.minimum(moments[where[there]], news.first_us[there])
        fresh = ~there
        return Firsts(
            np.insert(self.keys, where[fresh], news.keys[fresh]),
            np.insert(moments, where[fresh], news.first_us[fresh]),
        )

    @property
    def entity(self) -> NDArray[np.int64]:
        return self.keys >> 32

    @property
    def term(self) -> NDArray[np.int64]:
        return self.keys & 0xFFFFFFFF

    def of_entity(self, entity: NDArray[np.integer], term: NDArray[np.integer]) -> Moments:
        """This will return when each entity first showed each term, NEVER where it has not."""
        return look_up(self.keys, self.first_us, (entity.astype(np.int64) << 32) | term.astype(np.int64))

    def of_cluster(self, term: NDArray[np.integer]) -> Moments:
        """This will return when anybody in the cluster first showed each term, NEVER where nobody has."""
        return self.of_entity(np.full(len(term), CLUSTER_WIDE, dtype=np.int64), term)

    def began(self, entity: NDArray[np.integer]) -> Moments:
        """This will return the first moment each entity was seen at all, NEVER for a stranger."""
        who = self.entity
        edges = np.flatnonzero(np.concatenate(([True], np.diff(who) != 0)))[: len(who)]
        earliest = np.minimum.reduceat(self.first_us, edges) if len(edges) else self.first_us
        return look_up(who[edges], earliest, entity.astype(np.int64))


def look_up(keys: NDArray[np.int64], values: Moments, asked: NDArray[np.int64]) -> Moments:
    """This will return the value of each asked key in sorted `keys`, NEVER where it is not there."""
    if not len(keys):
        return np.full(len(asked), NEVER, dtype=np.int64)
    where = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[where] == asked, values[where], NEVER)
