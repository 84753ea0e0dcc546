"""`anomaly db`: the database that is used, its schema, a prompt in it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_details, write_table, write_text
from anomaly.errors import AnomalyError, DatabaseUnavailable

if TYPE_CHECKING:
    from anomaly.settings import Settings
    from anomaly.store.database import Database

app = App(name="db", help="The database: its state, its schema, a prompt in it.")


@app.command
def status(*, output: Output = Format.TABLE) -> int:
    """Show which database is used and whether its schema fits this release. Starts nothing."""
    from anomaly.store.database import connect_database
    from anomaly.store.embedded import Embedded

    settings = current().settings()
    details = _blank(settings)
    if settings.database.url is None:
        embedded = Embedded(settings).status()
        details |= {"state": embedded.state, "folder": embedded.folder, "process": embedded.pid}
        if embedded.state != "ready":
            write_details(details, output=output)
            current().say(
                "The embedded database is started by the first command that needs it, or by `anomaly db start`."
            )
            return 0
    try:
        with connect_database(settings, current().say) as database:
            details |= _seen(database)
    except DatabaseUnavailable:
        write_details(details | {"state": "unreachable"}, output=output)
        raise
    write_details(details, output=output)
    if details["pending"]:
        current().say("The schema is behind this release; run `anomaly db upgrade`.")
    return 0


@app.command
def upgrade(
    *, dry_run: Annotated[bool, Parameter(negative="")] = False, output: Output = Format.TABLE
) -> None:
    """Bring the schema to this release, all pending steps or none.

    Parameters
    ----------
    dry_run
        Only list the pending steps.
    """
    from anomaly.errors import SchemaOutdated
    from anomaly.store import migrate
    from anomaly.store.database import connect_database

    with connect_database(current().settings(), current().say) as database:
        revision = database.revision()
        if revision is not None and not migrate.is_known(revision):
            raise SchemaOutdated(
                f"The database was made by a newer release (revision {revision}); nothing was changed.",
                hint="Install that release.",
            )
        steps = migrate.pending(revision)
        if not dry_run:
            migrate.upgrade(database.engine)
    rows = [{"revision": step.revision, "summary": step.summary, "applied": not dry_run} for step in steps]
    columns = [Column("revision"), Column("summary"), Column("applied")]
    write_table(rows, columns, output=output, empty=f"The schema is up to date (revision {revision}).")


@app.command
def start() -> None:
    """Start the embedded database, if it does not run already."""
    settings = _embedded_settings("start")
    with current().database(settings) as database:
        write_text(database.masked_url)


@app.command
def stop() -> None:
    """Stop the embedded database cleanly; connections to it are ended."""
    from anomaly.store.embedded import Embedded

    stopped = Embedded(_embedded_settings("stop")).stop()
    current().say(
        "The embedded database is stopped." if stopped else "The embedded database was not running."
    )


@app.command
def psql(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Open psql in the database.

    Parameters
    ----------
    arguments
        Handed on to psql, as in `anomaly db psql -- -c "SELECT 1"`.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    from anomaly.store.binaries import find_psql
    from anomaly.store.database import connect_database

    program = find_psql()
    if program is None:
        raise AnomalyError(
            "There is no psql on this machine.",
            hint="Install the PostgreSQL client programs (package postgresql-client), or use another client "
            "with the address that `anomaly db status` shows.",
        )
    with connect_database(current().settings(), current().say) as database:
        parts = conninfo_to_dict(database.conninfo)
    # In the environment, because every user of the machine can read command lines.
    secret = {"PGPASSWORD": str(parts.pop("password"))} if parts.get("password") else {}
    parts["application_name"] = "anomaly db psql"
    parts["options"] = f"{parts.get('options', '')} -c search_path=anomaly,public"
    sys.stdout.flush()
    command = [str(program), "-d", make_conninfo("", **parts), *arguments]
    os.execve(program, command, os.environ | secret)  # noqa: S606 -- psql takes our place, terminal and all


def _blank(settings: Settings) -> dict[str, object]:
    from anomaly.store import migrate

    return {
        "kind": "embedded" if settings.database.url is None else "external",
        "state": "unknown",
        "version": None,
        "url": None if settings.database.url is None else _masked(settings),
        "folder": None,
        "process": None,
        "size_bytes": None,
        "revision": None,
        "head": migrate.head(),
        "pending": [],
    }


def _seen(database: Database) -> dict[str, object]:
    from anomaly.store import migrate

    revision = database.revision()
    return {
        "state": "ready",
        "version": database.server_version()[1],
        "url": database.masked_url,
        "size_bytes": database.size(),
        "revision": revision,
        "pending": [f"{step.revision}: {step.summary}" for step in migrate.pending(revision)],
    }


def _masked(settings: Settings) -> str:
    from anomaly.store.database import parse_url

    url = settings.database.url
    return parse_url(url.get_secret_value() if url else "").set(drivername="postgresql").render_as_string()


def _embedded_settings(deed: str) -> Settings:
    settings = current().settings()
    if settings.database.url is not None:
        raise AnomalyError(
            f"The database is a server of your own ({_masked(settings)}); it is not this program's to {deed}.",
            hint="Unset ANOMALY_DATABASE_URL to use the embedded PostgreSQL.",
        )
    return settings
