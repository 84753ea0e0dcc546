"""The inbox's questions: findings gathered into stories (`anomaly.findings.stories`), the gravest first, and how many there are
of what. Grouping follows from the findings asked for, so that a row always is what its filter says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import (
    Connection,
    exists,
    func,
    literal,
    select,
    union_all,
)

from anomaly.findings.finding import FindingKind, Severity
from anomaly.findings.stories import gather
from anomaly.findings.triage import State
from anomaly.store.columns import moment, read_columns, uuid_of
from anomaly.store.lines import SCORE, SEVERITIES, Line, Sought, conditions, lines_of, source
from anomaly.store.tables import cluster, event, finding, model, triage

MOST_TOGETHER: Final = 100
"""Findings of a story that are named and can be acted on at once, the gravest; the others are counted."""
_ALMOST_ONE: Final = 0.999


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
    found = _Gathered(connection, sought)
    order = found.stories.newest_first() if newest else found.stories.riskiest_first()
    shown = order[offset : offset + limit].tolist()
    named = [found.gravest(story) for story in shown]
    lines = {line.id: line for line in lines_of(connection, [number for ids in named for number in ids])}
    made = (
        InboxStory(
            tuple(lines[number] for number in ids if number in lines),
            len(found.stories.of(story)),
            moment(found.stories.start[story]),
            moment(found.stories.end[story]),
        )
        for story, ids in zip(shown, named, strict=True)
    )
    return Listed(tuple(one for one in made if one.lines), len(found.stories))


def others_to_do(connection: Connection, line: Line) -> tuple[Line, ...]:
    """This will return what else there is to do in the story of a finding, the gravest first, at most MOST_TOGETHER."""
    # A name may hold what means "anything" in a question; what others did then drops out with the story that it is not in.
    sought = Sought(
        frozenset({line.cluster}), states=(State.OPEN, State.TAKEN, State.CLOSED), entity=line.entity
    )
    found = _Gathered(connection, sought)
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

    def __init__(self, connection: Connection, sought: Sought) -> None:
        risk = finding.c.severity + func.least(SCORE, 1.0) * _ALMOST_ONE
        found = read_columns(
            connection,
            {
                "id": ("uuid", finding.c.id),
                "whose": ("int4", finding.c.entity_id),
                "start": ("timestamptz", finding.c.start_at),
                "end": ("timestamptz", finding.c.end_at),
                "risk": ("float8", risk),
            },
            source(sought),
            conditions(sought),
        )
        self._ids, self._risk = found["id"], found["risk"]
        self.stories = gather(found["whose"], found["start"], found["end"], self._risk)

    def gravest(self, story: int) -> list[UUID]:
        """The findings of a story that are named, the gravest first."""
        return self.members(story)[:MOST_TOGETHER]

    def members(self, story: int) -> list[UUID]:
        """All findings of a story, the gravest first."""
        places = self.stories.of(story).tolist()
        members = sorted((-self._risk[place], uuid_of(self._ids[place])) for place in places)
        return [number for _, number in members]


def tally(connection: Connection, sought: Sought, me: str) -> list[Tally]:
    """This will count the findings asked for by state, severity and kind; states and severities asked for are left open, so that
    the counts beside each choice are those it would show."""
    open_question = replace(sought, states=(), severities=(), kind=None, assignee=None)
    mine = func.count().filter(triage.c.assignee == me)
    nobodys = func.count().filter(triage.c.assignee.is_(None))
    rows = connection.execute(
        select(
            finding.c.state,
            finding.c.severity,
            finding.c.kind,
            func.count().label("count"),
            mine.label("mine"),
            nobodys.label("nobodys"),
        )
        .select_from(source(open_question))
        .where(*conditions(open_question))
        .group_by(finding.c.state, finding.c.severity, finding.c.kind)
    )
    return [
        Tally(
            State(row.state),
            SEVERITIES[row.severity],
            FindingKind(row.kind),
            row._mapping["count"],
            row.mine,
            row.nobodys,
        )
        for row in rows
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
    sought = Sought(clusters)
    where, sources = conditions(sought), source(sought)
    # Both in one pass: few rules, each with few sets of techniques, over many findings.
    found = connection.execute(
        select(finding.c.name, finding.c.attack, func.max(finding.c.title))
        .select_from(sources)
        .where(*where)
        .group_by(finding.c.name, finding.c.attack)
    ).all()
    names: dict[str, str] = {}
    for name, _, title in found:
        names[name] = max(names.get(name, ""), title)
    hands = select(triage.c.assignee.distinct()).select_from(sources)
    return Choices(
        tuple(sorted(names.items(), key=lambda pair: pair[1].lower())),
        tuple(sorted({technique for _, attack, _ in found for technique in attack})),
        tuple(sorted(connection.execute(hands.where(*where, triage.c.assignee.is_not(None))).scalars())),
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
