"""Worker processes that decode chunks and match rules, each a fork of the caller with a connection of its own.

A worker gets numbers of chunks and answers with findings in the making, both as JSON through a pipe: nothing is pickled.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from typing import Final

import msgspec
import psycopg

from anomaly.errors import AnomalyError
from anomaly.events.decode import Decoded
from anomaly.rules.compile import RuleSet
from anomaly.rules.replay import Fed, Replay, Replayed
from anomaly.rules.replay_words import reader, words_of
from anomaly.store.chunks import unpack_chunk

Connection = psycopg.Connection[tuple[object, ...]]
Connect = Callable[[], Connection]
_UNIT: Final = 8
"""Chunks handed to a worker at a time."""


class Work(msgspec.Struct, gc=False):
    """A chunk, and which of its events to decode (None: all)."""

    cluster: int
    day: date
    chunk: int
    ordinals: list[int]


class Done(msgspec.Struct, gc=False):
    """What came of some chunks: `events` is how many had to be decoded; `fault` is empty unless it failed."""

    found: list[Replayed] = []
    fed: list[Fed] = []
    events: int = 0
    fault: str = ""


def decode_chunk(
    connection: Connection, work: Work, may_hold: Callable[[bytes], bool] | None = None
) -> Decoded:
    """This will decode the events of a chunk that may hold what is looked for. Empty when retention dropped its day."""
    row = connection.execute(
        "SELECT data FROM anomaly.chunk WHERE day = %b AND id = %b", [work.day, work.chunk], binary=True
    ).fetchone()
    decoded = Decoded()
    if row is not None:
        assert isinstance(row[0], bytes)
        raws = unpack_chunk(row[0])
        for ordinal in work.ordinals:
            raw = raws[ordinal]
            if may_hold is None or may_hold(raw):
                decoded.add(raw)
    return decoded


def run(connect: Connect, rules: RuleSet, work: Sequence[Work], workers: int) -> Iterator[tuple[Done, int]]:
    """This will yield what comes of the chunks and how many events were looked at, in any order; with no workers, in here.

    Raises AnomalyError when a worker fails.
    """
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


def _share(pipes: dict[Pipe, int], units: list[list[Work]]) -> Iterator[tuple[Done, int]]:
    waiting = iter(units)
    busy: set[Pipe] = set()
    decoder = msgspec.json.Decoder(Done)

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
    decoder = msgspec.json.Decoder(list[Work])
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
            done = Done(fault=f"{type(fault).__name__}: {fault}"[:400])
        pipe.send_bytes(msgspec.json.encode(done))


def _unit(
    connection: Connection, state: Replay, may_hold: Callable[[bytes], bool] | None, unit: Sequence[Work]
) -> Done:
    events = 0
    for work in unit:
        decoded = decode_chunk(connection, work, may_hold)
        events += len(decoded.events)
        state.feed(work.cluster, decoded)
    connection.rollback()
    return Done(*state.take(), events)


def _filter(rules: RuleSet) -> Callable[[bytes], bool] | None:
    words = words_of(rules)
    return reader(words) if words is not None else None
