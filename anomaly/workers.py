"""Processes that decode and keep blocks side by side: Python holds one core, a file should use them all.

A worker gets plain bytes through a pipe and answers with a few numbers or a sentence: nothing is pickled. It has one block
at a time; while it works the caller reads the next. When the caller dies the pipe closes and the worker ends with its block.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
import struct
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from enum import IntEnum
from multiprocessing.connection import Connection, wait
from typing import Final

import psycopg

from anomaly.errors import AnomalyError, DatabaseUnavailable
from anomaly.store.writer import Receipt

_ANSWER: Final = struct.Struct("<B5Q")
_STOP_SECONDS: Final = 30
_AGAIN: Final = "Run the same command again: it goes on from what is kept, and nothing is kept twice."

Work = Callable[[bytes], Receipt]
Start = Callable[[], AbstractContextManager[Work]]


class WorkerFailed(AnomalyError):
    """A worker process stopped with an error; nothing of its block is kept, and the next run takes it again."""


class _Outcome(IntEnum):
    """The first byte of an answer; what follows is numbers, or a sentence and where it happened."""

    KEPT = 0
    FAILED = 1
    DATABASE_AWAY = 2


@dataclass(slots=True)
class _Worker:
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    block: int = -1


class Crew:
    """Worker processes that each open `start`, and do the work it gives over the blocks handed to them.

    With `count` 0 the work is done in the calling process, which is easier to follow and needs less memory.
    """

    def __init__(self, start: Start, count: int) -> None:
        self._workers = [_start(start) for _ in range(count)]
        self._open = ExitStack()
        self._work = self._open.enter_context(start()) if not count else None
        self._finished: list[tuple[int, Receipt]] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def give(self, number: int, block: bytes) -> None:
        """This will hand a block to a worker, waiting until one is free. Raises WorkerFailed when one stopped."""
        if self._work is not None:
            self._finished.append((number, self._work(block)))
            return
        while not (free := [worker for worker in self._workers if worker.block < 0]):
            self._collect()
        free[0].block = number
        try:
            free[0].pipe.send_bytes(block)
        except OSError as error:
            raise _ended(free[0].process) from error

    def done(self) -> Iterator[tuple[int, Receipt]]:
        """This will yield (number, receipt) of blocks that are durable by now, without waiting."""
        finished, self._finished = self._finished, []
        yield from finished

    def finish(self) -> Iterator[tuple[int, Receipt]]:
        """This will wait for all blocks handed out and yield them."""
        while any(worker.block >= 0 for worker in self._workers):
            self._collect()
        yield from self.done()

    def close(self) -> None:
        """This will end the workers; a block being worked on is finished first."""
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join(_STOP_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
        self._workers.clear()
        self._open.close()

    def _collect(self) -> None:
        busy = {worker.pipe: worker for worker in self._workers if worker.block >= 0}
        for pipe in wait(list(busy)):
            worker = busy[pipe]  # type: ignore[index]
            try:
                answer = worker.pipe.recv_bytes()
            except (EOFError, OSError) as error:
                raise _ended(worker.process) from error
            outcome, *numbers = _ANSWER.unpack_from(answer)
            if outcome != _Outcome.KEPT:
                raise _failure(outcome, answer[_ANSWER.size :].decode("utf-8", "replace"))
            self._finished.append((worker.block, Receipt(*numbers)))
            worker.block = -1


def _start(start: Start) -> _Worker:
    # A fork shares what is loaded already, rules and libraries: a second worker costs memory only for what it does itself.
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(start, ours, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _run(start: Start, ours: Connection, pipe: Connection) -> None:
    ours.close()
    # Ctrl-C is for the caller to decide on: it lets the block in hand become durable.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    collect_rarely()
    with start() as work:
        _serve(work, pipe)


def _serve(work: Work, pipe: Connection) -> None:
    while True:
        try:
            block = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            receipt = work(block)
            answer = _ANSWER.pack(
                _Outcome.KEPT,
                receipt.kept,
                receipt.duplicates,
                receipt.quarantined,
                receipt.matches,
                receipt.dropped,
            )
        except Exception as error:  # whatever it is, the caller must hear of it
            answer = _sad_answer(error)
        try:
            pipe.send_bytes(answer)
        except OSError:
            return


def _sad_answer(error: Exception) -> bytes:
    away = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | DatabaseUnavailable)
    first = str(error).strip().partition("\n")[0] or type(error).__name__
    words = first if away or isinstance(error, AnomalyError) else f"{type(error).__name__}: {first}"
    text = f"{words}\n{traceback.format_exc()}".encode("utf-8", "replace")
    return _ANSWER.pack(_Outcome.DATABASE_AWAY if away else _Outcome.FAILED, 0, 0, 0, 0, 0) + text


def _failure(outcome: int, text: str) -> AnomalyError:
    words, _, trace = text.partition("\n")
    failure: AnomalyError = (
        DatabaseUnavailable(f"The database went away: {words.rstrip('.')}.", hint=_AGAIN)
        if outcome == _Outcome.DATABASE_AWAY
        else WorkerFailed(f"A worker process failed: {words.rstrip('.')}.", hint=_AGAIN)
    )
    failure.add_note(trace)
    return failure


def _ended(process: multiprocessing.process.BaseProcess) -> WorkerFailed:
    process.join(_STOP_SECONDS)
    code = process.exitcode
    how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with status {code}"
    return WorkerFailed(f"A worker process {how}.", hint=_AGAIN)


def collect_rarely() -> None:
    """This will make the garbage collector leave long-lived objects alone: decoding gains a factor of two."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
