"""The order, units and meaning of the columns of a matrix, and a fingerprint that no renaming escapes.

A model trained on one order of columns and fed another gives nonsense without any error, so every model keeps
the fingerprint of its layout and refuses a matrix with another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property

from models.errors import LayoutMismatch, ModelError

SURPRISING_FAMILIES = frozenset({"novelty", "rarity"})
"""Families whose values already say how unusual something is for this entity."""


class Treatment(StrEnum):
    """How a feature is judged."""

    RELATIVE = "relative"
    """Against the entity's own usual value, and its peers'."""
    SURPRISE = "surprise"
    """Against the kind's usual value: the number is already relative to the entity's past (novelty, rarity)."""
    CONTEXT = "context"
    """Shown in explanations, never judged."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One column: its name, its unit, the family (file) it comes from, and why it is looked at."""

    name: str
    unit: str
    family: str
    reason: str
    treatment: Treatment = Treatment.RELATIVE


@dataclass(frozen=True)
class Layout:
    """The columns of a matrix, in order. Names are unique."""

    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        if not self.features:
            raise ModelError("A layout needs at least one feature.")
        if len(set(self.names)) != len(self.features):
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise ModelError(f"Features named twice: {', '.join(twice)}.")

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        units: Sequence[str] | None = None,
        families: Sequence[str] | None = None,
        reasons: Sequence[str] | None = None,
    ) -> Layout:
        """This will make a layout from parallel lists; novelty and rarity families are taken as surprise."""
        columns = [list(names)]
        for given, default in ((units, "count"), (families, ""), (reasons, "")):
            columns.append(list(given) if given is not None else [default] * len(names))
        return cls(
            tuple(
                Feature(name, unit, family, reason, treatment_of(family))
                for name, unit, family, reason in zip(*columns, strict=True)
            )
        )

    @classmethod
    def from_rows(cls, rows: Sequence[dict[str, str]]) -> Layout:
        """This will rebuild a layout from what `rows()` gave."""
        return cls(
            tuple(Feature(**{**row, "treatment": Treatment(row["treatment"])}) for row in rows)  # type: ignore[arg-type]
        )

    def rows(self) -> list[dict[str, str]]:
        """This will give the features as plain dictionaries, for JSON."""
        return [{key: str(value) for key, value in asdict(feature).items()} for feature in self.features]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @cached_property
    def index(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over names, units, families and treatments in order; reasons may be reworded freely."""
        said = [[f.name, f.unit, f.family, str(f.treatment)] for f in self.features]
        return hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest()

    def require(self, other: Layout) -> None:
        """This will raise `LayoutMismatch`, naming the difference, unless the other layout is the same."""
        if self.fingerprint == other.fingerprint:
            return
        gone = [name for name in self.names if name not in other.index]
        new = [name for name in other.names if name not in self.index]
        said = [f"missing {', '.join(gone[:5])}"] if gone else []
        said += [f"unknown {', '.join(new[:5])}"] if new else []
        raise LayoutMismatch(
            f"The features differ from those of the model ({'; '.join(said) or 'order, unit or treatment'}).",
            hint="Train again with the features now in use.",
        )

    def __len__(self) -> int:
        return len(self.features)

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features)


def treatment_of(family: str) -> Treatment:
    """This will say how a family's features are judged when nothing else was said."""
    return Treatment.SURPRISE if family in SURPRISING_FAMILIES else Treatment.RELATIVE
