"""What can be known of decoded events without a database: any thread may find it out ahead of the one that writes.

The search for secrets lets other threads run meanwhile, so on two cores it costs the writer nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from anomaly.events.decode import Decoded
from anomaly.events.key import event_key, microseconds_of
from anomaly.redaction.suspicion import suspicious_among

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """Of n events, index by index: when each was received and how long it took, int64, and its key of 16 bytes.

    `suspects` are the indexes, ascending, of those whose bytes could hold a secret.
    """

    received_us: Ints
    latency_us: Ints
    keys: list[bytes]
    suspects: list[int]

    def split(self, most: int) -> Iterator[Looked]:
        """This will yield the same in pieces of at most `most` events, as `Decoded.split` does."""
        for start in range(0, max(len(self.keys), 1), most):
            part = slice(start, start + most)
            suspects = [index - start for index in self.suspects if start <= index < start + most]
            yield Looked(self.received_us[part], self.latency_us[part], self.keys[part], suspects)


def look(decoded: Decoded) -> Looked:
    """This will look at every event. Raises ValueError when one has no time, which no decoder lets pass."""
    moments = [
        event.requestReceivedTimestamp or event.timestamp or event.stageTimestamp for event in decoded.events
    ]
    received = microseconds_of(moments)
    stages = microseconds_of(
        [event.stageTimestamp or moment for event, moment in zip(decoded.events, moments, strict=True)]
    )
    latency = np.clip(stages - received, 0, 2**31 - 1)
    keys = [
        event_key(event, shape.user.username, start, stage)
        for event, shape, start, stage in zip(
            decoded.events, decoded.shapes, received.tolist(), stages.tolist(), strict=True
        )
    ]
    return Looked(received, latency, keys, suspicious_among(decoded.raws))


def joined(parts: Sequence[Looked]) -> Looked:
    """This will put one or more of them one after the other."""
    if len(parts) == 1:
        return parts[0]
    starts = accumulate((len(part.keys) for part in parts), initial=0)
    return Looked(
        np.concatenate([part.received_us for part in parts]),
        np.concatenate([part.latency_us for part in parts]),
        [key for part in parts for key in part.keys],
        [start + index for start, part in zip(starts, parts, strict=False) for index in part.suspects],
    )
