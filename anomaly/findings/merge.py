"""From deviating windows to findings: what one entity does for the same cause on a day is one story, and a day has room for so many.

A story is a finding that grows: its id follows from cluster, entity, cause and day alone, so which story a window is part of never
depends on what was judged before. Joining takes the united evidence, the whole time, and the words of the strangest window; it is a
semilattice (joining twice, or in another order, changes nothing), so that windows may be judged again.

The line of `models.budget` keeps quiet days within the budget. On a day of attacks more stories lie over it than people can read:
the gravest have room, of equally grave ones what was not told the day before, then the strangest; what is critical is shown even beyond it, and what a person touched stays.
Of equally grave ones those go first that stand out although so many windows were looked at (false discovery control).
The others are kept below, where they can be listed. None is lost, and the day's room is given anew each time the day is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Final
from uuid import UUID

import numpy as np

from anomaly.events.key import EPOCH
from anomaly.findings.finding import Finding, FindingKind, Severity, finding_id
from models.discovery import firm

OPEN: Final = "open"
BELOW: Final = "below"
"""State of a story for which its day had no room."""
SUPPRESSED: Final = "suppressed"
"""State of a story that people chose not to see: it takes no room from others."""
FALSE_SHARE: Final = 0.1
"""Share of false discoveries, on average, among the stories of a day that are said to stand out."""
CHANCE: Final = "against chance"
"""The detail of a finding that says whether it stands out."""
FIRM: Final = "stands out: of a day's findings that do, at most 1 in 10 is chance"
TENTATIVE: Final = "may be chance: so many windows of a day bring one as strange now and then"

Event = tuple[datetime, UUID]
Cause = tuple[int, str]
"""Of which entity, under which name."""


@dataclass(frozen=True, slots=True)
class Days:
    """The budget's days: their length, when the first began, how many stories one has room for, and where the log ends.

    The first day is whole however little of it there is; a later one that the log covers in part has room for that part
    (`origin` and `horizon`). Without a horizon every day is whole.
    """

    length: timedelta = timedelta(days=1)
    most: float = 10.0
    origin: datetime = EPOCH
    horizon: datetime | None = None
    among: float = 0.0
    """Windows that a day brings, at the rate of the training; 0: not known, and nothing is said of false discoveries. It is not
    counted as the day goes on, or what stands out would hang on when it was judged."""

    def start_of(self, at: datetime) -> datetime:
        """This will return when the day of a moment began."""
        return self.origin + (at - self.origin) // self.length * self.length

    def room(self, start: datetime) -> int:
        """This will return how many stories the day that begins at `start` has room for."""
        if self.horizon is None or start <= self.origin:
            return ceil(self.most)
        covered = min(max((self.horizon - start) / self.length, 0.0), 1.0)
        return int(self.most * covered + 1e-9)


@dataclass(frozen=True, slots=True)
class Story:
    """A finding by behaviour with the keys of its events. `model_id` is that of the latest judgement; `touched` says that a
    person did something with it."""

    finding: Finding
    cluster_id: int
    entity_id: int
    model_id: int
    events: frozenset[Event] = frozenset()
    touched: bool = False


def story_id(cluster_id: int, username: str, name: str, day: datetime) -> UUID:
    """This will return the id of a story that begins on a day: it follows from the content alone."""
    start_us = (day - EPOCH) // timedelta(microseconds=1)
    return finding_id(cluster_id, FindingKind.BEHAVIOUR, name, (username,), start_us)


def join(one: Story, other: Story) -> Story:
    """This will return both as one story, which keeps the first's id and state. The strangest window speaks, of
    several the earliest; the gravest gives the severity."""
    speaks = min(one, other, key=_eloquence).finding
    start, end = _bounds((one, other))
    severity = max((one.finding.severity, other.finding.severity), key=lambda each: each.rank)
    events = one.events | other.events
    finding = replace(
        speaks,
        id=one.finding.id,
        state=one.finding.state,
        start=start,
        end=end,
        severity=severity,
        count=max(len(events), one.finding.count, other.finding.count),
    )
    model_id, touched = max(one.model_id, other.model_id), one.touched or other.touched
    return Story(finding, one.cluster_id, one.entity_id, model_id, events, touched)


def _eloquence(story: Story) -> tuple[float, str, str]:
    made = story.finding
    return (-made.score, made.details.get("window", ""), made.reason)


def _bounds(stories: Iterable[Story]) -> tuple[datetime, datetime]:
    spans = [(story.finding.start, story.finding.end) for story in stories]
    return min(start for start, _ in spans), max(end for _, end in spans)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of pieces: all stories at hand, as they are now, the ids of those that the pieces are part of, and of those that are
    shown beyond their day's room, as they are critical."""

    stories: tuple[Story, ...]
    touched: frozenset[UUID]
    beyond: frozenset[UUID] = frozenset()


