"""A model: one detector for each entity kind, one for kinds it never saw, the layout they share, and the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, pack, unpack
from models.baseline import Baseline, Shrinkage
from models.calibration import Calibration
from models.card import Card
from models.combination import Combination
from models.detector import Batch, Channel, Detector, Judgement, Judgements
from models.errors import ModelError, UntrustedArtifact
from models.explanation import Explanation, explain
from models.extended_forest import ExtendedForest
from models.feedback import LeafLessons
from models.flat_tree import FlatTrees
from models.isolation_forest import IsolationForest
from models.layout import Layout
from models.reference import Reference
from models.relative import Lens, View
from models.rhythm import Rhythm

ANY = "any"
"""The detector for kinds without one of their own: trained on all kinds together."""


@dataclass(frozen=True, eq=False)
class Model:
    """What the scorer holds: pure data and numpy, safe to share between threads."""

    layout: Layout
    detectors: Mapping[str, Detector]
    card: Card
    newcomers: Mapping[str, Calibration] = field(default_factory=dict)
    """Of kinds whose members look strange when they come: how strange. It stands for the detector's own calibration where the
    baseline does not know an entity. A kind may be here that was never seen: it is judged by the detector of any kind."""

    def detector(self, kind: str) -> Detector:
        """This will give the kind's detector, that of all kinds together when the kind is new."""
        found = self.detectors.get(kind) or self.detectors.get(ANY)
        if found is None:
            raise ModelError(f"The model has no detector for kind {kind} and none for any kind.")
        return found

    @cached_property
    def _for_newcomers(self) -> dict[str, Detector]:
        return {
            kind: replace(self.detector(kind), calibration=scale, _near={}, _lock=Lock())
            for kind, scale in self.newcomers.items()
        }

    def _of(self, kind: str, entity: int) -> Detector:
        found = self.detector(kind)
        if kind in self.newcomers and not found.baseline.knows(entity):
            return self._for_newcomers[kind]
        return found

    def judge(
        self,
        values: NDArray[np.floating[Any]],
        kind: NDArray[np.str_],
        entity: NDArray[np.int64],
        group: NDArray[np.int64],
        at: NDArray[np.int64],
        workers: int = 1,
    ) -> Judgements:
        """This will judge windows of any kinds, given as parallel arrays (`values` (n, k), the rest n)."""
        batch = Batch(values, entity, group, at)
        width = max((len(found.channels) for found in self.detectors.values()), default=1)
        score, p_value, statistic, confidence = (np.zeros(len(batch)) for _ in range(4))
        surprises = np.full((len(batch), width), np.nan)
        for name in np.unique(kind):
            rows = np.flatnonzero(kind == name)
            detector = self.detector(str(name))
            found = detector.judge(batch.part(rows), workers)
            score[rows], p_value[rows], statistic[rows] = found.score, found.p_value, found.statistic
            confidence[rows] = found.confidence
            surprises[rows, : found.surprises.shape[1]] = found.surprises
            if (scale := self.newcomers.get(str(name))) is not None:
                new = rows[detector.baseline.positions(entity[rows]) < 0]
                surprise = scale.surprise(statistic[new])
                score[new], p_value[new] = 1.0 - np.exp(-surprise / 4.0), np.exp(-surprise)
        return Judgements(score, p_value, statistic, confidence, surprises)

    def judge_row(
        self, kind: str, entity: int, group: int, at: int, values: NDArray[np.floating[Any]]
    ) -> Judgement:
        """This will judge one window; the hot path."""
        return self._of(kind, entity).judge_row(entity, group, at, values)

    def explain(
        self,
        kind: str,
        entity: int,
        group: int,
        at: int,
        values: NDArray[np.floating[Any]],
        threshold: float = 1e-3,
    ) -> Explanation:
        """This will say why one window scores as it does, and what would have brought p above the threshold."""
        return explain(self._of(kind, entity), entity, group, at, values, threshold)

    @cached_property
    def artifact(self) -> Artifact:
        """The model as bytes, always the same for the same model."""
        arrays: dict[str, NDArray[Any]] = {}
        documents = []
        for number, kind in enumerate(sorted(self.detectors)):
            document, held = dismantle(self.detectors[kind])
            documents.append(document)
            arrays.update({f"{number}/{name}": array for name, array in held.items()})
        for number, kind in enumerate(sorted(self.newcomers)):
            held = self.newcomers[kind].arrays()
            arrays.update({f"newcomers{number}/{name}": array for name, array in held.items()})
        return pack(
            {
                "newcomers": sorted(self.newcomers),
                "layout": self.layout.rows(),
                "card": self.card.to_dict(),
                "detectors": documents,
            },
            arrays,
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the artifact; names the model."""
        return self.artifact.digest

    @classmethod
    def load(cls, data: bytes, digest: str | None = None) -> Model:
        """This will rebuild a model from its artifact; raises `UntrustedArtifact` when it was altered."""
        document, arrays = unpack(data, digest)
        try:
            layout = Layout.from_rows(document["layout"])
            detectors = {}
            for number, said in enumerate(document["detectors"]):
                prefix = f"{number}/"
                own = {
                    name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)
                }
                detectors[said["kind"]] = assemble(layout, said, own)
            newcomers = {
                kind: Calibration.from_arrays(
                    {name: arrays[f"newcomers{number}/{name}"] for name in Calibration.ARRAYS}
                )
                for number, kind in enumerate(document.get("newcomers", ()))
            }
            return cls(layout, detectors, Card.from_dict(document["card"]), newcomers)
        except Exception as error:  # whatever a part says about its arrays can be wrong
            raise UntrustedArtifact("The artifact lacks a part of the model; train again.") from error


def dismantle(detector: Detector) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """This will take a detector apart into plain data and arrays."""
    parts: dict[str, Mapping[str, NDArray[Any]]] = {
        "baseline": detector.baseline.arrays(),
        "calibration": detector.calibration.arrays(),
        **{f"scale{place}": scale.arrays() for place, scale in enumerate(detector.scales)},
    }
    document: dict[str, Any] = {
        "kind": detector.kind,
        "view": str(detector.lens.view),
        "fall_weight": detector.lens.fall_weight,
        "clip": detector.lens.clip,
        "shrinkage": asdict(detector.baseline.shrinkage),
        "channels": [str(channel) for channel in detector.channels],
        "combination": str(detector.combination),
    }
    if (forest := detector.forest) is not None:
        parts["forest"] = forest.trees.arrays()
        document["forest"] = {"samples": forest.samples, "columns": forest.columns}
    if (wide := detector.extended) is not None:
        parts["extended"] = wide.arrays()
        document["extended"] = {"trees": wide.trees, "samples": wide.samples, "columns": wide.columns}
    if detector.rhythm is not None:
        parts["rhythm"] = detector.rhythm.arrays()
    if detector.reference is not None:
        parts["reference"] = detector.reference.arrays()
    if detector.lessons is not None:
        parts["lessons"] = {"push": detector.lessons.push}
        document["lessons"] = {"bound": detector.lessons.bound}
    return document, {f"{part}/{name}": array for part, held in parts.items() for name, array in held.items()}


def assemble(layout: Layout, said: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Detector:
    """This will put a detector together again."""

    def part(name: str) -> dict[str, NDArray[Any]]:
        return {key[len(name) + 1 :]: array for key, array in arrays.items() if key.startswith(f"{name}/")}

    channels = tuple(Channel(channel) for channel in said["channels"])
    rhythm, lessons, reference = part("rhythm"), part("lessons"), part("reference")
    return Detector(
        kind=said["kind"],
        lens=Lens(layout, View(said["view"]), said["fall_weight"], said["clip"]),
        baseline=Baseline(Shrinkage(**said["shrinkage"]), **part("baseline")).checked(),
        channels=channels,
        combination=Combination(said["combination"]),
        scales=tuple(Calibration.from_arrays(part(f"scale{place}")) for place in range(len(channels))),
        calibration=Calibration.from_arrays(part("calibration")),
        forest=IsolationForest(FlatTrees(**part("forest")).checked(), **said["forest"])
        if "forest" in said
        else None,
        extended=ExtendedForest.from_parts(part("extended"), said["extended"])
        if "extended" in said
        else None,
        rhythm=Rhythm(**rhythm) if rhythm else None,
        lessons=LeafLessons(lessons["push"], said["lessons"]["bound"]) if lessons else None,
        reference=Reference(**reference) if reference else None,
    )
