"""The matrix: one row a window, one column a feature, and whose window it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detector import Batch
from models.errors import ModelError
from models.layout import Layout


@dataclass(frozen=True, eq=False)
class Matrix:
    """Raw feature values (n, k) >= 0 and, n each: entity id, kind, peer-group id (-1: none), as-of time (us, UTC).

    Values may be float32, which halves the memory of long histories; all that is computed from them is float64.
    """

    layout: Layout
    values: NDArray[np.floating[Any]]
    entity: NDArray[np.int64]
    kind: NDArray[np.str_]
    group: NDArray[np.int64]
    at: NDArray[np.int64]

    def __post_init__(self) -> None:
        rows = {len(part) for part in (self.values, self.entity, self.kind, self.group, self.at)}
        if len(rows) != 1:
            raise ModelError("A matrix needs values, entity, kind, group and as-of time of the same length.")
        if self.values.ndim != 2 or self.values.shape[1] != len(self.layout):
            raise ModelError(
                f"A matrix of this layout has {len(self.layout)} columns, not {self.values.shape}."
            )

    @classmethod
    def of(cls, layout: Layout, values: Any, entity: Any, kind: Any, group: Any, at: Any) -> Matrix:
        """This will make a matrix of anything array-like; raises `ModelError` on numbers that are not finite."""
        made = cls(
            layout,
            _contiguous(values),
            np.asarray(entity, dtype=np.int64),
            np.asarray(
                [str(one) for one in kind] if not isinstance(kind, np.ndarray) else kind, dtype=np.str_
            ),
            np.asarray(group, dtype=np.int64),
            np.asarray(at, dtype=np.int64),
        )
        if not np.isfinite(np.add.reduce(made.values, axis=0)).all():
            raise ModelError("Feature values must be finite numbers.")
        return made

    def __len__(self) -> int:
        return len(self.values)

    def part(self, rows: Any) -> Matrix:
        """This will give the matrix of some rows only."""
        return Matrix(
            self.layout,
            self.values[rows],
            self.entity[rows],
            self.kind[rows],
            self.group[rows],
            self.at[rows],
        )

    def batch(self, rows: Any) -> Batch:
        """This will give some rows as a detector takes them."""
        return Batch(self.values[rows], self.entity[rows], self.group[rows], self.at[rows])

    @property
    def kinds(self) -> list[str]:
        return [str(kind) for kind in np.unique(self.kind)]

    def windows_a_day(self) -> float:
        """This will say how many windows a day the matrix holds, over at least one hour."""
        if not len(self):
            return 0.0
        span = max(int(self.at.max() - self.at.min()), 3_600_000_000)
        return len(self) * 86_400_000_000 / span


def in_order_seen(entity: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """This will give the entities in the order of their first rows, and each row's place among them: what is shared out by
    entity must not depend on how a database numbers them."""
    entities, seen, inverse = np.unique(entity, return_index=True, return_inverse=True)
    order = np.argsort(seen)
    return entities[order], np.argsort(order)[inverse]


def _contiguous(values: Any) -> NDArray[np.floating[Any]]:
    if isinstance(values, np.ndarray) and values.dtype == np.float32:
        return np.ascontiguousarray(values)
    return np.ascontiguousarray(values, dtype=np.float64)
