"""What a judge needs beside the windows: the model in use, the cluster's past, who is who, and where the line is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.features.history import History
from anomaly.windows.entity import Entity
from anomaly.windows.peers import KINDS
from models.model import Model

KIND_NAMES: NDArray[np.str_] = np.array([kind.value for kind in KINDS])


@dataclass(frozen=True, slots=True)
class Context:
    """One cluster as the judge sees it.

    `threshold` is the p-value at or below which a window is a deviation; it follows from the alert budget
    (`models.line.line_of`). The history's peers must know every entity of the windows (`Peers.with_strangers`), and its
    firsts must cover them and, for what they show first, the cluster.
    """

    model: Model
    history: History
    entities: Mapping[int, Entity]
    threshold: float

    def kinds(self, entity: NDArray[np.integer]) -> NDArray[np.str_]:
        """This will return the kind of each entity, by the name the model knows it by."""
        codes = self.history.peers.kind_of(entity)
        known = np.array(
            [KINDS.index(self.entities[int(who)].kind) for who in entity[codes < 0]], dtype=np.int64
        )
        codes = codes.copy()
        codes[codes < 0] = known
        return KIND_NAMES[codes]
