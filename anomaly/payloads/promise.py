"""What the alert budget promised of a day, and what came, as data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.store.promises import PromiseDay


class PromisedPayload(TypedDict):
    """Of a quiet day: findings over the line expected, and between which they lie nine days in ten. `proven`: the calibration
    windows show it; else the tail's law stands in."""

    expected: float
    low: float
    high: float
    proven: bool


class CamePayload(TypedDict):
    """`shown` people see, `no_room` and `hidden` they can list; `beyond` of the shown are critical ones over the budget, `firm` stand
    out against chance, `confirmed` were closed as true. `below_the_line` counts windows."""

    shown: int
    no_room: int
    hidden: int
    beyond: int
    firm: int
    confirmed: int
    windows: int
    windows_over_the_line: int
    windows_of_strangers: int
    below_the_line: int


class PromisePayload(TypedDict):
    """One day (UTC) of one cluster. `reason` is a sentence; `drift` what explains more than promised."""

    cluster: str
    day: date
    model: int
    budget: float
    line: float
    promised: PromisedPayload
    came: CamePayload
    holds: bool
    reason: str
    drift: Mapping[str, Any]


def promise_payload(cluster: str, one: PromiseDay) -> PromisePayload:
    """This will return a day's report as data."""
    return {
        "cluster": cluster,
        "day": one.day.date(),
        "model": one.model_id,
        "budget": one.budget,
        "line": one.line,
        "promised": {"expected": one.expected, "low": one.low, "high": one.high, "proven": one.proven},
        "came": {
            "shown": one.shown,
            "no_room": one.no_room,
            "hidden": one.hidden,
            "beyond": one.beyond,
            "firm": one.firm,
            "confirmed": one.confirmed,
            "windows": one.windows,
            "windows_over_the_line": one.deviating,
            "windows_of_strangers": one.strangers,
            "below_the_line": one.windows - one.deviating,
        },
        "holds": one.holds,
        "reason": one.reason,
        "drift": one.drift,
    }
