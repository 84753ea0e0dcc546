"""What became of a transaction, split among the bodies that were in it."""

from __future__ import annotations

from collections.abc import Sequence

from anomaly.events.decode import Decoded
from anomaly.store.writer import Receipt


def shares(total: Receipt, parts: Sequence[Decoded]) -> list[Receipt]:
    """This will split the receipt of a transaction among the bodies in it; the shares always add up to the total.

    Everything is exact for a body alone in its transaction. Of several, duplicates and what the writer itself put into
    quarantine are counted for the last (a retry comes after what it repeats), matches in proportion to the events kept.
    """
    receipts = []
    kept, duplicates, matches = total.kept, total.duplicates, total.matches
    refused = total.quarantined - sum(len(part.rejects) for part in parts)
    for part in reversed(parts):
        events = len(part.events)
        apart = min(refused, events)
        double = min(duplicates, events - apart)
        new = events - apart - double
        matched = round(matches * new / kept) if kept else 0
        receipts.append(Receipt(new, double, len(part.rejects) + apart, matched))
        refused, duplicates, kept, matches = (
            refused - apart,
            duplicates - double,
            kept - new,
            matches - matched,
        )
    return receipts[::-1]
