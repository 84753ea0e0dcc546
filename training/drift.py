"""What has changed since the champion was trained, feature by feature and kind by kind."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.model import ANY, Model
from training.matrix import Matrix

SHIFTED = 0.25
"""Population stability index from which a feature counts as another one (0.1 to 0.25: moving)."""
LEAST_ROWS = 100
"""Windows below which the index is mostly noise."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The most shifted features as (kind, feature, index), kinds that came and went, and the share shifted."""

    shifted: tuple[tuple[str, str, float], ...]
    share: float
    new_kinds: tuple[str, ...]
    gone_kinds: tuple[str, ...]
    too_few: tuple[str, ...]
    """Kinds with too few windows to say."""

    def to_dict(self) -> dict[str, Any]:
        """This will give the drift as plain data, for the card."""
        return asdict(self)


def drift_since(champion: Model, matrix: Matrix, rows: NDArray[np.intp]) -> Drift:
    """This will compare the rows with what the champion was trained on; the most shifted first."""
    champion.layout.require(matrix.layout)
    present = {str(kind) for kind in np.unique(matrix.kind[rows])}
    known = {kind for kind in champion.detectors if kind != ANY}
    found: list[tuple[str, str, float]] = []
    too_few, compared = [], 0
    for kind in sorted(present & known):
        reference = champion.detectors[kind].reference
        own = rows[matrix.kind[rows] == kind]
        if reference is None or len(own) < LEAST_ROWS:
            too_few.append(kind)
            continue
        index = reference.stability(matrix.values[own])
        compared += len(index)
        found += [
            (kind, matrix.layout.names[place], float(index[place]))
            for place in np.flatnonzero(index >= SHIFTED)
        ]
    found.sort(key=lambda one: -one[2])
    return Drift(
        tuple(found[:50]),
        len(found) / compared if compared else 0.0,
        tuple(sorted(present - known)),
        tuple(sorted(known - present)),
        tuple(too_few),
    )
