"""What a training came to, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.nightly import Trained


class TrainedPayload(TypedDict):
    """A trained model, in use (`promoted`) or kept beside the one in use, and why. `model` is null when nothing was trained."""

    cluster: str
    model: int | None
    promoted: bool
    decision: str
    verdicts: dict[str, Any] | None
    windows: int
    sha256: str | None
    card: dict[str, Any] | None


def trained_payload(cluster: str, trained: Trained) -> TrainedPayload:
    """This will return what a training came to."""
    card = trained.candidate.card
    return {
        "cluster": cluster,
        "model": trained.id,
        "promoted": trained.promoted,
        "decision": trained.reason,
        "verdicts": trained.heard.to_dict(),
        "windows": card.windows,
        "sha256": trained.candidate.model.digest,
        "card": card.to_dict(),
    }


def untrained_payload(cluster: str, reason: str) -> TrainedPayload:
    """This will return that nothing was trained, and why."""
    return {
        "cluster": cluster,
        "model": None,
        "promoted": False,
        "decision": reason,
        "verdicts": None,
        "windows": 0,
        "sha256": None,
        "card": None,
    }
