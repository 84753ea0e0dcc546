"""From deviating windows to findings: what one entity does for the same cause is one story, and a day has room for so many.

A story is a finding that grows: a window of the same entity and name joins it when it lies within it, began on the same day, or
follows within a day. Joining takes the united evidence, the whole time, and the words of the strangest window; it is a
semilattice (joining twice, or in another order, changes nothing), so that windows may be judged again.

The line of `models.budget` keeps quiet days within the budget. On a day of attacks more stories lie over it than people can read:
the strangest and gravest have room, the others are kept below, where they can be listed. None is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import log
from typing import Final
from uuid import UUID

from anomaly.events.key import EPOCH
from anomaly.findings.finding import Finding, FindingKind, finding_id

OPEN: Final = "open"
BELOW: Final = "below"
"""State of a story for which its day had no room."""
CLOSED: Final = "closed"
LONGEST: Final = 7
"""Days after which a story that still goes on is told anew: a row that only grows is overlooked."""
STEP: Final = 1.0
"""Nats that one step of severity is worth when stories compete for a day's room."""
_LEAST: Final = 1e-12

Event = tuple[datetime, UUID]


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

    def start_of(self, at: datetime) -> datetime:
        """This will return when the day of a moment began."""
        return self.origin + (at - self.origin) // self.length * self.length

    def room(self, start: datetime) -> int:
        """This will return how many stories the day that begins at `start` has room for."""
        if self.horizon is None or start <= self.origin:
            return int(self.most)
        covered = min(max((self.horizon - start) / self.length, 0.0), 1.0)
        return int(self.most * covered + 1e-9)


@dataclass(frozen=True, slots=True)
class Story:
    """A finding by behaviour with the keys of its events. `model_id` is that of the latest judgement."""

    finding: Finding
    cluster_id: int
    entity_id: int
    model_id: int
    events: frozenset[Event] = frozenset()


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
    return Story(finding, one.cluster_id, one.entity_id, max(one.model_id, other.model_id), events)


def _eloquence(story: Story) -> tuple[float, str, str]:
    made = story.finding
    return (-made.score, made.details.get("window", ""), made.reason)


def _bounds(stories: Iterable[Story]) -> tuple[datetime, datetime]:
    spans = [(story.finding.start, story.finding.end) for story in stories]
    return min(start for start, _ in spans), max(end for _, end in spans)


def home_of(piece: Story, stories: Iterable[Story], days: Days) -> Story | None:
    """This will return the story that a piece belongs to, None where it begins one.

    It lies within a story, or began on the day on which one began, or follows within a day upon one that is still before people.
    """
    fresh = piece.finding
    alike = [
        story
        for story in stories
        if story.entity_id == piece.entity_id
        and story.finding.name == fresh.name
        and story.cluster_id == piece.cluster_id
    ]
    alike.sort(key=lambda story: (story.finding.start, story.finding.id), reverse=True)
    for story in alike:
        if story.finding.start <= fresh.start <= story.finding.end:
            return story
    for story in alike:
        if days.start_of(story.finding.start) == days.start_of(fresh.start):
            return story
    for story in alike:
        known = story.finding
        followed = known.start < fresh.start <= known.end + days.length
        if (
            followed
            and fresh.start < known.start + LONGEST * days.length
            and known.state not in {BELOW, CLOSED}
        ):
            return story
    return None


@dataclass(frozen=True, slots=True)
class Told:
    """What came of pieces: all stories at hand, as they are now, and the ids of those that the pieces are part of."""

    stories: tuple[Story, ...]
    touched: frozenset[UUID]


def tell(pieces: Sequence[Story], known: Iterable[Story], days: Days) -> Told:
    """This will gather pieces, one a window, into stories beside those known, and give each day's room to its strangest.

    `known` must hold the cluster's stories of the days that the pieces fall on, and those that may go on in them. Whatever the
    order of the pieces, the outcome is the same; told again with that outcome as known, it stays.
    """
    stories = {story.finding.id: story for story in known}
    touched: set[UUID] = set()
    for day, own in _by_day(pieces, days):
        for piece in own:
            home = home_of(piece, stories.values(), days)
            if home is None:
                number = story_id(piece.cluster_id, piece.finding.entity, piece.finding.name, day)
                begun = replace(piece, finding=replace(piece.finding, id=number))
                home = stories.get(number, begun)
            grown = join(home, piece)
            stories[grown.finding.id] = grown
            touched.add(grown.finding.id)
        _make_room(stories, day, days)
    return Told(tuple(stories.values()), frozenset(touched))


def _by_day(pieces: Sequence[Story], days: Days) -> list[tuple[datetime, list[Story]]]:
    found: dict[datetime, list[Story]] = {}
    for piece in sorted(pieces, key=lambda each: (each.finding.start, each.finding.end, _eloquence(each))):
        found.setdefault(days.start_of(piece.finding.start), []).append(piece)
    return sorted(found.items())


def _make_room(stories: dict[UUID, Story], day: datetime, days: Days) -> None:
    """What people have decided on keeps its place; the rest of the day's room goes to the weightiest."""
    begun = [story for story in stories.values() if days.start_of(story.finding.start) == day]
    free = [story for story in begun if story.finding.state in {OPEN, BELOW}]
    room = max(days.room(day) - (len(begun) - len(free)), 0)
    free.sort(key=lambda story: (-weight_of(story.finding), story.finding.start, story.finding.id))
    for place, story in enumerate(free):
        state = OPEN if place < room else BELOW
        if story.finding.state != state:
            stories[story.finding.id] = replace(story, finding=replace(story.finding, state=state))


def weight_of(finding: Finding) -> float:
    """This will return what a story weighs against others of its day, in nats: how strange it is (-ln p, which its score holds as
    1 - p ** 1/4), and one for each step of severity."""
    return -4.0 * log(max(1.0 - finding.score, _LEAST)) + STEP * finding.severity.rank
