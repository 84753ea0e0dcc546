"""A model's papers: what it was made from, how, how well it does, and what it must not be trusted with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class KindCard:
    """What one kind's detector rests on."""

    kind: str
    windows: int
    entities: int
    fitted_on: int
    """Windows the forest's sample was drawn from."""
    calibrated_on: int
    reach: float
    """Least p-value that rests on counted quiet windows; below it the tail speaks without promise."""
    channels: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """The papers of a whole model. Times are microseconds since 1970, UTC."""

    layout: str
    """Fingerprint of the layout."""
    recipe: dict[str, Any]
    first: int
    last: int
    windows: int
    left_out: int
    """Windows of confirmed attacks that no part of the training saw."""
    kinds: tuple[KindCard, ...]
    versions: dict[str, str] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    drift: dict[str, Any] = field(default_factory=dict)
    decision: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """This will give the card as plain data, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> Card:
        """This will rebuild a card from what `to_dict` gave."""
        kinds = tuple(
            KindCard(**{**kind, "channels": tuple(kind["channels"]), "notes": tuple(kind["notes"])})
            for kind in said["kinds"]
        )
        return cls(**{**said, "kinds": kinds, "notes": tuple(said["notes"])})

    def text(self) -> str:
        """This will write the card for a reader, one line a fact."""
        lines = [
            f"{self.windows} windows, {self.left_out} of confirmed attacks left out; recipe {self.recipe['name']}"
        ]
        for kind in self.kinds:
            lines.append(
                f"{kind.kind}: {kind.entities} entities, {kind.windows} windows, {' + '.join(kind.channels)}, "
                f"calibrated on {kind.calibrated_on} (p reaches {kind.reach:.2g})"
            )
            lines += [f"  {note}" for note in kind.notes]
        if "recall" in self.evaluation:
            recall = self.evaluation["recall"]
            lines.append(
                "planted deviations found within the budget: "
                + ("not measured" if recall is None else f"{recall:.0%}")
            )
        if "reason" in self.decision:
            lines.append(str(self.decision["reason"]))
        return "\n".join([*lines, *self.notes])


def plain(said: dict[str, Any]) -> dict[str, Any]:
    """This will give a dictionary as JSON would bring it back, so that a card equals itself once loaded."""
    loaded: dict[str, Any] = json.loads(json.dumps(said))
    return loaded
