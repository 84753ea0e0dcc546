"""Stored history read again: the narrow rows decide which chunks are worth decoding, worker processes decode them.

A worker is a fork of the caller with a connection of its own. It gets numbers of chunks and answers with findings in the
making, both as JSON through a pipe: nothing is pickled.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from typing import Final
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql

from anomaly.errors import AnomalyError
from anomaly.events.decode import Decoded
from anomaly.events.event import Event
from anomaly.events.identity import UNAUTHENTICATED
from anomaly.events.key import EPOCH
from anomaly.findings.episodes import reason, told
from anomaly.findings.finding import FindingKind, finding_id
from anomaly.rules.compile import RuleSet
from anomaly.rules.correlation import Correlation, Match
from anomaly.rules.replay import EXAMPLES, Fed, Narrow, Replay, Replayed, columns_asked, may_match
from anomaly.rules.replay_words import reader, words_of
from anomaly.store.batch import ALLOWED, FINAL, LEVELS, STAGES
from anomaly.store.chunks import unpack_chunk
from anomaly.store.terms import LONGEST

Connection = psycopg.Connection[tuple[object, ...]]
Connect = Callable[[], Connection]
_UNIT: Final = 8
"""Chunks handed to a worker at a time."""
_FEW: Final = 20_000
"""Events below which a second process is not worth its start."""
_COLUMN: Final = {
    "namespace": "namespace_id",
    "username": "entity_id",
    "agent": "agent_id",
    "address": "address_id",
    "acting": "acting_id",
    "name": "name_id",
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


class _Work(msgspec.Struct, gc=False):
    """A chunk, and which of its events to decode (None: all)."""

    cluster: int
    day: date
    chunk: int
    ordinals: list[int]


class _Done(msgspec.Struct, gc=False):
    found: list[Replayed] = []
    fed: list[Fed] = []
    events: int = 0
    fault: str = ""


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
    for finished, events in _run(connect, rules, work, crew if crew > 1 else 0):
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
        yield _decode(connection, work)


def stored_events(connection: Connection, period: Period) -> Iterator[tuple[Event, bytes]]:
    """This will yield the same as pairs of event and raw bytes."""
    for decoded in stored_batches(connection, period):
        yield from zip(decoded.events, decoded.raws, strict=True)


def _all(
    connection: Connection,
    period: Period,
    narrowed: sql.Composable | None = None,
    more: Sequence[object] = (),
) -> list[_Work]:
    """The chunks of a period with the places of their events in it, those only that meet `narrowed`."""
    where, values = period.where()
    statement = sql.SQL(
        "SELECT min(cluster_id), (received_at AT TIME ZONE 'UTC')::date AS day, chunk_id, array_agg(ordinal)"
        " FROM anomaly.event WHERE {} AND {} GROUP BY day, chunk_id ORDER BY day, chunk_id"
    ).format(where, narrowed or sql.SQL("true"))
    rows = connection.execute(statement, [*values, *more]).fetchall()
    return [_Work(*row) for row in rows]  # type: ignore[arg-type]


def _work(connection: Connection, rules: RuleSet, period: Period, made: Replayal) -> list[_Work]:
    """The chunks that hold events which can match; counts them in `made`."""
    asked = columns_asked(rules)
    if words_of(rules) is not None:
        # There are as many names as objects: looking for a word in the raw event is cheaper than judging each.
        asked = tuple(column for column in asked if column != "name")
    columns = [*_FIXED, *(_COLUMN[name] for name in asked)]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    where, values = period.where()
    sorts = connection.execute(
        sql.SQL("SELECT {0}, count(*) FROM anomaly.event WHERE {1} GROUP BY {0}").format(names, where), values
    ).fetchall()
    numbers = [tuple(int(str(value)) for value in row) for row in sorts]
    made.events = sum(row[-1] for row in numbers)
    texts = _texts(connection, numbers, columns)
    chosen = [row[:-1] for row in numbers if may_match(rules, _narrow(row, asked, texts))]
    if not chosen:
        return []
    made.candidates = sum(row[-1] for row in numbers if row[:-1] in set(chosen))
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
    if (named := more.get("name")) is not None:
        # NAME terms hold "resource namespace/name".
        more["name"] = named.partition(" ")[2].partition("/")[2]
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


def _decode(connection: Connection, work: _Work, may_hold: Callable[[bytes], bool] | None = None) -> Decoded:
    row = connection.execute(
        "SELECT data FROM anomaly.chunk WHERE day = %b AND id = %b", [work.day, work.chunk], binary=True
    ).fetchone()
    decoded = Decoded()
    if row is not None:  # retention may have dropped the day meanwhile
        assert isinstance(row[0], bytes)
        raws = unpack_chunk(row[0])
        for ordinal in work.ordinals:
            raw = raws[ordinal]
            if may_hold is None or may_hold(raw):
                decoded.add(raw)
    return decoded


def _run(
    connect: Connect, rules: RuleSet, work: Sequence[_Work], workers: int
) -> Iterator[tuple[_Done, int]]:
    units = [list(work[start : start + _UNIT]) for start in range(0, len(work), _UNIT)]
    if not workers:
        state, may_hold = Replay(rules), _filter(rules)
        with connect() as connection:
            for unit in units:
                yield _unit(connection, state, may_hold, unit), sum(len(one.ordinals) for one in unit)
        return
    # A fork shares the rules and what is compiled of them.
    context = multiprocessing.get_context("fork")
    pipes: dict[Pipe, int] = {}
    processes = []
    try:
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_worker, args=(connect, rules, theirs, [*pipes, ours]), daemon=True
            )
            process.start()
            theirs.close()
            pipes[ours] = 0
            processes.append(process)
        yield from _share(pipes, units)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.join(5)
            if process.is_alive():
                process.kill()


def _share(pipes: dict[Pipe, int], units: list[list[_Work]]) -> Iterator[tuple[_Done, int]]:
    waiting = iter(units)
    busy: set[Pipe] = set()
    decoder = msgspec.json.Decoder(_Done)

    def give(pipe: Pipe) -> None:
        unit = next(waiting, None)
        if unit is not None:
            pipe.send_bytes(msgspec.json.encode(unit))
            pipes[pipe] = sum(len(one.ordinals) for one in unit)
            busy.add(pipe)

    for pipe in pipes:
        give(pipe)
    while busy:
        for ready in wait(list(busy)):
            pipe = next(one for one in busy if one is ready)
            try:
                done = decoder.decode(pipe.recv_bytes())
            except (EOFError, OSError) as error:
                raise AnomalyError(
                    "A worker that read stored events ended; its memory may have run out."
                ) from error
            if done.fault:
                raise AnomalyError(f"Reading stored events failed: {done.fault}")
            busy.discard(pipe)
            events = pipes[pipe]
            give(pipe)
            yield done, events


def _worker(connect: Connect, rules: RuleSet, pipe: Pipe, others: list[Pipe]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in others:
        other.close()
    state, may_hold = Replay(rules), _filter(rules)
    decoder = msgspec.json.Decoder(list[_Work])
    connection: Connection | None = None
    while True:
        try:
            unit = decoder.decode(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        try:
            if connection is None:
                connection = connect()
            done = _unit(connection, state, may_hold, unit)
        except Exception as fault:  # whatever it is, the caller says it
            done = _Done(fault=f"{type(fault).__name__}: {fault}"[:400])
        pipe.send_bytes(msgspec.json.encode(done))


def _unit(
    connection: Connection, state: Replay, may_hold: Callable[[bytes], bool] | None, unit: Sequence[_Work]
) -> _Done:
    events = 0
    for work in unit:
        decoded = _decode(connection, work, may_hold)
        events += len(decoded.events)
        state.feed(work.cluster, decoded)
    connection.rollback()
    return _Done(*state.take(), events)


def _filter(rules: RuleSet) -> Callable[[bytes], bool] | None:
    words = words_of(rules)
    return reader(words) if words is not None else None


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
