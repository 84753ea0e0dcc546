"""Known machines looked at as if they had just come: what a new one may be compared with.

A machine that joins does everything for the first time, and by the measure of the known that is as strange as an attack: three
nodes that joined a recorded cluster made half of all deviations of its quiet hour. So the windows after the fit are taken once
more with all that their own entity did before forgotten: how strange do known machines look to somebody who has never seen them?
That is the scale for machines that are really new. People are no machines: a new one is rare, and judged as everybody is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.events.identity import EntityKind
from anomaly.features.history import History
from anomaly.windows.firsts import Firsts
from anomaly.windows.peers import KINDS
from anomaly.windows.window import Windows

MACHINES: Final = (EntityKind.SERVICE_ACCOUNT, EntityKind.NODE, EntityKind.SYSTEM)
MOST: Final = 20_000
"""Windows looked at again: enough for p-values down to one in ten thousand."""


def newcomer_rows(windows: Windows, history: History, since_us: int, for_us: int) -> NDArray[np.intp]:
    """This will choose the windows of machines within `for_us` of their first from `since_us` on, at most about `MOST`.

    Whole entities are chosen, every so-manyth, so that each is seen from its beginning.
    """
    codes = [KINDS.index(kind) for kind in MACHINES]
    late = (windows.start >= since_us) & np.isin(history.peers.kind_of(windows.entity), codes)
    rows: NDArray[np.intp] = np.flatnonzero(late)
    if not len(rows):
        return rows
    entities, seen, inverse = np.unique(windows.entity[rows], return_index=True, return_inverse=True)
    begun = np.full(len(entities), np.iinfo(np.int64).max)
    np.minimum.at(begun, inverse, windows.start[rows])
    young = windows.start[rows] < begun[inverse] + for_us
    rows, inverse = rows[young], inverse[young]
    step = -(-len(rows) // MOST)
    # By the order of the windows, which is of names: numbers of entities are of who came first.
    turn = np.argsort(np.argsort(seen))[inverse]
    return np.asarray(rows[turn % step == 0], dtype=np.intp)


def forgotten(windows: Windows, history: History) -> History:
    """This will return the history in which the entities of these windows began with them. What the others did, and what is rare
    among them, stays; each entity is left out of the others by the circles and the mixes themselves."""
    row = np.repeat(np.arange(windows.n), np.diff(windows.offsets))
    firsts = Firsts.of(windows.entity[row], windows.terms, windows.start[row])
    return History(firsts, history.circles, history.mixes, history.peers, strangers=True)
