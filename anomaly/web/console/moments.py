"""Times as pages show them: in the viewer's zone, with UTC at hand. The browser tells its zone by a cookie; until it has, UTC.

Digits in one order in every language (2026-11-23 10:46:10), so that columns line up; the script of the page writes the same form.
"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from starlette.requests import Request

COOKIE: Final = "anomaly_zone"
FORMS: Final = {
    "full": "%Y-%m-%d %H:%M:%S",
    "minute": "%Y-%m-%d %H:%M",
    "short": "%m-%d %H:%M",
    "clock": "%H:%M:%S",
    "day": "%Y-%m-%d",
}


def zone_of(request: Request) -> tzinfo:
    """This will return the zone of the viewer; UTC when it is not known, here or at all."""
    return _zone(request.cookies.get(COOKIE, ""))


@lru_cache(256)
def _zone(name: str) -> tzinfo:
    if not name or len(name) > 64 or name.startswith("/") or ".." in name:
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # A machine without the zone database: the browser then writes its times by itself.
        return UTC


def moment(at: datetime, zone: tzinfo, form: str = "minute") -> str:
    """This will write a time in a zone, in one of FORMS."""
    return at.astimezone(zone).strftime(FORMS[form])


def in_utc(at: datetime) -> str:
    """This will write a time in UTC to the second, as titles show it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def machine(at: datetime) -> str:
    """This will write a time as HTML's datetime attribute wants it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_STEPS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def lasting(length: timedelta) -> str:
    """This will write how long something lasted with its largest two units, as "1h 5m"."""
    left = int(length.total_seconds())
    said: list[str] = []
    for size, unit in _STEPS:
        count, rest = divmod(left, size)
        if count or (unit == "s" and not said):
            said.append(f"{count}{unit}")
            left = rest
        if len(said) == 2:
            break
    return " ".join(said)