def tell(pieces: Sequence[Story], known: Iterable[Story], days: Days) -> Told:
    """This will gather pieces, one a window, into stories beside those known, and give each day's room to its gravest.

    `known` must hold all of the cluster's stories of the days that the pieces fall on, of the day before each and the day after.
    Whatever the order of the pieces, and however they are split into several tellings, the outcome is the same.
    """
    stories = {story.finding.id: story for story in known}
    touched: set[UUID] = set()
    for piece in pieces:
        made = piece.finding
        number = story_id(piece.cluster_id, made.entity, made.name, days.start_of(made.start))
        begun = replace(piece, finding=replace(made, id=number))
        stories[number] = join(stories.get(number, begun), piece)
        touched.add(number)
    judged = {days.start_of(piece.finding.start) for piece in pieces}
    beyond: set[UUID] = set()
    for day in sorted(judged | {day + days.length for day in judged}):
        beyond |= _make_room(stories, day, days)
    return Told(tuple(stories.values()), frozenset(touched), frozenset(beyond))


def _make_room(stories: dict[UUID, Story], day: datetime, days: Days) -> set[UUID]:
    """What people touched keeps its place; the rest of the day's room goes to the gravest. Returns what is shown beyond it."""
    begun = _begun(stories, day, days)
    free = [story for story in begun if _competes(story)]
    settled = [story for story in begun if not _competes(story) and story.finding.state != SUPPRESSED]
    room = max(days.room(day) - len(settled), 0)
    before = _front(stories, day - days.length, days)
    sure = standing_out(begun, days)
    for story in begun if days.among else ():
        _note(stories, story, story.finding.id in sure)
    free = [stories[story.finding.id] for story in free]
    beyond = set()
    for at, story in enumerate(sorted(free, key=lambda story: place_of(story, before, sure))):
        critical = story.finding.severity is Severity.CRITICAL
        if critical and at >= room:
            beyond.add(story.finding.id)
        state = OPEN if critical or at < room else BELOW
        if story.finding.state != state:
            stories[story.finding.id] = replace(story, finding=replace(story.finding, state=state))
    return beyond


def standing_out(begun: Sequence[Story], days: Days) -> frozenset[UUID]:
    """This will return the ids of a day's stories that stand out although so many windows were looked at that day: of these at most
    `FALSE_SHARE` are chance, on average. Each counts by its strangest window, so that a story of many windows counts once."""
    if not days.among or not begun:
        return frozenset(story.finding.id for story in begun)
    # A score is 1 - p ** (1/4): models/detector.py.
    p_values = np.array([(1.0 - story.finding.score) ** 4 for story in begun])
    marked = firm(p_values, days.among, FALSE_SHARE)
    return frozenset(story.finding.id for story, sure in zip(begun, marked, strict=True) if sure)


def _note(stories: dict[UUID, Story], story: Story, sure: bool) -> None:
    said = FIRM if sure else TENTATIVE
    if story.finding.details.get(CHANCE) != said:
        details = {**story.finding.details, CHANCE: said}
        stories[story.finding.id] = replace(story, finding=replace(story.finding, details=details))


def _begun(stories: dict[UUID, Story], day: datetime, days: Days) -> list[Story]:
    return [story for story in stories.values() if days.start_of(story.finding.start) == day]


def _front(stories: dict[UUID, Story], day: datetime, days: Days) -> frozenset[Cause]:
    """Who and what stood foremost on a day. It follows from that day alone: were it what was shown, each day would hang on all
    the days before it."""
    line = [story for story in _begun(stories, day, days) if story.finding.state != SUPPRESSED]
    return frozenset(_cause(story) for story in sorted(line, key=place_of)[: days.room(day)])


def _cause(story: Story) -> Cause:
    return story.entity_id, story.finding.name


def _competes(story: Story) -> bool:
    """A touched story may still rise, never sink."""
    return story.finding.state == BELOW or (story.finding.state == OPEN and not story.touched)


def place_of(
    story: Story, before: frozenset[Cause] = frozenset(), sure: frozenset[UUID] | None = None
) -> tuple[int, bool, bool, float, datetime, UUID]:
    """This will return the key by which stories stand in line for their day's room: the graver first, of equally grave ones what
    stands out (is in `sure`), of these what did not stand foremost the day `before`, then the stranger, then the earlier.

    Severity goes before everything, so that no number of strange but harmless decoys takes the room of a grave story.
    """
    made = story.finding
    chance = sure is not None and made.id not in sure
    return (-made.severity.rank, chance, _cause(story) in before, -made.score, made.start, made.id)
