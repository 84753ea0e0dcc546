"""A tally of the intake as data: what came of a cluster in a span of time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.intake.tally import Tally


class IntakeTallyPayload(TypedDict):
    """Counts of events, batches and bytes. Lags are seconds from the stage of an event to its arrival, null when unknown; quantiles
    are right within 19 %. `ahead` is how many seconds the sender's clock is ahead of ours, at the least."""

    kept: int
    duplicates: int
    quarantined: int
    refused: int
    batches: int
    retries: int
    truncated: int
    cut_agents: int
    bytes: int
    first_event_at: datetime | None
    last_event_at: datetime | None
    last_arrival_at: datetime | None
    lag_p50: float | None
    lag_p99: float | None
    lag_max: float | None
    ahead: float | None


def tally_payload(one: Tally) -> IntakeTallyPayload:
    """This will return a tally as data."""
    return {
        "kept": one.kept,
        "duplicates": one.duplicates,
        "quarantined": one.quarantined,
        "refused": one.refused,
        "batches": one.batches,
        "retries": one.retries,
        "truncated": one.truncated,
        "cut_agents": one.cut_agents,
        "bytes": one.bytes,
        "first_event_at": one.first_event,
        "last_event_at": one.last_event,
        "last_arrival_at": one.last_arrival,
        "lag_p50": seconds(one.lag_p50),
        "lag_p99": seconds(one.lag_p99),
        "lag_max": seconds(one.lag_max),
        "ahead": seconds(one.ahead),
    }


def seconds(length: timedelta | None) -> float | None:
    """This will return a length of time in seconds, to the millisecond."""
    return None if length is None else round(length.total_seconds(), 3)
