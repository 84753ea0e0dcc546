"""What could not be decoded, as data."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.store.quarantine import Quarantined
    from anomaly.store.writer import Receipt


class QuarantinedPayload(TypedDict):
    """One input that is no audit event. `size` is in bytes, `times` says how often it came."""

    id: int
    cluster: str
    source: str
    size: int
    times: int
    last: datetime
    first: datetime
    reason: str


class RetriedPayload(TypedDict):
    """What came of trying inputs again."""

    tried: int
    released: int
    events_kept: int
    duplicates: int
    still_undecodable: int


def quarantined_payload(one: Quarantined) -> QuarantinedPayload:
    """This will return one input as data."""
    return {
        "id": one.id,
        "cluster": one.cluster,
        "source": one.source,
        "size": one.size,
        "times": one.times,
        "last": one.last_at,
        "first": one.first_at,
        "reason": one.reason,
    }


def retried_payload(tried: int, released: int, total: Receipt) -> RetriedPayload:
    """This will return what came of trying `tried` inputs again, of which `released` were decoded whole."""
    return {
        "tried": tried,
        "released": released,
        "events_kept": total.kept,
        "duplicates": total.duplicates,
        "still_undecodable": tried - released,
    }
