"""The jobs in a process of their own beside the service: Python runs one thread at a time, and judging shall not hold up what comes in.

The process holds the reading end of a pipe, by which it is told to end with its step in hand. When the service dies the pipe closes,
and the jobs die with it. A process that ends by itself is started again; what it was doing is taken again by whoever leads next.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final

from anomaly.errors import AnomalyError
from anomaly.jobs.runner import run_jobs
from anomaly.settings import Settings
from anomaly.web.log import start_logging

log = logging.getLogger(__name__)

STOP_SECONDS: Final = 2.0
"""How long a step in hand may take when the service stops; a training that is cut off is taken again."""
PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE: Final = 30.0
_WELL_SECONDS: Final = 60.0
"""After so long a process was well, and the next pause is short again."""


class JobsBeside:
    """Starts the process in `with`, and starts it again for as long as the block lasts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Not a fork: threads of the service may hold locks, and a later start must be like the first.
        self._context = multiprocessing.get_context("spawn")
        self._stop = threading.Event()
        self._waking, self._woken = self._context.Pipe(duplex=False)
        self._thread = threading.Thread(target=self._watch, name="jobs-beside", daemon=True)

    def __enter__(self) -> JobsBeside:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._woken.close()
        self._thread.join(2 * STOP_SECONDS + 1)

    def _watch(self) -> None:
        pause = PAUSE_SECONDS
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                process, pipe = self._started()
            except OSError as failure:
                log.warning("the jobs could not be started", extra={"reason": str(failure)})
            else:
                wait([process.sentinel, self._waking])
                if self._stop.is_set():
                    _end(process, pipe)
                    return
                process.join()
                pipe.close()
                log.warning("the jobs ended and are started again", extra={"status": process.exitcode})
            pause = (
                PAUSE_SECONDS if time.monotonic() - began > _WELL_SECONDS else min(2 * pause, LONGEST_PAUSE)
            )
            self._stop.wait(pause)

    def _started(self) -> tuple[BaseProcess, Connection]:
        theirs, ours = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(self._settings, theirs), name="jobs")
        try:
            process.start()
        finally:
            theirs.close()
        return process, ours


def _end(process: BaseProcess, pipe: Connection) -> None:
    with contextlib.suppress(OSError):  # it may have died this very moment
        pipe.send_bytes(b"stop")
    process.join(STOP_SECONDS + 1)
    if process.is_alive():
        process.kill()
        process.join()
    pipe.close()


def _work(settings: Settings, pipe: Connection) -> None:
    """What the process does. SIGTERM, which a supervisor sends to all processes of the service, stops it too; Ctrl-C is the service's."""
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    start_logging(settings.log)
    threading.Thread(target=_end_with, args=(pipe, stop), name="parent", daemon=True).start()
    while not stop.is_set():
        try:
            run_jobs(settings, stop)
        except AnomalyError as away:
            # At its start it is less patient with a database than later.
            log.warning("jobs wait for the database", extra={"reason": str(away).split("\n")[0][:300]})
            stop.wait(PAUSE_SECONDS)


def _end_with(pipe: Connection, stop: threading.Event) -> None:
    try:
        pipe.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
    stop.set()
    time.sleep(STOP_SECONDS)
    os._exit(0)
