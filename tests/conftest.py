"""What every test may ask for: settings of its own, a real PostgreSQL, the committed test data.

One server a test run, made in a temporary folder and shared by all xdist workers; a template database with the schema,
cloned once for each worker and, where commits matter, once for a test (about 20 ms).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path

import hypothesis
import psycopg
import pytest
import sqlalchemy

from anomaly.settings import DatabaseSettings, Settings
from anomaly.store import migrate
from anomaly.store.database import Database, driver_connection
from anomaly.store.embedded import Embedded

_FOLDER = "TEST_POSTGRES_FOLDER"
_TEMPLATE = "template_anomaly"

hypothesis.settings.register_profile("dev", max_examples=50, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=60, deadline=None, derandomize=True)
hypothesis.settings.register_profile("quick", max_examples=10, deadline=None)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev")
)


def pytest_configure(config):
    """Choose the folder of the server before workers are started, who inherit the variable."""
    for variable in [name for name in os.environ if name.startswith(("ANOMALY_", "PG", "XDG_"))]:
        del os.environ[variable]
    if not hasattr(config, "workerinput"):
        os.environ[_FOLDER] = str(Path(tempfile.gettempdir()) / f"anomaly-tests-{uuid.uuid4().hex[:8]}")


def pytest_unconfigure(config):
    """Stop the server when the last worker is done."""
    if hasattr(config, "workerinput"):
        return
    folder = Path(os.environ[_FOLDER])
    if folder.exists():
        Embedded(_server_settings(folder)).stop()
        shutil.rmtree(folder, ignore_errors=True)


def _server_settings(folder):
    # Nothing in this server outlives the run, so waiting for the disk would only cost time.
    parameters = {"fsync": "off", "full_page_writes": "off", "max_connections": "100"}
    return Settings(data_dir=folder, database=DatabaseSettings(parameters=parameters, pool_size=2))


@pytest.fixture
def settings(tmp_path):
    """All defaults, with a data directory of the test's own and nothing in it yet.

    A server made there does not wait for the disk: tests kill processes, not the machine.
    """
    return Settings(data_dir=tmp_path / "data", database=DatabaseSettings(parameters={"fsync": "off"}))


@pytest.fixture(scope="session")
def data():
    """The committed test data."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def postgres():
    """The one server: clones databases by name and drops them again."""
    return Postgres(_server_settings(Path(os.environ[_FOLDER])))


@pytest.fixture(scope="session")
def worker_database(postgres):
    """A database that all tests of one worker share, through `connection` and `plain`, which leave nothing behind."""
    with postgres.clone() as database:
        yield database


@pytest.fixture
def database(postgres):
    """A database of the test's own, for whatever commits, listens or needs several connections."""
    with postgres.clone() as database:
        yield database


@pytest.fixture
def connection(worker_database):
    """A SQLAlchemy connection in a transaction that is rolled back; `begin_nested` inside it makes savepoints."""
    with worker_database.engine.connect() as connection:
        outer = connection.begin()
        yield connection
        outer.rollback()


@pytest.fixture
def plain(connection):
    """The psycopg connection below `connection`, in the same transaction; `transaction()` on it makes savepoints."""
    return driver_connection(connection)


class Postgres:
    """The server of this run and the databases in it."""

    def __init__(self, settings):
        self.settings = settings
        self.url = Embedded(settings).ensure_running()
        self._admin = Database(self.url, settings.database)
        with self._admin.dedicated(autocommit=True) as guard:
            # Held by one worker while it makes the template; the others then find it made.
            guard.execute("SELECT pg_advisory_lock(1)")
            found = guard.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_TEMPLATE]).fetchone()
            if not found:
                self._make(guard, "template_in_work", "template1")
                with self._open("template_in_work") as template:
                    migrate.upgrade(template.engine)
                guard.execute(f"ALTER DATABASE template_in_work RENAME TO {_TEMPLATE}")
        self._admin.close()

    def clone(self, template=_TEMPLATE):
        """A new database; use it in `with`, which drops it."""
        return _Clone(self, template)

    def empty(self):
        """A new database without our schema."""
        return _Clone(self, "template1")

    def _open(self, name):
        return Database(self.url.set(database=name), self.settings.database)

    @staticmethod
    def _make(connection, name, template):
        # Copying files needs a checkpoint, which costs nothing in a server that never waits for the disk: 20 ms and not 160.
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")


class _Clone:
    def __init__(self, server, template):
        self._server, self._template = server, template
        self._name = f"test_{uuid.uuid4().hex[:12]}"

    def __enter__(self):
        with self._server._open("anomaly").dedicated(autocommit=True) as admin:
            admin.execute("SELECT pg_advisory_lock(2)")
            self._server._make(admin, self._name, self._template)
        self._database = self._server._open(self._name)
        return self._database

    def __exit__(self, *_):
        self._database.close()
        with self._server._open("anomaly").dedicated(autocommit=True) as admin:
            _drop(admin, self._name)


def _drop(admin, name):
    """An autovacuum worker looking at the database belongs to the superuser and cannot be ended by us: it goes soon."""
    for _ in range(100):
        try:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            return
        except psycopg.errors.InsufficientPrivilege:
            time.sleep(0.1)
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def url_of(database):
    """The URL of a test database as text, the password included, for settings and environment variables."""
    return sqlalchemy.URL.set(database.url, drivername="postgresql").render_as_string(hide_password=False)
