"""The inbox's questions: findings gathered into stories (`anomaly.findings.stories`), the gravest first, and how many there are
of what. Grouping follows from the findings asked for, so that a row always is what its filter says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    Connection,
    and_,
    case,
    exists,
    func,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.sql.elements import ColumnElement

from anomaly.findings.finding import FindingKind, Severity
from anomaly.findings.stories import gather
from anomaly.findings.triage import State
from anomaly.store.columns import moment, read_columns, uuid_of
from anomaly.store.lines import SCORE, SEVERITIES, Line, Sought, conditions, in_sight, lines_of, source
from anomaly.store.tables import cluster, event, finding, model, triage

MOST_TOGETHER: Final = 100
"""Findings of a story that are named and can be acted on at once, the gravest; the others are counted."""
_ALMOST_ONE: Final = 0.999
_STATES: Final = tuple(State)
_KINDS: Final = tuple(FindingKind)
_NOBODYS: Final = 1
_MINE: Final = 2
_HANDS: Final = 3
"""In whose hands: somebody else's, nobody's, mine."""


@dataclass(frozen=True, slots=True)
class InboxStory:
    """One row: `lines` are its findings, the gravest first, at most MOST_TOGETHER of `size`. `events` are those of all lines."""

    lines: tuple[Line, ...]
    size: int
    start: datetime
    end: datetime

    @property
    def head(self) -> Line:
        """The gravest: it names the row."""
        return self.lines[0]

    @property
    def events(self) -> int:
        """How many events the named findings have."""
        return sum(line.count for line in self.lines)

    @property
    def attack(self) -> tuple[str, ...]:
        """Techniques of all named findings, each once."""
        return tuple(dict.fromkeys(name for line in self.lines for name in line.attack))

    @property
    def others(self) -> tuple[tuple[str, int], ...]:
        """Titles of the other findings, each with how often it is there."""
        counted: dict[str, int] = {}
        for line in self.lines[1:]:
            counted[line.title] = counted.get(line.title, 0) + 1
        return tuple(counted.items())


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of stories, and how many stories there are in all."""

    stories: tuple[InboxStory, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How many findings there are with one state, severity and kind; `mine` of them are in the hands of whoever asks."""

    state: State
    severity: Severity
    kind: FindingKind
    count: int
    mine: int
    nobodys: int


def list_stories(
    connection: Connection, sought: Sought, limit: int = 50, offset: int = 0, newest: bool = False
) -> Listed:
    """This will return the stories that the findings asked for make, the riskiest first, or the newest."""
    return _gathered(connection, sought).listed(connection, limit, offset, newest)


def list_and_tally(
    connection: Connection, sought: Sought, me: str, limit: int = 50, offset: int = 0, newest: bool = False
) -> tuple[Listed, list[Tally]]:
    """This will return what `list_stories` and `tally` do, of one pass over the findings: it is most of what the inbox takes."""
    wanted, choice = _parted(sought)
    fits = and_(true(), *conditions(choice))
    gathered = _in_a_story()
    found = read_columns(
        connection,
        gathered | {"sort": _sort_of(me)},
        source(wanted),
        conditions(wanted),
        dict.fromkeys(gathered, fits),
    )
    return _Gathered(found).listed(connection, limit, offset, newest), _counted(found["sort"])


def others_to_do(connection: Connection, line: Line) -> tuple[Line, ...]:
    """This will return what else there is to do in the story of a finding, the gravest first, at most MOST_TOGETHER."""
    # A name may hold what means "anything" in a question; what others did then drops out with the story that it is not in.
    sought = Sought(
        frozenset({line.cluster}), states=(State.OPEN, State.TAKEN, State.CLOSED), entity=line.entity
    )
    found = _gathered(connection, sought)
    for story in range(len(found.stories)):
        numbers = found.members(story)
        if line.id in numbers:
            named = lines_of(connection, [one for one in numbers if one != line.id])
            open_ones = [one for one in named if one.state is not State.CLOSED and one.entity == line.entity]
            return tuple(sorted(open_ones, key=lambda one: (-one.severity.rank, -one.score)))[:MOST_TOGETHER]
    return ()


class _Gathered:
    """The stories of the findings asked for. Gathered here and not in SQL: windows over windows took PostgreSQL 230 ms for 10,000
    findings, this takes a tenth of it."""

    def __init__(self, found: Mapping[str, NDArray[Any]]) -> None:
        self._ids, self._risk = found["id"], found["risk"]
        self.stories = gather(found["whose"], found["start"], found["end"], self._risk)

    def listed(self, connection: Connection, limit: int, offset: int, newest: bool) -> Listed:
        """A page of them, with their findings."""
        order = self.stories.newest_first() if newest else self.stories.riskiest_first()
        shown = order[offset : offset + limit].tolist()
        named = [self.members(story)[:MOST_TOGETHER] for story in shown]
        lines = {line.id: line for line in lines_of(connection, [number for ids in named for number in ids])}
        made = (
            InboxStory(
                tuple(lines[number] for number in ids if number in lines),
                len(self.stories.of(story)),
                moment(self.stories.start[story]),
                moment(self.stories.end[story]),
            )
            for story, ids in zip(shown, named, strict=True)
        )
        return Listed(tuple(one for one in made if one.lines), len(self.stories))

    def members(self, story: int) -> list[UUID]:
        """All findings of a story, the gravest first."""
        places = self.stories.of(story).tolist()
        members = sorted((-self._risk[place], uuid_of(self._ids[place])) for place in places)
        return [number for _, number in members]


def _in_a_story() -> dict[str, tuple[str, ColumnElement[Any]]]:
    """What gathering needs of each finding, as columns."""
    risk = finding.c.severity + func.least(SCORE, 1.0) * _ALMOST_ONE
    return {
        "id": ("uuid", finding.c.id),
        "whose": ("int4", finding.c.entity_id),
        "start": ("timestamptz", finding.c.start_at),
        "end": ("timestamptz", finding.c.end_at),
        "risk": ("float8", risk),
    }


def _gathered(connection: Connection, sought: Sought) -> _Gathered:
    return _Gathered(read_columns(connection, _in_a_story(), source(sought), conditions(sought)))


def tally(connection: Connection, sought: Sought, me: str) -> list[Tally]:
    """This will count the findings asked for by state, severity and kind; states and severities asked for are left open, so that
    the counts beside each choice are those it would show."""
    wanted, _ = _parted(sought)
    found = read_columns(connection, {"sort": _sort_of(me)}, source(wanted), conditions(wanted))
    return _counted(found["sort"])


def _parted(sought: Sought) -> tuple[Sought, Sought]:
    """A question without what its choices restrict, and that alone."""
    choice = Sought(
        states=sought.states, severities=sought.severities, kind=sought.kind, assignee=sought.assignee
    )
    return replace(sought, states=(), severities=(), kind=None, assignee=None), choice


def _sort_of(me: str) -> tuple[str, ColumnElement[int]]:
    """State, severity, kind and whether it is mine or nobody's, as digits of one number: thousands of rows are counted by it."""
    state = case(*((finding.c.state == one.value, place) for place, one in enumerate(_STATES)), else_=0)
    kind = case(*((finding.c.kind == one.value, place) for place, one in enumerate(_KINDS)), else_=0)
    hands = case((triage.c.assignee.is_(None), _NOBODYS), (triage.c.assignee == me, _MINE), else_=0)
    return "int4", ((state * len(SEVERITIES) + finding.c.severity) * len(_KINDS) + kind) * _HANDS + hands


def _counted(sorts: NDArray[np.int64]) -> list[Tally]:
    found: dict[int, list[int]] = {}
    for sort, count in zip(*(part.tolist() for part in np.unique(sorts, return_counts=True)), strict=True):
        found.setdefault(sort // _HANDS, [0] * _HANDS)[sort % _HANDS] = count
    return [
        Tally(
            _STATES[one // len(_KINDS) // len(SEVERITIES)],
            SEVERITIES[one // len(_KINDS) % len(SEVERITIES)],
            _KINDS[one % len(_KINDS)],
            sum(hands),
            hands[_MINE],
            hands[_NOBODYS],
        )
        for one, hands in found.items()
    ]


def count_new(connection: Connection, sought: Sought, after: datetime) -> int:
    """This will return how many of the findings asked for were made after a moment."""
    statement = (
        select(func.count())
        .select_from(source(sought))
        .where(*conditions(sought), finding.c.created_at > after)
    )
    return int(connection.execute(statement).scalar_one())


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to filter by: names with titles, techniques, and whose hands findings are in."""

    names: tuple[tuple[str, str], ...]
    techniques: tuple[str, ...]
    assignees: tuple[str, ...]


def choices(connection: Connection, clusters: frozenset[str] | None) -> Choices:
    """This will return what the findings in sight can be filtered by."""
    within = true() if clusters is None else in_sight(clusters)
    # All in one pass: few rules, each with few titles and sets of techniques, over many findings.
    said = (finding.c.name, finding.c.attack, finding.c.title)
    found = connection.execute(select(*said).where(within).group_by(*said)).all()
    names: dict[str, str] = {}
    for name, _, title in found:
        names[name] = max(names.get(name, ""), title)
    hands = select(triage.c.assignee.distinct()).where(triage.c.assignee.is_not(None))
    if clusters is not None:
        hands = hands.join(finding, finding.c.id == triage.c.finding_id).where(within)
    return Choices(
        tuple(sorted(names.items(), key=lambda pair: pair[1].lower())),
        tuple(sorted({technique for _, attack, _ in found for technique in attack})),
        tuple(sorted(connection.execute(hands).scalars())),
    )


def is_anything_there(connection: Connection, clusters: frozenset[str] | None) -> dict[str, bool]:
    """This will say whether there are clusters, events, models and findings in sight: an empty inbox says which is missing."""
    ids = select(cluster.c.id)
    ids = ids.where(cluster.c.name.in_(clusters)) if clusters is not None else ids
    asked = {
        "clusters": exists(ids),
        "events": exists(select(literal(1)).where(event.c.cluster_id.in_(ids))),
        "models": exists(select(literal(1)).where(model.c.cluster_id.in_(ids), model.c.state == "champion")),
        "findings": exists(select(literal(1)).where(finding.c.cluster_id.in_(ids))),
    }
    parts = [
        select(literal(name).label("name"), condition.label("there")) for name, condition in asked.items()
    ]
    return {row.name: bool(row.there) for row in connection.execute(union_all(*parts))}
