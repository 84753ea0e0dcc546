"""A canary as data."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from anomaly.payloads.tally import seconds

if TYPE_CHECKING:
    from anomaly.store.canaries import Canary


class CanaryPayload(TypedDict):
    """A request made on purpose. `delay` is seconds from the request to when its event was found, so at the most."""

    id: str
    state: Literal["made", "sent", "failed", "arrived"]
    made_at: datetime
    sent_at: datetime | None
    status: int | None
    failure: str | None
    event_at: datetime | None
    noticed_at: datetime | None
    delay: float | None


def canary_payload(one: Canary) -> CanaryPayload:
    """This will return a canary as data."""
    return {
        "id": one.id,
        "state": "arrived" if one.noticed else "failed" if one.failure else "sent" if one.sent else "made",
        "made_at": one.made,
        "sent_at": one.sent,
        "status": one.status,
        "failure": one.failure or None,
        "event_at": one.event,
        "noticed_at": one.noticed,
        "delay": seconds(one.delay),
    }
