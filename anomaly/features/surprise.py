"""How unlikely each action, place, address and agent of a window is, given the usual mix of its entity and of its peers.

    P(term | cluster's others) = (windows with it + 1/2) / (windows + 1)
    P(term | kind's others)    = (windows with it + a P(term | cluster)) / (windows + a)      and so for peers, then the entity
    surprise                   = -ln P

A is a Dirichlet prior of `PRIOR` windows: an entity of few windows is judged by its peers, one of many by itself, and a
stranger, who has none, wholly by the others. Reference: MacKay and Peto 1995, https://doi.org/10.1017/S1351324900000218.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.features.mixes import MIXED, Counts, Floats, Mixes
from anomaly.windows.dimension import Dimension
from anomaly.windows.peers import Peers
from anomaly.windows.window import Windows

PRIOR: Final = 4.0
"""Windows of others that one's own past must outweigh: with four windows of one's own both count the same."""

Ints = NDArray[np.int64]
_MIXED: Final = np.array([int(each) for each in MIXED], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Surprise:
    """One entry for each MIXED term of each window: -ln P for the entity and for its peers without it, in nats. Entries of a
    dimension lie together.

    `past` is how many windows of its entity the judgement rests on.
    """

    row: Ints
    term: Ints
    dimension: Ints
    own: Floats
    peers: Floats
    past: Floats

    def of(self, dimension: Dimension) -> Surprise:
        """This will return the entries of one dimension."""
        held = self.dimension == int(dimension)
        begin = int(held.argmax()) if len(held) else 0
        chosen = slice(begin, begin + np.count_nonzero(held))
        return Surprise(
            self.row[chosen],
            self.term[chosen],
            self.dimension[chosen],
            self.own[chosen],
            self.peers[chosen],
            self.past[chosen],
        )

    def of_strangers(self) -> Surprise:
        """This will return the same for entities of whose own past nothing is known: judged wholly by the others."""
        return replace(self, own=self.peers, past=np.zeros_like(self.past))


@dataclass(frozen=True, slots=True)
class _Pools:
    """The mixes of peer groups, kinds and the cluster: counts by (label, term) and windows by label."""

    counts: tuple[Counts, Counts, Counts]
    totals: tuple[Floats, Floats, Floats]


def surprise_of(mixes: Mixes, peers: Peers, windows: Windows, group: Ints, kind: Ints) -> Surprise:
    """This will judge every MIXED term of every window; a window inside the mix is taken out of it first."""
    pools = _pools(_Same(mixes), _Same(peers))
    parts = [windows.rows(dimension) for dimension in MIXED]
    row = np.concatenate([part[0] for part in parts])
    term = np.concatenate([part[1] for part in parts])
    dimension = np.repeat(_MIXED, [len(part[0]) for part in parts])
    inside = mixes.inside(windows)
    pair = (windows.entity[row].astype(np.int64) << 32) | term
    sample, back = row, np.arange(len(row))
    if windows.n > 1:
        # One window holds no term twice.
        pair, back = np.unique(pair, return_inverse=True)
        sample = np.empty(len(pair), dtype=np.int64)
        sample[back] = row
    what = pair & 0xFFFFFFFF
    mine, all_mine = mixes.counts.at(pair), mixes.total_of(windows.entity)[sample]
    chance = _others(
        pools, 2, np.zeros(len(pair), dtype=np.int64), what, mine, all_mine, np.full(len(pair), -1.0)
    )
    chance = _others(pools, 1, kind[sample], what, mine, all_mine, chance)
    chance = _others(pools, 0, group[sample], what, mine, all_mine, chance)
    itself = inside[row]
    left, windows_left = np.maximum(mine[back] - itself, 0.0), np.maximum(all_mine[back] - itself, 0.0)
    own = (left + PRIOR * chance[back]) / (windows_left + PRIOR)
    return Surprise(row, term, dimension, -np.log(own), -np.log(chance[back]), windows_left)


def _others(
    pools: _Pools, level: int, label: Ints, term: Ints, mine: Floats, all_mine: Floats, prior: Floats
) -> Floats:
    """The chance of the term in a window of the label's other members, smoothed by the wider circle's."""
    known = label >= 0
    safe = np.where(known, label, 0)
    totals = pools.totals[level]
    windows = totals[np.minimum(safe, len(totals) - 1)] if len(totals) else np.zeros(len(term))
    having = np.maximum(pools.counts[level].at((safe << 32) | term) - mine, 0.0)
    windows = np.maximum(windows - all_mine, 0.0)
    if level == 2:
        return (having + 0.5) / (windows + 1.0)
    return np.where(known, (having + PRIOR * prior) / (windows + PRIOR), prior)


class _Same:
    """A cache key by identity: equal arrays need not be compared."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


@lru_cache(maxsize=8)
def _pools(mixes: _Same, peers: _Same) -> _Pools:
    usual, groups = mixes.value, peers.value
    if not isinstance(usual, Mixes) or not isinstance(groups, Peers):
        raise TypeError("pools are made of mixes and peers")
    owner = usual.counts.keys >> 32
    counts, totals = [], []
    for of_key, of_entity in (
        (groups.group_of(owner), groups.group_of(usual.entities)),
        (groups.kind_of(owner), groups.kind_of(usual.entities)),
        (np.zeros(len(owner), dtype=np.int64), np.zeros(len(usual.entities), dtype=np.int64)),
    ):
        known = of_key >= 0
        counts.append(
            Counts.of(
                (of_key[known] << 32) | (usual.counts.keys[known] & 0xFFFFFFFF), usual.counts.values[known]
            )
        )
        there = of_entity >= 0
        totals.append(np.bincount(of_entity[there], weights=usual.totals[there]).astype(np.float64))
    return _Pools((counts[0], counts[1], counts[2]), (totals[0], totals[1], totals[2]))
