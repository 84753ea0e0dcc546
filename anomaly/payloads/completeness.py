"""What came of a cluster by day, its pauses and alarms, as data."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from anomaly.payloads.tally import IntakeTallyPayload, tally_payload

if TYPE_CHECKING:
    from anomaly.completeness import Account
    from anomaly.intake.loss import Loss


class AccountDayPayload(TypedDict):
    """One day (UTC) by the day of arrival, as a whole and by source; `dropped` and `lowered` are events that a policy set here dropped
    or of which it left out bodies."""

    day: date
    dropped: int
    lowered: int
    total: IntakeTallyPayload
    sources: dict[str, IntakeTallyPayload]


class AccountGapPayload(TypedDict):
    """A time without live events that was not usual; `until` is null while it lasts."""

    since: datetime
    until: datetime | None


class AlarmPayload(TypedDict):
    """An alarm about the intake; `ended_at` is null while it holds."""

    name: str
    subject: str | None
    says: str
    finding: str
    began_at: datetime
    ended_at: datetime | None


class LossPayload(TypedDict):
    """What the API servers counted held against what was received. `low` and `high` bound `completeness` (0..1)."""

    since: datetime
    until: datetime
    generated: float
    received: int
    errors: dict[str, float]
    unexplained: float
    completeness: float | None
    low: float | None
    high: float | None
    caveats: list[str]


class CompletenessPayload(TypedDict):
    """What is known of a cluster's intake. `restarts` are starts of API servers, as far as their own requests show them."""

    cluster: str
    days: list[AccountDayPayload]
    pauses: list[AccountGapPayload]
    restarts: list[datetime]
    alarms: list[AlarmPayload]
    loss: LossPayload | None


def completeness_payload(cluster: str, account: Account) -> CompletenessPayload:
    """This will return the account of a cluster as data."""
    return {
        "cluster": cluster,
        "days": [
            {
                "day": one.day,
                "dropped": one.dropped,
                "lowered": one.lowered,
                "total": tally_payload(one.tally),
                "sources": {name: tally_payload(tally) for name, tally in one.sources.items()},
            }
            for one in account.days
        ],
        "pauses": [{"since": one.start, "until": one.end} for one in account.pauses],
        "restarts": list(account.restarts),
        "alarms": [
            {
                "name": one.name,
                "subject": one.subject or None,
                "says": one.says,
                "finding": str(one.finding_id),
                "began_at": one.began,
                "ended_at": one.ended,
            }
            for one in account.alarms
        ],
        "loss": None if account.loss is None else loss_payload(account.loss),
    }


def loss_payload(one: Loss) -> LossPayload:
    """This will return an estimate of what was lost as data."""
    return {
        "since": one.since,
        "until": one.until,
        "generated": one.generated,
        "received": one.received,
        "errors": dict(one.errors),
        "unexplained": one.unexplained,
        "completeness": one.completeness,
        "low": one.low,
        "high": one.high,
        "caveats": list(one.caveats),
    }
