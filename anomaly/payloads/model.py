"""A model as data: its row in a list, its card, how it differs from another, what it would have found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.nightly import Judge
    from anomaly.replay import Day, Replayed
    from anomaly.store.models import Kept

ModelState = Literal["candidate", "champion", "retired", "withdrawn"]


class ModelPayload(TypedDict):
    """A model. `recall` is the share of planted deviations it found, `reason` why it was put in use or not."""

    id: int
    cluster: str
    state: ModelState
    trained_until: datetime
    windows: int
    recall: float | None
    created_at: datetime
    promoted_at: datetime | None
    reason: str | None
    sha256: str


class ModelCardPayload(ModelPayload):
    """A model with its whole card and what verdicts did in its training."""

    card: dict[str, Any]
    verdicts: dict[str, Any] | None


class PromotedPayload(TypedDict):
    """The model that is in use now."""

    model: int
    state: ModelState
    promoted_at: datetime | None


class FactPayload(TypedDict):
    """One fact of two models, side by side."""

    fact: str
    one: Any
    other: Any


class ShiftPayload(TypedDict):
    """A feature distributed otherwise in training; `index` is the population stability index."""

    kind: str
    feature: str
    index: float


class ReplayedPayload(TypedDict):
    """A finding that one model alone shows; `windows` deviate in it."""

    start: datetime
    entity: str
    name: str
    severity: str
    p_value: float
    windows: int
    reason: str


class DayPayload(TypedDict):
    """One day judged by two models: findings that each shows within the day's room, those without room, and those of only one."""

    day: date
    windows: int
    tried: int
    compared: int
    tried_below: int
    compared_below: int
    gained: list[ReplayedPayload]
    lost: list[ReplayedPayload]


class DiffPayload(TypedDict):
    """Two models compared."""

    facts: list[FactPayload]
    drift: list[ShiftPayload]
    days: list[DayPayload]


class ReplayPayload(TypedDict):
    """What another model would have found."""

    model: int
    against: int
    days: list[DayPayload]


def model_payload(kept: Kept, cluster: str) -> ModelPayload:
    """This will return a model as data."""
    return {
        "id": kept.id,
        "cluster": cluster,
        "state": kept.state,  # type: ignore[typeddict-item]
        "trained_until": kept.context["until"],
        "windows": kept.card["windows"],
        "recall": kept.card.get("evaluation", {}).get("recall"),
        "created_at": kept.created_at,
        "promoted_at": kept.promoted_at,
        "reason": kept.card.get("decision", {}).get("reason"),
        "sha256": kept.sha256,
    }


def model_card_payload(kept: Kept, cluster: str) -> ModelCardPayload:
    """This will return a model with its card."""
    return {**model_payload(kept, cluster), "card": kept.card, "verdicts": kept.context.get("verdicts")}


def promoted_payload(kept: Kept) -> PromotedPayload:
    """This will return the model that was put in use."""
    return {"model": kept.id, "state": kept.state, "promoted_at": kept.promoted_at}  # type: ignore[typeddict-item]


def day_payload(day: Day) -> DayPayload:
    """This will return one day of a replay as data."""
    return {
        "day": day.day,
        "windows": day.windows,
        "tried": day.tried,
        "compared": day.compared,
        "tried_below": day.tried_below,
        "compared_below": day.compared_below,
        "gained": [_replayed(one) for one in day.gained],
        "lost": [_replayed(one) for one in day.lost],
    }


def diff_payload(
    judges: Sequence[Judge], shifted: Iterable[tuple[str, str, float]], days: Iterable[Day]
) -> DiffPayload:
    """This will return two models compared: facts of both, features that shifted, and each day judged by both."""
    one, other = (_facts(judge.kept, judge.threshold.p_value) for judge in judges)
    return {
        "facts": [{"fact": name, "one": value, "other": other[name]} for name, value in one.items()],
        "drift": [{"kind": kind, "feature": feature, "index": index} for kind, feature, index in shifted],
        "days": [day_payload(day) for day in days],
    }


def replay_payload(model: int, against: int, days: Iterable[Day]) -> ReplayPayload:
    """This will return what a model would have found beside another."""
    return {"model": model, "against": against, "days": [day_payload(day) for day in days]}


def facts_payload(one: Kept, other: Kept) -> list[FactPayload]:
    """This will return the facts on the cards of two models side by side, without what only a judge of each knows."""
    others = _of_card(other)
    return [{"fact": name, "one": value, "other": others[name]} for name, value in _of_card(one).items()]


def _replayed(one: Replayed) -> ReplayedPayload:
    return {
        "start": one.start,
        "entity": one.entity,
        "name": one.name,
        "severity": one.severity,
        "p_value": one.p_value,
        "windows": one.windows,
        "reason": one.reason,
    }


def _facts(kept: Kept, line: float) -> dict[str, object]:
    # Beside the recipe, where readers of earlier comparisons look for it.
    facts = list(_of_card(kept).items())
    place = [name for name, _ in facts].index("recipe") + 1
    return dict([*facts[:place], ("line (p-value)", line), *facts[place:]])


def _of_card(kept: Kept) -> dict[str, object]:
    card = kept.card
    evaluation = card.get("evaluation", {})
    return {
        "state": kept.state,
        "trained until": kept.context["until"],
        "windows": card["windows"],
        "confirmed attacks left out": card["left_out"],
        "kinds": [kind["kind"] for kind in card["kinds"]],
        "recipe": card["recipe"]["name"],
        "plants found": evaluation.get("recall"),
        "quiet alerts a day": evaluation.get("alerts_a_day"),
        "features": card["layout"][:12],
        "decision": card.get("decision", {}).get("reason"),
    }
