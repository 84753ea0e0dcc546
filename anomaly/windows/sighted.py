"""What one entity, or the whole cluster, showed first and when: two arrays, small enough to be joined for every window asked about."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.windows.firsts import Firsts
from anomaly.windows.vocabulary import Vocabulary

Ints = NDArray[np.int64]
Sighted = tuple[Ints, Ints]
"""Terms, ascending, with when each was first seen in microseconds."""
NOTHING: Final[Sighted] = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


def sightings_of(firsts: Firsts, entity: int) -> Sighted:
    """This will return what one entity showed, of all that is known."""
    low, high = np.searchsorted(firsts.keys, [entity << 32, (entity + 1) << 32]).tolist()
    return firsts.keys[low:high] & 0xFFFFFFFF, firsts.first_us[low:high]


def picked(seen: Sighted, wanted: Ints) -> Sighted:
    """This will return only what was seen of these terms."""
    where = np.searchsorted(seen[0], wanted)
    inside = where < len(seen[0])
    where, wanted = where[inside], wanted[inside]
    chosen = where[seen[0][where] == wanted]
    return seen[0][chosen], seen[1][chosen]


def within(seen: Sighted, words: Vocabulary) -> Sighted:
    """This will return sightings in any order sorted by term, without terms that came after the vocabulary was looked at."""
    order = np.argsort(seen[0], kind="stable")
    terms, moments = seen[0][order], seen[1][order]
    known = terms < words.size
    return terms[known], moments[known]


def joined(one: Sighted, other: Sighted) -> Sighted:
    """This will return both, each term once, with the earlier of two moments."""
    terms, moments = np.concatenate((one[0], other[0])), np.concatenate((one[1], other[1]))
    order = np.argsort(terms, kind="stable")
    terms, moments = terms[order], moments[order]
    twice = terms[1:] == terms[:-1]
    if twice.any():
        once = Firsts.of(np.zeros(len(terms), dtype=np.int64), terms, moments)
        return once.term, once.first_us
    return terms, moments


def among(terms: Ints, known: Ints) -> NDArray[np.bool_]:
    """This will say of each term whether it is among the known, which are sorted."""
    if not len(known):
        return np.zeros(len(terms), dtype=np.bool_)
    return np.asarray(known[np.minimum(np.searchsorted(known, terms), len(known) - 1)] == terms)
