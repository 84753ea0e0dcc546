"""Which terms an entity shows for the first time in a window, and how much that says."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from anomaly.features.circles import Circle, Circles, Rates, Topic, merged_terms, product, products, topics
from anomaly.windows.dimension import Dimension
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

    @classmethod
    def none(cls) -> Fresh:
        """This will return what windows show that hold nothing new."""
        whole, part = np.zeros(0, dtype=np.int64), np.zeros(0)
        return cls(whole, whole, whole, part, np.zeros((0, len(Circle))), np.zeros(0, dtype=np.bool_))

    def total(self, n: int, weight: Floats, *wanted: Topic) -> Floats:
        """This will return the sum of weights per window over the wanted topics (all without any), float64 of length n."""
        if not len(self.row):
            return np.zeros(n)
        asked = np.zeros(int(Topic.NONE) + 1, dtype=np.bool_)
        asked[list(wanted) or slice(None)] = True
        chosen = asked[self.topic]
        return np.bincount(self.row[chosen], weights=weight[chosen], minlength=n).astype(np.float64)


def fresh_terms(firsts: Firsts, circles: Circles, windows: Windows, group: Ints, kind: Ints) -> Fresh:
    """This will find the new terms of windows by walking the firsts of their entities, which are far fewer than the terms."""
    entity, term, moment = _merged(firsts, windows)
    topic = topics(windows.vocabulary.dimensions[term])
    row = _row_of(windows, entity, moment)
    chosen = (row >= 0) & (topic != int(Topic.NONE))
    if not chosen.any():
        # Most windows show nothing new.
        return Fresh.none()
    own = Rates.of(entity, topic, moment, windows.span_us)
    row, entity, term, topic, moment = (part[chosen] for part in (row, entity, term, topic, moment))
    # The circles may be a night old; the cluster's own firsts are not, where they were given.
    overtaken = firsts.of_cluster(term) < moment
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
        if not never.any():
            continue
        others[never, circle] = circles.rates[circle].surprise(label, topic, start)[never]
    others[overtaken, Circle.CLUSTER] = 0.0
    return Fresh(row, term, topic, own.surprise(entity, topic, start), others, stranger)


def _merged(firsts: Firsts, windows: Windows) -> tuple[Ints, Ints, Ints]:
    """The firsts of the windows' entities, user agents of one product as one, sorted by entity."""
    if windows.n == 1:
        who = int(windows.entity[0])
        low, high = firsts.keys.searchsorted((who << 32, (who + 1) << 32)).tolist()
        part = slice(low, high if who != CLUSTER_WIDE else low)
        keys, moment = firsts.keys[part], firsts.first_us[part]
    else:
        where = _places_of(firsts, windows)
        keys, moment = firsts.keys[where], firsts.first_us[where]
    entity, term = keys >> 32, keys & 0xFFFFFFFF
    known = term < windows.vocabulary.size
    if not known.all():
        entity, term, moment = entity[known], term[known], moment[known]
    stands_for = merged_terms_of(windows.vocabulary, term)
    if (stands_for == term).all():
        return entity, term, moment
    joined = Firsts.of(entity, stands_for, moment)
    return joined.entity, joined.term, joined.first_us


def _places_of(firsts: Firsts, windows: Windows) -> Ints:
    wanted = np.unique(windows.entity).astype(np.int64)
    wanted = wanted[wanted != CLUSTER_WIDE]
    low = np.searchsorted(firsts.keys, wanted << 32)
    high = np.searchsorted(firsts.keys, (wanted + 1) << 32)
    lengths = high - low
    return np.asarray(np.arange(int(lengths.sum())) + np.repeat(low - np.cumsum(lengths) + lengths, lengths))


def _row_of(windows: Windows, entity: Ints, moment: Ints) -> Ints:
    """The window each moment of an entity falls into, -1 where that window is not among these."""
    if windows.n == 1:
        return np.where(moment // windows.span_us == int(windows.start[0]) // windows.span_us, 0, -1)
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


def merged_terms_of(vocabulary: Vocabulary, terms: Ints) -> Ints:
    """This will return what each of these terms stands for (`merged_terms`), remembered for each vocabulary.

    Of a vocabulary that was widened only what is new is asked, in time that does not grow with what it was widened from.
    """
    base = vocabulary.base
    if base is None or vocabulary in _known:
        return _merged_terms(vocabulary)[terms]
    beyond = terms >= base.size
    if not beyond.any():
        return _merged_terms(base)[terms]
    found = np.empty(len(terms), dtype=np.int64)
    found[~beyond] = _merged_terms(base)[terms[~beyond]]
    found[beyond] = _new_terms(vocabulary, base)[terms[beyond] - base.size]
    return found


def _merged_terms(vocabulary: Vocabulary) -> Ints:
    known = _known.get(vocabulary)
    if known is None:
        base = vocabulary.base
        known = (
            merged_terms(vocabulary)
            if base is None
            else np.concatenate((_merged_terms(base), _new_terms(vocabulary, base)))
        )
        _known[vocabulary] = known
    return known


def _new_terms(vocabulary: Vocabulary, base: Vocabulary) -> Ints:
    """What the terms stand for that the base does not have."""
    first = _products.get(base)
    if first is None:
        first = _products[base] = products(base)
    fresh = np.arange(base.size, vocabulary.size, dtype=np.int64)
    made: dict[str, int] = {}
    for number in vocabulary.numbers_beyond(base, Dimension.AGENT):
        name = product(vocabulary.text_of(number))
        fresh[number - base.size] = first[name] if name in first else made.setdefault(name, number)
    return fresh


_known: WeakKeyDictionary[Vocabulary, Ints] = WeakKeyDictionary()
_products: WeakKeyDictionary[Vocabulary, dict[str, int]] = WeakKeyDictionary()
