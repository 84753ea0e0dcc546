"""Which terms an entity shows for the first time in a window, and how much that says."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from anomaly.features.circles import Circle, Circles, Rates, Topic, merged_terms, topics
from anomaly.windows.entity import CLUSTER_WIDE
from anomaly.windows.firsts import NEVER, Firsts
from anomaly.windows.vocabulary import Vocabulary
from anomaly.windows.window import Windows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fresh:
    """One entry for each term that is new for its entity in window `row`.

    `surprise` (nats) says how unusual anything new is for this entity in this topic, 0 for a stranger, to whom all is new;
    `others[:, circle]` the same for a circle of which nobody else has shown the term before, 0 where somebody has.
    """

    row: Ints
    term: Ints
    topic: Ints
    surprise: Floats
    others: Floats
    stranger: NDArray[np.bool_]

    def total(self, n: int, weight: Floats, *wanted: Topic) -> Floats:
        """This will return the sum of weights per window over the wanted topics (all without any), float64 of length n."""
        asked = np.zeros(int(Topic.NONE) + 1, dtype=np.bool_)
        asked[list(wanted) or slice(None)] = True
        chosen = asked[self.topic]
        return np.bincount(self.row[chosen], weights=weight[chosen], minlength=n).astype(np.float64)


def fresh_terms(firsts: Firsts, circles: Circles, windows: Windows, group: Ints, kind: Ints) -> Fresh:
    """This will find the new terms of windows by walking the firsts of their entities, which are far fewer than the terms."""
    entity, term, moment = _merged(firsts, windows)
    # The circles may be a night old; the cluster's own firsts are not, where they were given.
    overtaken = firsts.of_cluster(term) < moment
    topic = topics(windows.vocabulary.dimensions[term])
    row = _row_of(windows, entity, moment)
    own = Rates.of(entity, topic, moment, windows.span_us)
    chosen = (row >= 0) & (topic != int(Topic.NONE))
    row, entity, term, topic, overtaken = (part[chosen] for part in (row, entity, term, topic, overtaken))
    start = windows.start[row]
    stranger = own.began(entity) >= start
    others = np.zeros((len(row), len(Circle)))
    for circle, label in (
        (Circle.PEERS, group[row]),
        (Circle.KIND, kind[row]),
        (Circle.CLUSTER, np.zeros(len(row), dtype=np.int64)),
    ):
        before = circles.sightings[circle].before_by_others(label, entity, term)
        never = before >= start
        others[never, circle] = circles.rates[circle].surprise(label, topic, start)[never]
    others[overtaken, Circle.CLUSTER] = 0.0
    return Fresh(row, term, topic, own.surprise(entity, topic, start), others, stranger)


def _merged(firsts: Firsts, windows: Windows) -> tuple[Ints, Ints, Ints]:
    """The firsts of the windows' entities, user agents of one product as one, sorted by entity."""
    wanted = np.unique(windows.entity).astype(np.int64)
    wanted = wanted[wanted != CLUSTER_WIDE]
    low = np.searchsorted(firsts.keys, wanted << 32)
    high = np.searchsorted(firsts.keys, (wanted + 1) << 32)
    lengths = high - low
    where = np.arange(int(lengths.sum())) + np.repeat(low - np.cumsum(lengths) + lengths, lengths)
    entity, term = firsts.entity[where], firsts.term[where]
    known = term < windows.vocabulary.size
    entity, term, moment = entity[known], term[known], firsts.first_us[where][known]
    joined = Firsts.of(entity, merged_of(windows)[term], moment)
    return joined.entity, joined.term, joined.first_us


def _row_of(windows: Windows, entity: Ints, moment: Ints) -> Ints:
    """The window each moment of an entity falls into, -1 where that window is not among these."""
    spans = windows.start // windows.span_us
    base = int(spans.min(initial=0))
    keys = (windows.entity.astype(np.int64) << 32) | (spans - base)
    order = np.argsort(keys, kind="stable")
    bins = moment // windows.span_us - base
    asked = (entity << 32) | np.clip(bins, 0, (1 << 32) - 1)
    if not len(keys):
        return np.full(len(asked), -1, dtype=np.int64)
    where = order[np.minimum(np.searchsorted(keys[order], asked), len(keys) - 1)]
    found = (keys[where] == asked) & (bins >= 0) & (moment != NEVER)
    return np.where(found, where, -1)


def merged_of(windows: Windows) -> Ints:
    """This will return `merged_terms` of the windows' vocabulary, remembered for each vocabulary."""
    known = _known.get(windows.vocabulary)
    if known is None:
        known = _known[windows.vocabulary] = merged_terms(windows.vocabulary)
    return known


_known: WeakKeyDictionary[Vocabulary, Ints] = WeakKeyDictionary()
