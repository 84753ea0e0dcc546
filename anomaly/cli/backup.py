"""`anomaly backup`: copies of the database, and the way back from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from anomaly.cli.invocation import current
from anomaly.cli.output import Format, Output, write_details

if TYPE_CHECKING:
    from anomaly.store.embedded import Embedded

app = App(name="backup", help="Copies of the database, and the way back from them.")


@app.command
def dump(file: Path, *, output: Output = Format.TABLE) -> None:
    """Write the whole database to one file, as of one moment, while work goes on.

    It can be restored on any server of the same or a newer major version, and holds everything: events, models, findings, triage,
    accounts and the digests of tokens. Keep it as you would keep the audit log itself.
    """
    from anomaly.store.backup import dump as dumped

    with current().database() as database:
        size = dumped(database, file, current().say)
    write_details({"file": str(file.absolute()), "bytes": size}, output=output)


@app.command
def restore(file: Path, *, output: Output = Format.TABLE) -> None:
    """Load a dump into an empty database: all of it or nothing. A dump of an earlier release is then upgraded.

    To restore beside a database that is in use, set ANOMALY_DATA_DIR to a new folder, or ANOMALY_DATABASE_URL to a new database.
    """
    from anomaly.store import migrate
    from anomaly.store.backup import restore as restored
    from anomaly.store.database import connect_database

    with connect_database(current().settings(), current().say) as database:
        revision = restored(database, file, current().say)
        if migrate.is_known(revision) and revision != migrate.head():
            current().say(f"Upgrading from revision {revision}")
            migrate.upgrade(database.engine)
        details = {"database": database.masked_url, "dump": revision, "revision": database.revision()}
    write_details(details, output=output)


@app.command
def base(folder: Path, *, output: Output = Format.TABLE) -> None:
    """Copy the files of the running embedded server to a new folder, and check them.

    It needs database.parameters = {wal_level = "replica", max_wal_senders = "2"}, which costs some speed of ingest. The folder
    holds the password of the database. For a server of your own use pg_basebackup on it.
    """
    from anomaly.store.backup import base_backup

    size = base_backup(_embedded(), folder, current().say)
    write_details({"folder": str(folder.absolute()), "bytes": size}, output=output)


@app.command
def restore_base(folder: Path, *, output: Output = Format.TABLE) -> None:
    """Put a base backup in the place of an embedded database that does not exist yet, as after ANOMALY_DATA_DIR was set anew."""
    from anomaly.store.backup import restore_base as restored

    restored(_embedded(), folder, current().say)
    with current().database() as database:
        write_details({"database": database.masked_url, "revision": database.revision()}, output=output)


def _embedded() -> Embedded:
    from anomaly.errors import UsageError
    from anomaly.store.embedded import Embedded

    settings = current().settings()
    if settings.database.url is not None:
        raise UsageError(
            "The database is a server of your own; base backups of it are made with pg_basebackup.",
            hint="`anomaly backup dump FILE` works with any server.",
        )
    return Embedded(settings, current().say)
