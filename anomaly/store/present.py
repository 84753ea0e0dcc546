"""What is known of one cluster at present, held from look to look: its words, its entities, its first sightings.

Who judges windows as they change looks every second; reading everything each time would cost more than judging. What was first seen
at some time lies in the window of that time, and that window is to be judged again for it. So to whoever judges all windows that
change, only sightings since the beginning of those windows can be news. Others may judge too, by command: now and then all is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from anomaly.scoring import Deviation
from anomaly.scoring.retelling import Retelling
from anomaly.store.behind import MOST_IN_WINDOW
from anomaly.store.entities import all_entities, entities_from
from anomaly.store.firsts import load_firsts, newer_firsts
from anomaly.store.terms import terms_from, vocabulary
from anomaly.store.windows import Span, read_windows, unsorted_windows
from anomaly.windows.entity import Entity
from anomaly.windows.firsts import Firsts
from anomaly.windows.vocabulary import Vocabulary
from anomaly.windows.window import RECORD, Windows

Connection = psycopg.Connection[tuple[object, ...]]

REREAD_SECONDS: Final = 300.0
BRIEFLY: Final = 1_000
"""Events looked at when a window is told for the first time: it is told soon, and whole when it is told again."""
_DEEPEST: Final = 8
"""How often a vocabulary is widened before it is read anew: each step is one more place to look a text up."""


Telling = tuple[Deviation, int]
"""A deviation, and how many events of its window to look at."""


class Present:
    """One cluster as it is now. Used by one thread. `clock` gives seconds that only go up."""

    def __init__(self, cluster_id: int, clock: Callable[[], float]) -> None:
        self.cluster_id = cluster_id
        self._clock = clock
        self._words: Vocabulary | None = None
        self._entities: dict[int, Entity] = {}
        self._firsts: Firsts | None = None
        self._read_at = 0.0
        self._retelling = Retelling()

    def tell(
        self, windows: Sequence[tuple[int, int]], explained: Callable[[int], Deviation]
    ) -> tuple[list[Telling], set[tuple[int, int]]]:
        """This will return the deviations to tell now, each with how many events to look at, and those of the windows that stay to be
        judged: those that wait, and those of which little was looked at.

        `windows` are those over the line, (entity, start), the strangest first; `explained` is asked for the deviation of a place in
        them, and only for what may be told at this look: under a load that deviates, explaining all at every look took a third of it.
        """
        now = self._clock()
        chosen = self._retelling.choose(
            [explained(place) for place in self._retelling.worth(windows, now)], now
        )
        told = [(one, BRIEFLY if first else MOST_IN_WINDOW) for one, first in chosen]
        whole = {(one.entity.id, one.start_us) for one, first in chosen if not first}
        return told, set(windows) - whole

    @property
    def entities(self) -> Mapping[int, Entity]:
        """The entities by number, those of all windows read so far among them."""
        return self._entities

    def windows(self, connection: Connection, span: Span, span_us: int) -> Windows:
        """This will read windows of the cluster as `anomaly.store.windows.read_windows` does, in its order."""
        who, starts, blobs = unsorted_windows(connection, span)
        records = np.frombuffer(b"".join(blobs), dtype=RECORD)
        words = self._covering(connection, records["term"].astype(np.int64))
        lengths = np.fromiter(map(len, blobs), dtype=np.int64, count=len(blobs)) // RECORD.itemsize
        owner = np.array(who, dtype=np.int64)
        rank = self._ranks(connection, owner)
        return Windows.from_records(
            words, owner, np.array(starts, dtype=np.int64), lengths, records, span_us, rank
        )

    def firsts(self, connection: Connection, since_us: int) -> Firsts:
        """This will return all first sightings; `since_us` is the beginning of the oldest window that changed since the last call."""
        if self._firsts is None or self._clock() - self._read_at >= REREAD_SECONDS:
            self._firsts, self._read_at = load_firsts(connection, self.cluster_id), self._clock()
        else:
            self._firsts = self._firsts.joined(newer_firsts(connection, self.cluster_id, since_us))
        return self._firsts

    def _covering(self, connection: Connection, terms: NDArray[np.int64]) -> Vocabulary:
        words = self._words
        if words is not None and not _covers(words, terms) and _depth(words) < _DEEPEST:
            words = words.widened(terms_from(connection, words.size))
        if words is None or not _covers(words, terms):
            # A number that was handed out earlier may become visible later than a higher one.
            words = vocabulary(connection)
        self._words = words
        return words

    def _ranks(self, connection: Connection, owner: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each owner stands among those at hand, by name."""
        present = set(owner.tolist())
        if not present <= self._entities.keys():
            first = max(self._entities, default=0) + 1
            self._entities |= {one.id: one for one in entities_from(connection, self.cluster_id, first)}
        if not present <= self._entities.keys():
            self._entities |= {one.id: one for one in all_entities(connection, self.cluster_id)}
        named = sorted(present, key=lambda one: (self._entities[one].identity.username.encode(), one))
        place = {one: rank for rank, one in enumerate(named)}
        return np.array([place[one] for one in owner.tolist()], dtype=np.int64)


def present_of(
    connection: Connection, cluster_id: int, span: Span, span_us: int, held: Present | None = None
) -> tuple[Windows, Firsts, Mapping[int, Entity]]:
    """This will return the windows of a span of a cluster with the first sightings and entities there are; all is read, unless
    `held` has it. Nothing beside empty windows is read."""
    own = replace(span, cluster_id=cluster_id)
    if held is not None:
        windows = held.windows(connection, own, span_us)
        since = int(windows.start.min(initial=np.iinfo(np.int64).max))
        return windows, held.firsts(connection, since) if windows.n else Firsts.none(), held.entities
    windows = read_windows(connection, own, span_us)
    if not windows.n:
        return windows, Firsts.none(), {}
    firsts = load_firsts(connection, cluster_id)
    return windows, firsts, {one.id: one for one in all_entities(connection, cluster_id)}


def _covers(words: Vocabulary, terms: NDArray[np.int64]) -> bool:
    return not len(terms) or (int(terms.max()) < words.size and bool(words.dimensions[terms].all()))


def _depth(words: Vocabulary) -> int:
    depth = 0
    while words.base is not None:
        words, depth = words.base, depth + 1
    return depth
