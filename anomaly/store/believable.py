"""Which moments are believed: from the year of Kubernetes' first release to a year from now.

Every day has partitions of its own. A broken clock, or a body made for the purpose, could ask for thousands of them; what says
such a time goes to quarantine instead, where nothing of it is lost. The clock is the database's: one for all who write.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from anomaly.events.decode import Decoded, Reject
from anomaly.events.key import microseconds, received_at

EARLIEST: Final = datetime(2014, 1, 1, tzinfo=UTC)
AHEAD: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Believable:
    """Moments in [`since_us`, `until_us`), microseconds since 1970."""

    since_us: int
    until_us: int

    @classmethod
    def at(cls, now: datetime) -> Believable:
        """This will return what is believed at a moment."""
        return cls(microseconds(EARLIEST), microseconds(now + AHEAD))

    def all(self, received_us: NDArray[np.int64]) -> bool:
        """This will say whether every one of these moments is believed."""
        return bool(((received_us >= self.since_us) & (received_us < self.until_us)).all())

    def part(self, decoded: Decoded) -> Decoded:
        """This will return the same input with the events that cannot be believed among the rejects."""
        believed = Decoded(rejects=list(decoded.rejects))
        for event, shape, raw in zip(decoded.events, decoded.shapes, decoded.raws, strict=True):
            moment = received_at(event)
            assert moment is not None
            if self.since_us <= microseconds(moment) < self.until_us:
                believed.events.append(event)
                believed.shapes.append(shape)
                believed.raws.append(raw)
            else:
                said = moment.strftime("%Y-%m-%d")
                reason = (
                    f"the event says it is of {said}: before {EARLIEST.year} or more than a year from now"
                )
                believed.rejects.append(Reject(raw, reason))
        return believed


def believable_now(connection: psycopg.Connection[tuple[object, ...]]) -> Believable:
    """This will ask the database for the time and return what is believed now."""
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None and isinstance(row[0], datetime)
    return Believable.at(row[0])
