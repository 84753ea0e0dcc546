"""The embedded PostgreSQL: made, started, found again, recovered and stopped by the program itself.

The server is our own child, but detached: it outlives the command that started it and serves the next one.
Two locks keep order. `lock` is held by whoever changes something. `life` is handed to the server itself, so
that it is free exactly when no process of it is left, which neither a zombie, a reused process number nor
another container can feign.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psycopg
from sqlalchemy import URL

from anomaly.errors import DatabaseUnavailable
from anomaly.settings import Settings
from anomaly.store.account import Account, server_account
from anomaly.store.binaries import find_binaries, reachable
from anomaly.store.cluster import (
    DATABASE,
    ROLE,
    SOCKET,
    SUPERUSER,
    Layout,
    adopt_cluster,
    configure,
    forget_socket,
    make_cluster,
    read_password,
    server_environment,
    server_path,
    socket_folder,
)
from anomaly.store.postmaster import is_alive, read_postmaster, stop_orphans
from anomaly.store.tuning import server_parameters

_POLL = 0.02
_LOG_KEPT = 10 * 2**20

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """What can be seen of the server from outside; `state` is "absent", "stopped", "starting", "ready" or
    "stopping".
    """

    state: str
    pid: int | None
    folder: Path


class _Detached(subprocess.Popen[bytes]):
    """A child that is meant to outlive us, so that leaving it behind is worth no warning."""

    def __del__(self) -> None:
        return


class Embedded:
    """The one server of a data directory."""

    def __init__(self, settings: Settings, say: Say | None = None) -> None:
        """Describe it. This will touch nothing yet; `say` is told about what takes long."""
        self._options = settings.database
        self._data_dir = settings.data_dir.expanduser().absolute()
        self._layout = Layout(self._data_dir / "postgresql")
        self._say = say or (lambda _: None)

    def ensure_running(self) -> URL:
        """Make, start or find the server. This will return a URL that accepts connections to an existing
        database.

        Safe to call from many processes at once. Raises DatabaseUnavailable with the reason and the server's
        own words.
        """
        if not (self._is_ready() and self._layout.made.exists()):
            self._make_folders()
            with self._locked():
                self._start()
                try:
                    self._make_database()
                except psycopg.OperationalError as failure:
                    self._fail(f"The embedded database was started but does not answer: {failure}.")
        return self.url()

    def url(self, *, user: str = ROLE, database: str = DATABASE) -> URL:
        """Where the server is reached. This will hold the password: never print it unmasked."""
        return URL.create(
            "postgresql+psycopg",
            username=user,
            password=read_password(self._layout),
            database=database,
            query={"host": str(socket_folder(self._layout))},
        )

    def status(self) -> EmbeddedStatus:
        """Look without touching. This will start nothing."""
        if not self._is_made():
            return EmbeddedStatus("absent", None, self._layout.folder)
        found = read_postmaster(self._layout.cluster)
        if found is None or not is_alive(found.pid, self._marker):
            return EmbeddedStatus("stopped", None, self._layout.folder)
        return EmbeddedStatus(found.status or "starting", found.pid, self._layout.folder)

    def stop(self) -> bool:
        """Stop it cleanly, ending its connections. This will return False when it was not running.

        Raises DatabaseUnavailable when it is still there after the start time-out.
        """
        if self.status().state == "absent":
            return False
        with self._locked():
            status = self.status()
            if status.pid is None:
                if self._answers():
                    self._fail(
                        "The embedded database was started in another container, and must be stopped there."
                    )
                return False
            os.kill(status.pid, signal.SIGINT)
            deadline = time.monotonic() + self._options.start_timeout.total_seconds()
            while is_alive(status.pid, self._marker):
                if time.monotonic() > deadline:
                    self._fail(f"PostgreSQL (process {status.pid}) does not stop.")
                time.sleep(_POLL)
            forget_socket(self._layout)
        return True

    def adopt(self, cluster: Path, password: str) -> None:
        """Take a copy of a server's files as this one's own. This will copy them; the next start finds its database in them.

        Raises DatabaseUnavailable when there is one already, or the files cannot be written.
        """
        self._make_folders()
        with self._locked():
            if self._is_made():
                self._fail("There is an embedded database already.")
            try:
                adopt_cluster(self._layout, cluster, password, self._options.run_as)
            except OSError as refused:
                self._fail(f"The files cannot be put in place: {refused}.")

    @property
    def _marker(self) -> str:
        return f"cluster_name={self._layout.name}"

    def _is_ready(self) -> bool:
        return self.status().state == "ready" and self._layout.password.exists()

    def _is_made(self) -> bool:
        try:
            return (self._layout.cluster / "PG_VERSION").exists()
        except OSError as refused:
            raise DatabaseUnavailable(
                f"The data directory {self._data_dir} cannot be looked into: {refused.strerror}.",
                hint="It may belong to another user; set ANOMALY_DATA_DIR to a folder of your own.",
            ) from refused

    def _make_folders(self) -> None:
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The server's account may step through to its own folders, not look around.
            self._layout.folder.mkdir(mode=0o711, exist_ok=True)
        except OSError as refused:
            raise DatabaseUnavailable(
                f"The data directory {self._data_dir} cannot be made: {refused.strerror}.",
                hint="Set ANOMALY_DATA_DIR to a folder that you may write to.",
            ) from refused

    @contextmanager
    def _locked(self) -> Iterator[None]:
        deadline = time.monotonic() + self._options.start_timeout.total_seconds()
        lock = self._open(self._layout.lock)
        try:
            while not _try_lock(lock):
                if time.monotonic() > deadline:
                    self._fail(
                        "Another process has been starting or stopping the embedded database for too long."
                    )
                time.sleep(_POLL)
            yield
        finally:
            os.close(lock)

    def _open(self, path: Path) -> int:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as refused:
            raise DatabaseUnavailable(
                f"The embedded database in {self._layout.folder} cannot be used: {refused.strerror}.",
                hint="It may belong to another user; set ANOMALY_DATA_DIR to a folder of your own.",
            ) from refused

    def _start(self) -> None:
        deadline = time.monotonic() + self._options.start_timeout.total_seconds()
        account = server_account(self._layout.cluster, self._options.run_as)
        while not self._is_ready():
            life = self._open(self._layout.life)
            try:
                if _try_lock(life):
                    self._launch(account, life, deadline)
                elif self.status().pid is None:
                    # Processes without a visible postmaster: leftovers, or a server in another container.
                    if self._answers():
                        return
                    stop_orphans(self._layout.name)
            finally:
                os.close(life)
            if time.monotonic() > deadline:
                self._fail("The embedded database did not become ready in time.")
            time.sleep(_POLL)

    def _launch(self, account: Account, life: int, deadline: float) -> None:
        layout, parameters = self._layout, server_parameters(self._options, self._layout.name)
        binaries = reachable(find_binaries(self._cluster_major()), account)
        try:
            if not self._is_made():
                self._say(f"Making a PostgreSQL {binaries.version(account)} database in {layout.folder}")
                make_cluster(layout, binaries, account, sync=parameters["fsync"] != "off")
            self._clear_leftovers(account)
            configure(layout, parameters, account)
            directory = ["-D", server_path(layout.cluster), "-k", "../run"]
            command = [str(binaries.program("postgres")), *directory, "-c", self._marker]
            with layout.log.open("wb" if _size(layout.log) > _LOG_KEPT else "ab") as log:
                server = _Detached(
                    command,
                    cwd=layout.cluster,
                    env=server_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(life,),
                    umask=0o077,
                    **account.options(),
                )
        except OSError as refused:
            self._fail(f"The embedded database could not be started: {refused}.")
        while not self._is_ready():
            if server.poll() is not None:
                self._fail(f"PostgreSQL ended while starting, with status {server.returncode}.")
            if time.monotonic() > deadline:
                self._fail("The embedded database did not become ready in time.")
            time.sleep(_POLL)

    def _cluster_major(self) -> int | None:
        try:
            return int((self._layout.cluster / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as unreadable:
            raise DatabaseUnavailable(
                f"{self._layout.cluster} is no usable PostgreSQL data directory."
            ) from unreadable

    def _clear_leftovers(self, account: Account) -> None:
        # We hold `life`: no process of this server is left, so whatever it left in files is stale.
        (self._layout.cluster / "postmaster.pid").unlink(missing_ok=True)
        self._layout.run.mkdir(mode=0o700, exist_ok=True)
        account.take(self._layout.run)
        for left in self._layout.run.iterdir():
            left.unlink()

    def _answers(self) -> bool:
        if not (self._layout.run / SOCKET).exists():
            return False
        try:
            self._connect(SUPERUSER, "postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_database(self) -> None:
        """Make the role and the database that the product uses; the superuser is for this alone."""
        with self._connect(SUPERUSER, "postgres") as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
                secret = psycopg.sql.Literal(read_password(self._layout))
                role = psycopg.sql.Identifier(ROLE)
                connection.execute(
                    psycopg.sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, secret)
                )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                names = psycopg.sql.Identifier(DATABASE), psycopg.sql.Identifier(ROLE)
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
        self._layout.made.touch(mode=0o600)

    def _connect(self, user: str, database: str) -> psycopg.Connection:
        url = self.url(user=user, database=database)
        return psycopg.connect(
            host=str(url.query["host"]),
            user=user,
            password=url.password,
            dbname=database,
            autocommit=True,
        )

    def _fail(self, reason: str) -> NoReturn:
        raise DatabaseUnavailable(f"{reason}{self._last_words()}", hint=f"Its log is {self._layout.log}.")

    def _last_words(self) -> str:
        logs = [*(self._layout.cluster / "log").glob("*.log"), self._layout.log]
        newest = max(
            (log for log in logs if _size(log)),
            key=lambda log: log.stat().st_mtime,
            default=None,
        )
        if newest is None:
            return ""
        lines = newest.read_text(errors="replace").splitlines()[-8:]
        return " It said:\n  " + "\n  ".join(lines)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
