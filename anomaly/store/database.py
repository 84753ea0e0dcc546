"""The way to the database: one pool of connections, time-outs for people who wait, patience while a server
restarts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, cast

import psycopg
import sqlalchemy
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Connection, Engine

from anomaly.errors import DatabaseUnavailable, SchemaOutdated, SettingsInvalid
from anomaly.settings import DatabaseSettings, Settings
from anomaly.store import migrate
from anomaly.store.embedded import Embedded, Say

if TYPE_CHECKING:
    from types import TracebackType

OLDEST_SERVER = 15
_PAUSES = (0.05, 0.1, 0.2, 0.5)
# The server is there but not yet, or no longer, taking connections; worth another try.
_PASSING = ("57P01", "57P02", "57P03", "53300")


class Database:
    """A PostgreSQL database with a pool; safe to share between threads, not across a fork."""

    def __init__(
        self,
        url: URL,
        options: DatabaseSettings,
        *,
        revive: Callable[[], object] | None = None,
        program: str = "anomaly",
    ) -> None:
        """Describe the database. This will connect when asked; `revive` starts a server that was killed."""
        self.url = url
        self._options = options
        self._revive = revive
        self._program = program
        self.engine: Engine = sqlalchemy.create_engine(
            url,
            creator=self.dedicated,
            pool_size=options.pool_size,
            max_overflow=options.pool_overflow,
            pool_timeout=options.connect_timeout.total_seconds(),
            # A restarted server leaves dead connections in the pool; asking first costs 0.1 ms.
            pool_pre_ping=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def masked_url(self) -> str:
        """The address for people. This will hide the password."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=True)

    @property
    def conninfo(self) -> str:
        """The address for libpq, the password included: for psycopg, psql and pg_dump, never for people."""
        given = self.url.translate_connect_args(username="user", database="dbname")
        query = {name: ",".join(v) if isinstance(v, tuple) else v for name, v in self.url.query.items()}
        # The server's default path starts with a schema of the role's name, which is that of our schema too: tables
        # would then be found, or not, depending on who logs in.
        ours = "-c TimeZone=UTC -c search_path=public"
        settings = f"{ours} {query.pop('options', '')}".strip()
        return make_conninfo(
            **{
                "application_name": self._program,
                "connect_timeout": 10,
                "options": settings,
                **given,
                **query,
            }
        )

    def dedicated(self, *, autocommit: bool = False) -> psycopg.Connection:
        """Open a connection outside the pool, for LISTEN, advisory locks and long copies. This will be the
        caller's to close.

        It is tried again while the server restarts, for `database.connect_timeout`; then DatabaseUnavailable
        is raised.
        """
        deadline = time.monotonic() + self._options.connect_timeout.total_seconds()
        attempt = 0
        while True:
            try:
                return psycopg.connect(self.conninfo, autocommit=autocommit)
            except psycopg.OperationalError as failure:
                # No SQLSTATE means that no server answered at all.
                passing = failure.sqlstate in _PASSING or failure.sqlstate is None
                if not passing or _is_refusal(failure) or time.monotonic() > deadline:
                    raise DatabaseUnavailable(
                        f"The database {self.masked_url} does not answer: {_reason(failure)}.",
                        hint="Check that the server runs and that ANOMALY_DATABASE_URL is right.",
                    ) from failure
            if self._revive is not None:
                self._revive()
            time.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """Lend a plain psycopg connection from the pool, for COPY. This will commit at the end, or roll back
        on an error.
        """
        with self.engine.connect() as lent:
            plain = driver_connection(lent)
            try:
                yield plain
            except BaseException:
                if not plain.closed:
                    plain.rollback()
                else:
                    lent.invalidate()
                raise
            plain.commit()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Lend a SQLAlchemy connection in a transaction. This will commit at the end, or roll back on an
        error.
        """
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Lend a read-only transaction for someone who waits. This will hold it to the query and lock
        time-outs.

        Raises DatabaseUnavailable when a query is ended by them.
        """
        query, lock = (
            int(limit.total_seconds() * 1000)
            for limit in (self._options.query_timeout, self._options.lock_timeout)
        )
        try:
            with self.engine.begin() as connection:
                connection.execute(sqlalchemy.text("SET TRANSACTION READ ONLY"))
                connection.execute(
                    sqlalchemy.text(
                        "SELECT set_config('statement_timeout', :query, true),"
                        " set_config('lock_timeout', :lock, true)"
                    ),
                    {"query": str(query), "lock": str(lock)},
                )
                yield connection
        except sqlalchemy.exc.OperationalError as failure:
            if isinstance(failure.orig, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable):
                raise DatabaseUnavailable(
                    f"The database took longer than {query / 1000:g} s to answer.",
                    hint="Ask for a shorter time or fewer rows, or raise ANOMALY_DATABASE__QUERY_TIMEOUT.",
                ) from failure
            raise

    def server_version(self) -> tuple[int, str]:
        """Ask the server. This will return its major version and its full version as it writes it: (18,
        "18.6").
        """
        with self.read() as connection:
            number, text = connection.execute(
                sqlalchemy.text(
                    "SELECT current_setting('server_version_num'), current_setting('server_version')"
                )
            ).one()
        return int(number) // 10000, str(text)

    def size(self) -> int:
        """Ask for the size of the database on disk. This will be bytes."""
        with self.read() as connection:
            found = connection.execute(
                sqlalchemy.text("SELECT pg_database_size(current_database())")
            ).scalar_one()
        return int(found)

    def revision(self) -> str | None:
        """Ask for the revision of the schema. This will be None in a database that has none of our tables
        yet.
        """
        with self.read() as connection:
            return migrate.current(connection)

    def close(self) -> None:
        """Close every connection that is not lent out."""
        self.engine.dispose()


