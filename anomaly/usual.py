"""What is usual for one entity: the mix of what it does, its hours, its peers, as the model in use knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from anomaly.features.mixes import MIXED
from anomaly.nightly import Judge
from anomaly.windows.dimension import Dimension
from anomaly.windows.vocabulary import Vocabulary

MOST: Final = 20
"""Values of one dimension that are shown, the most frequent."""
MOST_PEERS: Final = 20


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for an entity, from `windows` windows on `days` days.

    `mix` has for each dimension the most frequent values with the share of windows they occur in; `hours` the share of windows that
    began in each hour (UTC), 24 of working days and then 24 of weekends. `peers` is the group it is compared with.
    """

    windows: int
    days: int
    hours: tuple[float, ...]
    mix: Mapping[Dimension, tuple[tuple[str, float], ...]]
    peers: str
    members: tuple[int, ...]


def usual_of(judge: Judge, words: Vocabulary, entity_id: int) -> Usual | None:
    """This will return what is usual for an entity; None for one that was not there at the training."""
    history = judge.context.history
    mixes, peers = history.mixes, history.peers
    place = int(mixes.positions(np.array([entity_id]))[0])
    group = int(peers.group_of(np.array([entity_id]))[0])
    if place < 0 or group < 0:
        return None
    total = float(mixes.totals[place])
    low, high = np.searchsorted(mixes.counts.keys, [entity_id << 32, (entity_id + 1) << 32]).tolist()
    terms = mixes.counts.keys[low:high] & 0xFFFFFFFF
    shares = mixes.counts.values[low:high] / max(total, 1.0)
    mix: dict[Dimension, list[tuple[str, float]]] = {dimension: [] for dimension in MIXED}
    for number, share in sorted(zip(terms.tolist(), shares.tolist(), strict=True), key=lambda pair: -pair[1]):
        found = mix[words.dimension_of(number)]
        if len(found) < MOST:
            found.append((words.text_of(number), min(share, 1.0)))
    hours = mixes.hours[place]
    members = peers.entities[(peers.groups == group) & (peers.entities != entity_id)][:MOST_PEERS]
    return Usual(
        int(total),
        int(mixes.days[place]),
        tuple((hours / max(float(hours.sum()), 1.0)).tolist()),
        {dimension: tuple(found) for dimension, found in mix.items()},
        peers.names[group],
        tuple(members.tolist()),
    )
