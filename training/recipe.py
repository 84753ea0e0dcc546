"""Everything a training may vary, in one frozen value that is written on the model's card.

Same matrix and same recipe, seed included, give byte for byte the same scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from models.baseline import Shrinkage
from models.budget import Budget
from models.combination import Combination
from models.detector import Channel
from models.errors import ModelError
from models.relative import View


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. Shares are of the matrix's windows in the order of their as-of times."""

    name: str = "nightly"
    seed: int = 20261
    fit_share: float = 0.6
    calibrate_share: float = 0.25
    """Later than the fit: a calibration on the windows a model was fitted on promises too much."""
    trees: int = 100
    samples: int = 256
    view: View = View.FEATURES
    channels: tuple[Channel, ...] = (Channel.FOREST, Channel.TOP_THREE)
    try_channels: bool = False
    """Also fit an extended forest, and keep whichever set of channels finds most planted deviations."""
    combination: Combination = Combination.HARMONIC
    shrinkage: Shrinkage = field(default_factory=Shrinkage)
    fall_weight: float = 0.3
    clip: float = 30.0
    rhythm: bool = True
    """Learn when entities usually work, where two weeks of history are there."""
    least_windows: int = 20
    """Fewer windows than this make no forest; the kind is judged by the top-three channel alone."""
    loud_share: float = 0.05
    """Most of a forest's rows that one entity may give."""
    most_calibration: int = 100_000
    most_any: int = 100_000
    """Windows the detector for unknown kinds is trained on."""
    set_aside: float = 0.005
    """Most of the calibration windows left out as too strange until someone has looked at them; 0 turns it off."""
    review: int = 20
    """Strangest calibration windows put before a reviewer."""
    budget: Budget = field(default_factory=Budget)
    windows_a_day: float | None = None
    """None: as many as the matrix has a day. Stretched or thinned logs say it themselves."""
    planted: int = 400
    jobs: int = 2
    backend: str = "threading"
    """joblib's: threading, loky, or a registered one such as dask, ray or spark."""

    def __post_init__(self) -> None:
        sound = (
            0 < self.fit_share < 1
            and 0 < self.calibrate_share < 1
            and self.fit_share + self.calibrate_share <= 1
            and self.trees >= 1
            and 2 <= self.samples <= 16_384
            and 0 <= self.fall_weight <= 1
            and self.clip > 0
            and 0 < self.loud_share <= 1
            and len(self.channels) >= 1
        )
        if not sound:
            raise ModelError(f"The recipe {self.name} holds a value out of range.")

    def to_dict(self) -> dict[str, Any]:
        """This will give the recipe as plain data, for the card."""
        said = asdict(self)
        said["channels"] = [str(channel) for channel in self.channels]
        said["view"], said["combination"] = str(self.view), str(self.combination)
        return said

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> Recipe:
        """This will rebuild a recipe from what `to_dict` gave; raises `ModelError` on a name it does not know."""
        unknown = set(said) - {known.name for known in fields(cls)}
        if unknown:
            raise ModelError(f"A recipe has no {', '.join(sorted(unknown))}.")
        built = {**said}
        converters: dict[str, Callable[[Any], Any]] = {
            "channels": _channels,
            "view": View,
            "combination": Combination,
            "shrinkage": lambda value: Shrinkage(**value),
            "budget": lambda value: Budget(**value),
        }
        for name, convert in converters.items():
            if name in built:
                built[name] = convert(built[name])
        return cls(**built)


def _channels(names: Sequence[str]) -> tuple[Channel, ...]:
    return tuple(Channel(name) for name in names)


RECIPES: dict[str, Recipe] = {
    "nightly": Recipe(),
    # Half an hour of a log: every window counts, and habits must form within a dozen of them.
    "small": Recipe(
        name="small",
        fit_share=0.55,
        calibrate_share=0.35,
        shrinkage=Shrinkage(pseudo_windows=15.0),
        planted=200,
    ),
    # A second forest where it proves better: takes about three times as long.
    "thorough": Recipe(name="thorough", trees=200, try_channels=True, planted=1_000),
}
"""Named recipes. `nightly` for a cluster's weeks, `small` for a demonstration, `thorough` for long histories."""
