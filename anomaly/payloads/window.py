"""What an entity did in a window, as data."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.windows.window import Windows


class WindowPayload(TypedDict):
    """One window: when it begins, how many requests, and each action with its count, the most frequent first."""

    cluster: str
    start: datetime
    requests: int
    did: list[str]


def window_payload(cluster: str, windows: Windows, index: int) -> WindowPayload:
    """This will return one of many windows as data."""
    from anomaly.events.key import EPOCH
    from anomaly.windows.dimension import Dimension

    counts = windows.histogram(index)
    actions = {text: count for (dimension, text), count in counts.items() if dimension is Dimension.ACTION}
    return {
        "cluster": cluster,
        "start": EPOCH + timedelta(microseconds=int(windows.start[index])),
        "requests": int(counts.get((Dimension.REQUESTS, ""), 0)),
        "did": [
            f"{text} x{int(count)}"
            for text, count in sorted(actions.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
    }
