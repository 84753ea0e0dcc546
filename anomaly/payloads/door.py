"""The policy at our door, its ledger and its forecast, as data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from anomaly.payloads.policy import rule_name

if TYPE_CHECKING:
    from anomaly.store.door import DayOfLedger, InForce
    from anomaly.weighing import Weighed

_FEW = 50


class DoorPolicyPayload(TypedDict):
    """The audit policy in force at our door for a cluster; all but the cluster are null when there is none."""

    cluster: str
    policy: str | None
    id: int | None
    set_at: datetime | None
    set_by: str | None


class LedgerLinePayload(TypedDict):
    """Events of one day, rule of a policy, user and action that were dropped, or lowered; `bytes` were not kept."""

    day: date
    policy: int
    rule: str
    deed: Literal["dropped", "lowered"]
    user: str
    action: str
    events: int
    bytes: int


class LedgerPayload(TypedDict):
    """What policies at our door left out, by day (UTC, of arrival), the newest first. A batch that came twice counts twice."""

    cluster: str
    dropped: int
    lowered: int
    lines: list[LedgerLinePayload]


class ForgonePayload(TypedDict):
    """Stored events of one rule of the policy, user and action that would have been dropped or lowered."""

    rule: str
    deed: Literal["dropped", "lowered"]
    user: str
    action: str
    events: int
    bytes: int


class GoesBlindPayload(TypedDict):
    """A rule or feature family that would see less: `sees` is part, blind or always-fires."""

    owner: str
    sees: str
    why: str


class DoorForecastPayload(TypedDict):
    """What a policy would have done with stored events, and which detections would see less."""

    since: datetime
    events: int
    dropped: int
    lowered: int
    bytes_before: int
    bytes_after: int
    most: list[ForgonePayload]
    goes_blind: list[GoesBlindPayload]


def door_policy_payload(cluster: str, one: InForce | None) -> DoorPolicyPayload:
    """This will return the policy in force as data."""
    if one is None:
        return {"cluster": cluster, "policy": None, "id": None, "set_at": None, "set_by": None}
    return {
        "cluster": cluster,
        "policy": one.policy,
        "id": one.id,
        "set_at": one.set_at,
        "set_by": one.set_by,
    }


def ledger_payload(cluster: str, lines: Sequence[DayOfLedger]) -> LedgerPayload:
    """This will return the ledger as data."""
    return {
        "cluster": cluster,
        "dropped": sum(one.events for one in lines if one.deed == "dropped"),
        "lowered": sum(one.events for one in lines if one.deed == "lowered"),
        "lines": [
            {
                "day": one.day,
                "policy": one.policy_id,
                "rule": rule_name(None if one.rule < 0 else one.rule),
                "deed": one.deed,
                "user": one.username,
                "action": one.action,
                "events": one.events,
                "bytes": one.bytes,
            }
            for one in lines
        ],
    }


def door_forecast_payload(one: Weighed, since: datetime) -> DoorForecastPayload:
    """This will return a forecast as data."""
    return {
        "since": since,
        "events": one.events,
        "dropped": one.dropped,
        "lowered": one.lowered,
        "bytes_before": one.bytes_before,
        "bytes_after": one.bytes_after,
        "most": [
            {
                "rule": rule_name(None if entry.rule < 0 else entry.rule),
                "deed": entry.deed,
                "user": entry.username,
                "action": entry.action,
                "events": entry.events,
                "bytes": entry.bytes,
            }
            for entry in one.entries[:_FEW]
        ],
        "goes_blind": [{"owner": blind.owner, "sees": blind.sees, "why": blind.why} for blind in one.blind],
    }
