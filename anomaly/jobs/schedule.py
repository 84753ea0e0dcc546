"""When a job is due: every so long, counted from the epoch so that all replicas agree, or daily at a time of a zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from anomaly.errors import SettingsInvalid
from anomaly.settings.units import show_duration

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BACK: Final = timedelta(days=3)
"""A daily time comes at least once within it, whatever a zone does to its clocks."""


class Schedule(Protocol):
    """When a job is due."""

    def trigger(self) -> BaseTrigger:
        """This will return the same times for APScheduler."""

    def last(self, now: datetime) -> datetime:
        """This will return the latest time at or before `now` at which the job was due, in UTC."""

    def __str__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Every:
    """Every so long."""

    span: timedelta

    def trigger(self) -> BaseTrigger:
        return IntervalTrigger(seconds=self.span.total_seconds(), start_date=_EPOCH, timezone=UTC)

    def last(self, now: datetime) -> datetime:
        return _EPOCH + (now - _EPOCH) // self.span * self.span

    def __str__(self) -> str:
        return f"every {show_duration(self.span)}"


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a day at "HH:MM" of a zone, as Europe/Berlin. Where the clocks pass over that time or repeat it, cron arithmetic is
    APScheduler's. Raises SettingsInvalid, when used, for a zone that there is not."""

    time: str
    zone: str = "UTC"

    def _where(self) -> tzinfo:
        try:
            return ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError) as unknown:
            raise SettingsInvalid(
                f"There is no time zone {self.zone!r}.",
                hint="training.zone takes an IANA name, as Europe/Berlin.",
            ) from unknown

    def trigger(self) -> BaseTrigger:
        hour, minute = self.time.split(":")
        return CronTrigger(hour=int(hour), minute=int(minute), timezone=self._where())

    def last(self, now: datetime) -> datetime:
        trigger = self.trigger()
        due: datetime = trigger.get_next_fire_time(None, now - _BACK)
        while (following := trigger.get_next_fire_time(due, due + timedelta(seconds=1))) <= now:
            due = following
        return due.astimezone(UTC)

    def __str__(self) -> str:
        return f"daily at {self.time} {self.zone}"
