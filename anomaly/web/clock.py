"""The clock of the web: what is below takes `now` as an argument."""

from __future__ import annotations

from datetime import UTC, datetime


def clock() -> datetime:
    """This will return the present time."""
    return datetime.now(UTC)  # noqa: TID251 -- web reads the clock
