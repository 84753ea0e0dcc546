"""Whether an audit policy visibly changed: a level or a stage that a sort of request used to arrive with and no longer does.

A policy is the same for equal requests, but differs by user and namespace, so a mix of levels is usual and its parts come and
go with people. Two things must be so before it is called a change: in every one of at least a day's hours in which such requests
came, some came with the level or stage; and of the requests since, at least 30, none did, though by the *least* share of any of
those hours so many would have had it that none is worse than one in a billion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log
from typing import Final

from anomaly.intake.arriving import Arriving

ENOUGH_HOURS: Final = 24
ENOUGH_NOW: Final = 30
_FEW_IN_AN_HOUR: Final = 5
"""Fewer requests in an hour say nothing about a share."""
_ODDS: Final = log(1e-9)
_ORDER: Final = ("None", "Metadata", "Request", "RequestResponse")


@dataclass(frozen=True, slots=True)
class Shift:
    """What no longer arrives: `what` is "level" or "stage", `was` what used to come, `now` the most that comes since."""

    verb: str
    resource: str
    what: str
    was: str
    now: str
    events: int

    @property
    def sentence(self) -> str:
        """The change in words."""
        kind = "at level" if self.what == "level" else "with stage"
        return (
            f"{self.verb} {self.resource} used to arrive {kind} {self.was}, and the last {self.events:,} came"
            f" {kind} {self.now} only"
        )


def shifts(before: Iterable[tuple[datetime, Arriving]], now: Sequence[Arriving]) -> list[Shift]:
    """This will return what no longer arrives, by verb and resource. `before` are the sorts of past hours, `now` the newest."""
    hours: dict[tuple[str, str], dict[datetime, dict[tuple[str, str], int]]] = {}
    for hour, one in before:
        counts = hours.setdefault((one.verb, one.resource), {}).setdefault(hour, {})
        for mark in _marks(one):
            counts[mark] = counts.get(mark, 0) + one.events
        counts["", ""] = counts.get(("", ""), 0) + one.events
    present: dict[tuple[str, str], list[Arriving]] = {}
    for one in now:
        present.setdefault((one.verb, one.resource), []).append(one)
    found: list[Shift] = []
    for sort, listed in sorted(present.items()):
        past = [counts for counts in hours.get(sort, {}).values() if counts["", ""] >= _FEW_IN_AN_HOUR]
        if len(past) >= ENOUGH_HOURS and sum(one.events for one in listed) >= ENOUGH_NOW:
            found += _gone(sort, past, listed)
    return found


def _marks(one: Arriving) -> list[tuple[str, str]]:
    """A level holds all that lower ones do: what comes at Request comes at Metadata too."""
    reached = _ORDER[1 : _ORDER.index(one.level) + 1] if one.level in _ORDER else ()
    return [*(("level", level) for level in reached), *([("stage", one.stage)] if one.stage else [])]


def _gone(
    sort: tuple[str, str], past: list[dict[tuple[str, str], int]], listed: list[Arriving]
) -> list[Shift]:
    total = sum(one.events for one in listed)
    here = {mark for one in listed for mark in _marks(one)}
    lost = []
    for mark in set.intersection(*(set(counts) for counts in past)) - here - {("", "")}:
        least = min(counts[mark] / counts["", ""] for counts in past)
        # The chance of none among `total` when each has it with the least share that was ever seen.
        if least >= 1 or total * log(1 - least) <= _ODDS:
            lost.append(mark)
    levels = [mark for mark in lost if mark[0] == "level"]
    told = [mark for mark in lost if mark[0] == "stage"]
    if levels:
        told.insert(0, max(levels, key=lambda mark: _ORDER.index(mark[1])))
    return [Shift(*sort, what, was, _now(what, listed), total) for what, was in sorted(told)]


def _now(what: str, listed: list[Arriving]) -> str:
    if what == "stage":
        return ", ".join(sorted({one.stage for one in listed if one.stage})) or "none"
    return max((one.level for one in listed if one.level in _ORDER), key=_ORDER.index, default="none")
