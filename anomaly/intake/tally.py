"""A tally: what came of input, in numbers that add up whatever the order. One for each source and hour, or for a day of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

from anomaly.intake.lag import BUCKETS, live, quantile

_NO_LAGS: Final = (0,) * BUCKETS


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of events, batches and bytes. Times of events are those of their stage, by the API server; `last_arrival` is ours.

    `minutes` has bit n set when live events arrived in minute n of the hour; it means nothing over several hours.
    """

    kept: int = 0
    duplicates: int = 0
    quarantined: int = 0
    bytes: int = 0
    batches: int = 0
    retries: int = 0
    truncated: int = 0
    cut_agents: int = 0
    refused: int = 0
    minutes: int = 0
    first_event: datetime | None = None
    last_event: datetime | None = None
    last_arrival: datetime | None = None
    lag: tuple[int, ...] = _NO_LAGS
    least_lag_us: int | None = None
    most_lag_us: int | None = None

    def __add__(self, other: Tally) -> Tally:
        made: dict[str, Any] = {}
        for part in fields(Tally):
            mine, theirs = getattr(self, part.name), getattr(other, part.name)
            made[part.name] = _JOINED.get(part.name, _sum)(mine, theirs)
        return Tally(**made)

    @property
    def live(self) -> int:
        """Events that came as they happened, so that silence can be told from them."""
        return live(self.lag)

    @property
    def lag_p50(self) -> timedelta | None:
        """Half of the events came faster."""
        return quantile(self.lag, 0.5)

    @property
    def lag_p99(self) -> timedelta | None:
        """One of a hundred came later."""
        return quantile(self.lag, 0.99)

    @property
    def lag_max(self) -> timedelta | None:
        """The latest, exactly."""
        return None if self.most_lag_us is None else timedelta(microseconds=self.most_lag_us)

    @property
    def ahead(self) -> timedelta | None:
        """How far the sender's clock is ahead of ours at the least: events came before they happened. None: it is not."""
        if self.least_lag_us is None or self.least_lag_us >= 0:
            return None
        return timedelta(microseconds=-self.least_lag_us)


def total(tallies: Iterable[Tally]) -> Tally:
    """This will return all of them as one."""
    return sum(tallies, Tally())


def _sum(mine: Any, theirs: Any) -> Any:
    return mine + theirs


def _or(mine: int, theirs: int) -> int:
    return mine | theirs


def _lags(mine: Sequence[int], theirs: Sequence[int]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(mine, theirs, strict=True))


def _least(mine: Any, theirs: Any) -> Any:
    return min((one for one in (mine, theirs) if one is not None), default=None)


def _most(mine: Any, theirs: Any) -> Any:
    return max((one for one in (mine, theirs) if one is not None), default=None)


_JOINED: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "minutes": _or,
    "lag": _lags,
    "first_event": _least,
    "least_lag_us": _least,
    "last_event": _most,
    "last_arrival": _most,
    "most_lag_us": _most,
}
