"""Times as people type them: a date, a moment, or how long ago."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from anomaly.errors import UsageError

_AGO: Final = re.compile(r"(\d+)\s*(m|min|h|d|w)")
_UNITS: Final = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str | None, now: datetime) -> datetime | None:
    """This will read "2026-11-23", "2026-11-23T10:30:00Z" or "3h" (ago); without a zone it is UTC.

    Raises UsageError for anything else.
    """
    if text is None:
        return None
    if ago := _AGO.fullmatch(text.strip()):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{text!r} is no time.",
            hint="Write 2026-11-23, 2026-11-23T10:30:00Z, or 30m, 6h, 7d for so long ago.",
        ) from None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def clock() -> datetime:
    """This will return the present moment: the command line is where the clock is read."""
    return datetime.now(tz=UTC)  # noqa: TID251


def clock_us() -> int:
    """This will return the present moment in microseconds since 1970."""
    return time.time_ns() // 1000
