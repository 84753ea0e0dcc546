"""Stored history read again: the narrow rows decide which chunks are worth decoding, worker processes decode them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from psycopg import sql

from anomaly.events.decode import Decoded
from anomaly.events.event import Event
from anomaly.events.identity import UNAUTHENTICATED
from anomaly.events.key import EPOCH
from anomaly.findings.episodes import reason, told
from anomaly.findings.finding import FindingKind, finding_id
from anomaly.rules.compile import RuleSet
from anomaly.rules.correlation import Correlation, Match
from anomaly.rules.replay import EXAMPLES, Fed, Narrow, Replayed, columns_asked, may_match
from anomaly.store.batch import ALLOWED, FINAL, LEVELS, STAGES
from anomaly.store.replay_crew import Connect, Connection, Work, decode_chunk, run
from anomaly.store.terms import LONGEST

_FEW: Final = 20_000
"""Events below which a second process is not worth its start."""
_MOST_JUDGED: Final = 200_000
_COLUMN: Final = {
    "namespace": "namespace_id",
    "username": "entity_id",
    "agent": "agent_id",
    "address": "address_id",
    "acting": "acting_id",
}
_FIXED: Final = ("verb_id", "resource_id", "code", "stage", "level", "flags")


@dataclass(frozen=True, slots=True)
class Period:
    """Which stored events: received in [since, until), of one cluster or all. None restricts nothing."""

    since: datetime | None = None
    until: datetime | None = None
    cluster_id: int | None = None

    def where(self) -> tuple[sql.Composable, list[object]]:
        """This will return the WHERE clause over columns of `event`, and its parameters."""
        parts, values = [sql.SQL("true")], list[object]()
        if self.since is not None:
            parts.append(sql.SQL("received_at >= %s"))
            values.append(self.since)
        if self.until is not None:
            parts.append(sql.SQL("received_at < %s"))
            values.append(self.until)
        if self.cluster_id is not None:
            parts.append(sql.SQL("cluster_id = %s"))
            values.append(self.cluster_id)
        return sql.SQL(" AND ").join(parts), values


@dataclass(frozen=True, slots=True)
class Example:
    """One event behind a finding of a replay."""

    at: datetime
    audit_id: str
    entity: str
    why: str


@dataclass(frozen=True, slots=True)
class ReplayFinding:
    """A finding that there would be. Its id is the one it would get."""

    id: UUID
    rule: str
    severity: str
    cluster_id: int
    group: tuple[str, ...]
    start_us: int
    end_us: int
    count: int
    examples: tuple[Example, ...]


@dataclass(slots=True)
class Replayal:
    """The outcome: how many events there are, how many of them the columns leave open, how many were decoded, the findings in
    order of time."""

    events: int = 0
    candidates: int = 0
    decoded: int = 0
    findings: list[ReplayFinding] = field(default_factory=list)


Progress = Callable[[int, int], None]


def replay(
    connect: Connect, rules: RuleSet, period: Period, workers: int, show: Progress | None = None
) -> Replayal:
    """This will run rules over stored events and return the findings they would have made. Nothing is stored.

    `show` hears (events looked at, events to look at). Exceptions and pauses play no part: this is what the rule itself says.
    """
    made = Replayal()
    with connect() as connection:
        work = _work(connection, rules, period, made)
        connection.rollback()
    merged: dict[tuple[object, ...], Replayed] = {}
    fed: list[Fed] = []
    done = 0
    crew = min(workers, 1 + made.candidates // _FEW)
    for finished, events in run(connect, rules, work, crew if crew > 1 else 0):
        for one in finished.found:
            place = (one.cluster, one.rule, one.group, one.bucket)
            if place in merged:
                merged[place].add(one)
            else:
                merged[place] = one
        fed += finished.fed
        made.decoded += finished.events
        done += events
        if show is not None:
            show(done, made.candidates)
    made.findings = sorted(
        [*(_finding(rules, one) for one in merged.values()), *_together(rules, fed)],
        key=lambda one: (one.start_us, one.rule, one.id),
    )
    return made


def stored_batches(connection: Connection, period: Period) -> Iterator[Decoded]:
    """This will yield every stored event of a period decoded again, a chunk at a time, oldest days first."""
    for work in _all(connection, period):
        yield decode_chunk(connection, work)


def stored_events(connection: Connection, period: Period) -> Iterator[tuple[Event, bytes]]:
    """This will yield the same as pairs of event and raw bytes."""
    for decoded in stored_batches(connection, period):
        yield from zip(decoded.events, decoded.raws, strict=True)


def _all(
    connection: Connection,
    period: Period,
    narrowed: sql.Composable | None = None,
    more: Sequence[object] = (),
) -> list[Work]:
    """The chunks of a period with the places of their events in it, those only that meet `narrowed`."""
    where, values = period.where()
    statement = sql.SQL(
        "SELECT min(cluster_id), (received_at AT TIME ZONE 'UTC')::date AS day, chunk_id, array_agg(ordinal)"
        " FROM anomaly.event WHERE {} AND {} GROUP BY day, chunk_id ORDER BY day, chunk_id"
    ).format(where, narrowed or sql.SQL("true"))
    rows = connection.execute(statement, [*values, *more]).fetchall()
    return [Work(*row) for row in rows]  # type: ignore[arg-type]


def _columns(asked: Sequence[str]) -> list[str]:
    return [*_FIXED, *(_COLUMN[name] for name in asked)]


def _sorts(connection: Connection, period: Period, asked: Sequence[str]) -> list[tuple[object, ...]]:
    """Every combination of the columns there is, with how many events have it."""
    names = sql.SQL(", ").join(map(sql.Identifier, _columns(asked)))
    where, values = period.where()
    statement = sql.SQL("SELECT {0}, count(*) FROM anomaly.event WHERE {1} GROUP BY {0}").format(names, where)
    return connection.execute(statement, values).fetchall()


def _work(connection: Connection, rules: RuleSet, period: Period, made: Replayal) -> list[Work]:
    """The chunks that hold events which can match; counts them in `made`."""
    asked = columns_asked(rules)
    sorts = _sorts(connection, period, asked)
    if asked and len(sorts) * len(rules.rules) > _MOST_JUDGED:
        # Judging sorts of events must stay cheaper than decoding the events.
        asked = ()
        sorts = _sorts(connection, period, asked)
    columns = _columns(asked)
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    numbers = [tuple(int(str(value)) for value in row) for row in sorts]
    made.events = sum(row[-1] for row in numbers)
    texts = _texts(connection, numbers, columns)
    chosen = [row[:-1] for row in numbers if may_match(rules, _narrow(row, asked, texts))]
    if not chosen:
        return []
    open_ = set(chosen)
    made.candidates = sum(row[-1] for row in numbers if row[:-1] in open_)
    if made.candidates == made.events:
        return _all(connection, period)
    condition = sql.SQL("({}) IN (SELECT * FROM unnest({}))").format(
        names, sql.SQL(", ").join([sql.SQL("%s::int[]")] * len(columns))
    )
    return _all(connection, period, condition, [list(column) for column in zip(*chosen, strict=True)])


def _texts(
    connection: Connection, rows: Sequence[tuple[int, ...]], columns: Sequence[str]
) -> dict[str, dict[int, str]]:
    """The texts of the numbers, terms and entities apart."""
    terms = [place for place, name in enumerate(columns) if name.endswith("_id") and name != "entity_id"]
    ids = {row[place] for row in rows for place in terms}
    found: dict[str, dict[int, str]] = {}
    for table, column, wanted in (
        ("term", "value", ids),
        (
            "entity",
            "username",
            {row[columns.index("entity_id")] for row in rows} if "entity_id" in columns else (),
        ),
    ):
        statement = sql.SQL("SELECT id, {} FROM {} WHERE id = ANY(%s)").format(
            sql.Identifier(column), sql.Identifier("anomaly", table)
        )
        found[table] = {
            int(str(number)): str(text) for number, text in connection.execute(statement, [sorted(wanted)])
        }
    return found


def _narrow(row: tuple[int, ...], asked: Sequence[str], texts: dict[str, dict[int, str]]) -> Narrow:
    verb, resource, code, stage, level, flags, *others = row[:-1]
    terms = texts["term"]
    more = {
        name: _whole((texts["entity"] if name == "username" else terms).get(number, ""))
        for name, number in zip(asked, others, strict=True)
    }
    if more.get("username") == UNAUTHENTICATED:
        # It stands for no name at all, and a real name could be the same.
        more["username"] = None
    return Narrow(
        verb=_whole(terms.get(verb, "")),
        resource=_whole(terms.get(resource, "")),
        # The column is narrower than the field: its bounds stand for whatever lies beyond.
        code=code if -1 < code < 32_767 else None,
        stage=STAGES[stage],
        level=LEVELS[level],
        allowed=bool(flags & ALLOWED),
        final=bool(flags & FINAL),
        **more,
    )


def _whole(text: str) -> str | None:
    """None for a text that may have been changed when it was stored."""
    return None if len(text) >= LONGEST or "\u2400" in text or "?" in text else text


def _finding(rules: RuleSet, one: Replayed) -> ReplayFinding:
    return ReplayFinding(
        finding_id(one.cluster, FindingKind.RULE, one.rule, one.group, one.bucket),
        one.rule,
        rules[one.rule].severity,
        one.cluster,
        one.group,
        one.start,
        one.end,
        one.count,
        tuple(_example(*example) for example in one.examples),
    )


def _example(us: int, audit_id: str, entity: str, why: str) -> Example:
    return Example(EPOCH + timedelta(microseconds=us), audit_id, entity, why)


def _together(rules: RuleSet, fed: Sequence[Fed]) -> Iterator[ReplayFinding]:
    """The findings of correlations, from all matches at once."""
    groups: dict[tuple[int, str, tuple[str, ...]], list[Fed]] = {}
    for one in fed:
        groups.setdefault((one.cluster, one.correlation, one.group), []).append(one)
    for (cluster, name, group), listed in groups.items():
        correlation = rules[name]
        assert isinstance(correlation, Correlation)
        why = reason(correlation, group)
        by_key = {one.key: one for one in listed}
        matches = [Match(one.time, one.key, one.rule, (), one.value) for one in listed]
        for found in told(cluster, correlation, group, matches):
            keys = list(dict.fromkeys(match.key for match in found.members))
            examples = tuple(
                _example(by_key[key].time, by_key[key].audit_id, by_key[key].entity, why)
                for key in keys[:EXAMPLES]
            )
            yield ReplayFinding(
                *(found.id, name, correlation.severity, cluster, group),
                *(found.start_us, found.end_us, len(keys), examples),
            )
