"""Errands: long work that somebody asked for, as a replay or a training now. Its run is kept like that of any job, so that every
replica can say how far it is, and what came of it; whoever runs it and dies leaves it marked as crashed.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import psycopg

from anomaly.errors import AnomalyError
from anomaly.jobs.job import JobStopped, Shared, Work
from anomaly.settings import Settings
from anomaly.store.database import Database
from anomaly.store.job_runs import CRASHED, FAILED, OK, Run, claimed, finish, note

log = logging.getLogger(__name__)

AT_ONCE: Final = 2
"""Errands at a time in one process; they compute, and the service shall go on."""
NOTED_SECONDS: Final = 1.0
"""How often progress is written down, at most."""

Deed = Callable[[Work], Mapping[str, object]]


class TooMany(AnomalyError):
    """Too much long work is asked for at once; come back when some of it is done."""


class Errands:
    """Runs errands in threads of this process. Safe to share between threads."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._shared = Shared(settings, database)
        self._room = threading.Semaphore(AT_ONCE)
        self._stopping = threading.Event()
        self._threads: set[threading.Thread] = set()

    def begin(self, name: str, about: Mapping[str, object], deed: Deed, now: datetime) -> Run:
        """This will begin an errand and return its run. `about` says what for, as `cluster` and `by`, and stays in the run's detail.

        Raises TooMany when there is no room.
        """
        if not self._room.acquire(blocking=False):
            raise TooMany
        begun: list[Run | AnomalyError | psycopg.Error] = []
        ready = threading.Event()
        thread = threading.Thread(
            target=self._run,
            args=(name, dict(about), deed, now, begun, ready),
            name=f"errand-{name}",
            daemon=True,
        )
        self._threads.add(thread)
        thread.start()
        ready.wait()
        made = begun[0]
        if isinstance(made, Run):
            return made
        raise made

    def stop(self, within: float) -> None:
        """This will have errands end with their next step, and wait for that at most `within` seconds; what goes on for longer is
        cut off with the process, and its run is called crashed by the next leader of the jobs."""
        self._stopping.set()
        until = time.monotonic() + within
        for thread in list(self._threads):
            # One that is just being begun cannot be joined, and ends with its first step.
            if thread.ident is not None:
                thread.join(max(until - time.monotonic(), 0.0))

    def _run(
        self,
        name: str,
        about: dict[str, object],
        deed: Deed,
        now: datetime,
        begun: list[Run | AnomalyError | psycopg.Error],
        ready: threading.Event,
    ) -> None:
        try:
            with (
                self._database.dedicated() as connection,
                _claimed_somewhen(connection, name, now) as run,
            ):
                note(connection, run, about)
                begun.append(run)
                ready.set()
                self._made(connection, run, about, deed)
        except (AnomalyError, psycopg.Error) as failure:
            if not begun:
                begun.append(failure)
            log.warning("an errand could not be kept", extra={"errand": name, "reason": str(failure)[:300]})
        finally:
            self._room.release()
            self._threads.discard(threading.current_thread())
            ready.set()

    def _made(
        self,
        connection: psycopg.Connection[tuple[object, ...]],
        run: Run,
        about: dict[str, object],
        deed: Deed,
    ) -> None:
        began, noted = time.monotonic(), 0.0

        def heard(said: str) -> None:
            nonlocal noted
            if self._stopping.is_set():
                raise JobStopped("The service stopped in the middle of it; ask for it again.")
            if time.monotonic() - noted >= NOTED_SECONDS:
                noted = time.monotonic()
                note(connection, run, about | {"progress": said})

        work = Work(self._settings, self._database, self._shared, run.scheduled_at, run.started_at, heard)
        try:
            outcome, came = OK, dict(deed(work))
        except JobStopped as stopped:
            outcome, came = CRASHED, {"error": str(stopped)}
        except AnomalyError as failure:
            outcome, came = FAILED, {"error": str(failure)}
        except Exception as failure:
            log.exception("errand failed", extra={"errand": run.job})
            outcome, came = (
                FAILED,
                {"error": f"It failed inside: {type(failure).__name__}. The log of the service says more."},
            )
        plain = msgspec.to_builtins(about | came, enc_hook=str, builtin_types=())
        plain["seconds"] = round(time.monotonic() - began, 3)
        finish(connection, run, outcome, plain, datetime.now(UTC))  # noqa: TID251 -- jobs read the clock


class _claimed_somewhen:
    """Claims a run; two that are asked for in one microsecond are one microsecond apart."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]], name: str, now: datetime) -> None:
        self._connection, self._name, self._now = connection, name, now

    def __enter__(self) -> Run:
        host = f"{socket.gethostname()}:{os.getpid()}"
        at = self._now
        while True:
            self._held = claimed(self._connection, self._name, at, host, self._now)
            run = self._held.__enter__()
            if run is not None:
                return run
            self._held.__exit__(None, None, None)
            at += timedelta(microseconds=1)

    def __exit__(self, *failure: object) -> None:
        self._held.__exit__(*failure)  # type: ignore[arg-type]
