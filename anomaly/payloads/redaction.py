"""What redaction replaced, as data."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.store.redactions import Replaced


class ReplacedPayload(TypedDict):
    """How many values of a kind were replaced in the events of one day (UTC) of a cluster. Never what they were."""

    cluster: str
    day: date
    kind: str
    replaced: int


def replaced_payload(one: Replaced) -> ReplacedPayload:
    """This will return a count as data."""
    return {"cluster": one.cluster, "day": one.day, "kind": one.kind.value, "replaced": one.replaced}