def driver_connection(connection: Connection) -> psycopg.Connection:
    """The psycopg connection below a SQLAlchemy one. This will share its transaction."""
    return cast("psycopg.Connection", connection.connection.driver_connection)


def parse_url(text: str) -> URL:
    """Read the URL of a server. This will return it for psycopg 3; raises SettingsInvalid if it is no
    PostgreSQL URL.
    """
    try:
        url = sqlalchemy.make_url(text)
    except (sqlalchemy.exc.ArgumentError, ValueError) as unreadable:
        # The text itself stays out of the message: it holds a password.
        raise SettingsInvalid(
            "database.url is no URL; write postgresql://user:password@host:5432/name."
        ) from unreadable
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise SettingsInvalid(f"database.url must be a postgresql:// URL, not {url.get_backend_name()}://.")
    return url.set(drivername="postgresql+psycopg")


def connect_database(settings: Settings, say: Say | None = None) -> Database:
    """Reach the database whatever its schema. This will start the embedded server if no URL is set.

    Raises DatabaseUnavailable if it does not answer or is older than PostgreSQL 15.
    """
    options = settings.database
    if options.url is None:
        embedded = Embedded(settings, say)
        database = Database(embedded.ensure_running(), options, revive=embedded.ensure_running)
    else:
        database = Database(parse_url(options.url.get_secret_value()), options)
    try:
        major, version = database.server_version()
    except BaseException:
        database.close()
        raise
    if major < OLDEST_SERVER:
        database.close()
        raise DatabaseUnavailable(
            f"The server is PostgreSQL {version}; {OLDEST_SERVER} or newer is needed.",
            hint="Upgrade the server, or unset ANOMALY_DATABASE_URL to use the embedded PostgreSQL.",
        )
    return database


def open_database(settings: Settings, say: Say | None = None) -> Database:
    """Reach the database with a schema that fits this release. This will upgrade the embedded one by itself.

    Raises SchemaOutdated for any other that does not fit, DatabaseUnavailable as `connect_database`.
    """
    database = connect_database(settings, say)
    try:
        with database.read() as connection:
            if migrate.fits(connection):
                return database
        revision, head = database.revision(), migrate.head()
        if revision is not None and not migrate.is_known(revision):
            raise SchemaOutdated(
                f"The database was made by a newer release (revision {revision}).",
                hint="Install that release, or restore a backup made with this one.",
            )
        if settings.database.url is not None:
            raise SchemaOutdated(
                f"The database is at revision {revision or 'none'}, this release needs {head}.",
                hint="Run `anomaly db upgrade`.",
            )
        migrate.upgrade(database.engine)
    except BaseException:
        database.close()
        raise
    return database


def _is_refusal(failure: psycopg.OperationalError) -> bool:
    # libpq gives no SQLSTATE for a failed connection, so a wrong password can only be told by its words.
    words = str(failure)
    return (
        any(
            sign in words
            for sign in (
                "authentication failed",
                "does not exist",
                "no pg_hba.conf entry",
                "no password supplied",
            )
        )
        and "No such file" not in words
    )


def _reason(failure: BaseException) -> str:
    lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
    return (lines[0] if lines else type(failure).__name__).rstrip(".")
