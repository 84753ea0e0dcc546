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
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Final

from anomaly.errors import AnomalyError
from anomaly.store.writer import Receipt

_ANSWER: Final = struct.Struct("<?4Q")
_STOP_SECONDS: Final = 30

Work = Callable[[bytes], Receipt]


class WorkerFailed(AnomalyError):
    """A worker process stopped with an error; nothing of its block is kept, and the next run takes it again."""


@dataclass(slots=True)
class _Worker:
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    block: int = -1


class Crew:
    """Worker processes that each run `work`, made inside the process by `start`, over the blocks handed to them.

    With `count` 0 the work is done in the calling process, which is easier to follow and needs less memory.
    """

    def __init__(self, start: Callable[[], Work], count: int) -> None:
        self._workers = [_start(start) for _ in range(count)]
        self._work = start() if not count else None
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
            raise WorkerFailed(f"a worker process is gone: {error}") from error

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

    def _collect(self) -> None:
        busy = {worker.pipe: worker for worker in self._workers if worker.block >= 0}
        for pipe in wait(list(busy)):
            worker = busy[pipe]  # type: ignore[index]
            try:
                answer = worker.pipe.recv_bytes()
            except (EOFError, OSError) as error:
                raise WorkerFailed(f"a worker process ended with status {worker.process.exitcode}") from error
            fine, *numbers = _ANSWER.unpack_from(answer)
            if not fine:
                raise WorkerFailed(answer[_ANSWER.size :].decode("utf-8", "replace"))
            self._finished.append((worker.block, Receipt(*numbers)))
            worker.block = -1


def _start(start: Callable[[], Work]) -> _Worker:
    # A fork shares what is loaded already, rules and libraries: a second worker costs memory only for what it does itself.
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(start, ours, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _run(start: Callable[[], Work], ours: Connection, pipe: Connection) -> None:
    ours.close()
    # Ctrl-C is for the caller to decide on: it lets the block in hand become durable.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    collect_rarely()
    work = start()
    while True:
        try:
            block = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            receipt = work(block)
            answer = _ANSWER.pack(
                True, receipt.kept, receipt.duplicates, receipt.quarantined, receipt.matches
            )
        except Exception as error:  # whatever it is, the caller must hear of it
            words = f"{type(error).__name__}: {error}"
            detail = "" if isinstance(error, AnomalyError) else traceback.format_exc()
            answer = _ANSWER.pack(False, 0, 0, 0, 0) + f"{words}\n{detail}".encode("utf-8", "replace")
        try:
            pipe.send_bytes(answer)
        except OSError:
            return


def collect_rarely() -> None:
    """This will make the garbage collector leave long-lived objects alone: decoding gains a factor of two."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
