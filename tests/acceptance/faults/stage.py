"""The stage of the fault suite: one PostgreSQL, some replicas of the service, and what can be done to them.

Whoever is killed is started again by a supervisor of its own, as systemd or a Deployment would, after a pause of its choosing.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

from anomaly.errors import DatabaseUnavailable
from anomaly.settings import Settings
from anomaly.store.clusters import ensure_cluster
from anomaly.store.database import open_database
from anomaly.store.embedded import Embedded
from anomaly.store.tokens import issue
from tests.anomaly.web.running import Service
from tests.conftest import url_of

LONGEST_PAUSE = 2.0


class Stage:
    """Set up in `with`. `embedded` replicas own the database together and must revive it themselves; otherwise it is a server
    of its own, which the stage starts again."""

    def __init__(self, folder: Path, replicas: int, *, embedded: bool, seed: int):
        self.folder, self.embedded = folder, embedded
        self.settings = Settings(data_dir=folder / "data")
        self.postgres = Embedded(self.settings)
        self.killed: Counter[str] = Counter()
        self.mishaps: list[str] = []
        self._count = replicas
        self._random = random.Random(seed)
        self._raising: set[threading.Thread] = set()
        self._down: set[Service] = set()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._watch_postgres, daemon=True)

    def __enter__(self):
        self.folder.chmod(0o755)
        self.database = open_database(self.settings)
        where = {"ANOMALY_DATA_DIR": str(self.settings.data_dir)} if self.embedded else {}
        self.services = []
        for _ in range(self._count):
            service = Service(url_of(self.database), self.folder, **where)
            if self.embedded:
                del service._environment["ANOMALY_DATABASE__URL"]
            service.start()
            self.services.append(service)
        if not self.embedded:
            self._watch.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        if self._watch.ident is not None:
            self._watch.join(30)
        for service in self.services:
            with contextlib.suppress(Exception):
                service.kill()
        self.database.close()
        self.postgres.stop()

    def cluster(self, name):
        """A cluster's number and a token for it."""
        with self.database.begin() as connection:
            number = ensure_cluster(connection, name)
            return number, issue(connection, number)

    # Kills

    def kill(self, kind=None):
        """Kill -9 one thing that lives, of this kind or of any; returns what it was, None when nothing of it lives now."""
        kind = kind or self._random.choices(("service", "jobs", "postmaster", "backend"), (4, 2, 2, 3))[0]
        done = {
            "service": self._kill_service,
            "jobs": self._kill_jobs,
            "postmaster": self._kill_postmaster,
            "backend": self._kill_backend,
        }
        what = done[kind]()
        if what:
            self.killed[what] += 1
        return what

    def _kill_service(self):
        alive = [one for one in self.services if one not in self._down]
        if not alive:
            return None
        service = self._random.choice(alive)
        self._down.add(service)
        os.kill(service.process.pid, signal.SIGKILL)
        service.kill()
        self._raise(lambda: self._start(service))
        return "service"

    def _kill_jobs(self):
        """The process beside a service that runs its jobs; the service starts it again."""
        found = [
            child
            for service in self.services
            if service not in self._down
            for child in _children(service.process.pid)
            if _is_jobs(child)
        ]
        if not found:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._random.choice(found), signal.SIGKILL)
            return "jobs"
        return None

    def _kill_postmaster(self):
        pid = self.postgres.status().pid
        if pid is None:
            return None
        # Half of the time everything at once, as when the machine's memory runs out; else its children must notice.
        victims = [pid, *_children(pid)] if self._random.random() < 0.5 else [pid]
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        return "whole postgres" if len(victims) > 1 else "postmaster"

    def _kill_backend(self):
        """Any child of the postmaster, sessions and background processes alike: all sessions end, and recovery begins."""
        pid = self.postgres.status().pid
        if pid is None or not (children := _children(pid)):
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._random.choice(children), signal.SIGKILL)
            return "backend"
        return None

    def _raise(self, start):
        pause = self._random.random() * LONGEST_PAUSE
        thread = threading.Thread(target=lambda: (time.sleep(pause), start()), daemon=True)
        self._raising = {one for one in self._raising if one.is_alive()} | {thread}
        thread.start()

    def _start(self, service):
        for _ in range(60):
            try:
                service.start()
                break
            except AssertionError as failed:
                # It found no database within its patience and said so; a supervisor starts it again.
                self.mishaps.append(str(failed)[-300:])
                time.sleep(0.5)
        self._down.discard(service)

    def _watch_postgres(self):
        """Also for a server that gave up by itself: one whose recovery process is killed does."""
        while not self._over.wait(0.1):
            if self.postgres.status().pid is None:
                time.sleep(self._random.random() * LONGEST_PAUSE)
                with contextlib.suppress(DatabaseUnavailable):  # killed while it started
                    self.postgres.ensure_running()

    def wait_for_jobs(self, service, other_than=0, within=30.0):
        """The process that runs the jobs of a service, once there is one (not that of this number)."""
        deadline = time.monotonic() + within
        while True:
            found = [one for one in _children(service.process.pid) if _is_jobs(one) and one != other_than]
            if found:
                return found[0]
            assert time.monotonic() < deadline, "no jobs are run"
            time.sleep(0.1)

    def whole(self, within=120.0):
        """Wait until everything is up again and ready."""
        deadline = time.monotonic() + within
        for thread in list(self._raising):
            thread.join(max(0.1, deadline - time.monotonic()))
        for service in self.services:
            while not _ready(service):
                assert time.monotonic() < deadline, "a replica does not come back"
                time.sleep(0.1)


def _is_jobs(pid):
    """Whether it is what multiprocessing starts: neither PostgreSQL nor the tracker of shared memory."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _ready(service):
    try:
        return service.get("/readyz") == 200
    except OSError:
        return False


def _children(pid):
    """Whatever thread of it started them."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for one in lists for child in one.split()]
