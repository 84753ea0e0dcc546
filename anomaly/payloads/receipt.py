"""What became of events that were taken in, as data."""

from __future__ import annotations

from typing_extensions import TypedDict


class ReceiptPayload(TypedDict):
    """Events now kept, duplicates of kept ones, inputs put into quarantine, rule matches, events that a policy set here dropped."""

    kept: int
    duplicates: int
    quarantined: int
    matches: int
    dropped: int
