"""What a fitted detector is. Here live the layout of features, baselines, forests, calibration, explanation, the
card, and the artifact they are kept in: numbers in, judgements out.

What belongs here: whatever a scorer needs at hand, and nothing it does not.
What does not: how a model comes to be (`training`), Kubernetes, SQL, clocks and files.
To add a channel: one file that turns a window's columns into a score, a member in `Channel`, a branch in
`Detector.raw` and in `Desk.statistic`, and its share in `explanation.py`.
"""

from models.artifact import Artifact
from models.budget import Budget, Threshold, threshold_for
from models.card import Card, KindCard
from models.detector import Batch, Channel, Detector, Judgement, Judgements
from models.discovery import OnlineDiscovery, benjamini_hochberg
from models.errors import LayoutMismatch, ModelError, NotEnoughData, UntrustedArtifact
from models.explanation import Contribution, Explanation
from models.layout import Feature, Layout, Treatment
from models.model import ANY, Model

__all__ = [
    "ANY", "Artifact", "Batch", "Budget", "Card", "Channel", "Contribution", "Detector", "Explanation", "Feature",
    "Judgement", "Judgements", "KindCard", "Layout", "LayoutMismatch", "Model", "ModelError", "NotEnoughData",
    "OnlineDiscovery", "Threshold", "Treatment", "UntrustedArtifact", "benjamini_hochberg", "threshold_for",
]  # fmt: skip
