"""Which cluster and which time a page is about: it stands in the URL, so that a page can be passed on as it is seen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from urllib.parse import quote_plus

from starlette.requests import Request

from anomaly.errors import NotFound, UsageError
from anomaly.rights import Principal

SPANS: Final = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
ALL: Final = "all"
_AGO: Final = re.compile(r"(\d{1,5})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a page is about. `cluster` None: every one in sight; `since` and `until` None: without end; `span` in words of the URL,
    `chosen` when it stood there and is not the page's own."""

    cluster: str | None = None
    span: str = ALL
    since: datetime | None = None
    until: datetime | None = None
    chosen: bool = False

    def pairs(self) -> list[tuple[str, str]]:
        """This will return the scope as parameters of a URL, nothing for what is not restricted."""
        found = [("cluster", self.cluster)] if self.cluster else []
        if self.span == "custom":
            found += [("since", _stamp(self.since)), ("until", _stamp(self.until))]
        elif self.chosen:
            found += [("span", self.span)]
        return [(name, value) for name, value in found if value]

    def at(self, path: str) -> str:
        """This will return the URL of another page with the same scope."""
        query = encoded(self.pairs())
        return f"{path}?{query}" if query else path


def encoded(pairs: Iterable[tuple[str, str]]) -> str:
    """This will return parameters as they stand in a URL. Pages have hundreds of links that ask for the same times and names."""
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)


@lru_cache(1_024)
def _quoted(text: str) -> str:
    return quote_plus(text)


def scope_of(
    request: Request, who: Principal, clusters: tuple[str, ...], now: datetime, default: str = ALL
) -> Scope:
    """This will read the scope from the URL. Raises NotFound for a cluster that is not in sight, UsageError for a time it cannot
    read."""
    given = request.query_params
    cluster = given.get("cluster") or None
    if cluster is not None and (cluster not in clusters or not who.may_see(cluster)):
        raise NotFound("There is no such cluster.", hint="Choose one of those in the list.")
    if given.get("since") or given.get("until"):
        since, until = (_moment(given.get(name, ""), now) for name in ("since", "until"))
        if since and until and since >= until:
            raise UsageError("The time ends before it begins.")
        return Scope(cluster, "custom", since, until, chosen=True)
    span = given.get("span") or default
    if span == ALL:
        return Scope(cluster, chosen="span" in given)
    if span not in SPANS:
        raise UsageError("This span of time is not known.", hint=f"There are {', '.join(SPANS)} and all.")
    return Scope(cluster, span, now - SPANS[span], None, chosen="span" in given)


def _moment(text: str, now: datetime) -> datetime | None:
    if not text:
        return None
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        found = datetime.fromisoformat(text[:40])
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        # PostgreSQL and arithmetic both want a year that is one.
        return found.astimezone(UTC) if 1970 <= found.year <= 9000 else None
    except (ValueError, OverflowError) as wrong:
        raise UsageError(
            "This is no time.", hint="Write it as 2026-11-23T10:30Z or 6h for six hours ago."
        ) from wrong


def _stamp(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""
