"""Copies of the database and the way back, by PostgreSQL's own programs.

A *dump* holds what the product knows, in a form that any server of the same or a newer major version takes: for moving, and for
keeping. A *base backup* is the embedded server's files as of one moment, taken while it runs: the quickest way back for a large
database. Each is written beside its place and only takes it when it is whole; a restore never touches a database that holds
something.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import URL

from anomaly.errors import AnomalyError, DatabaseUnavailable, NotFound, UsageError
from anomaly.store import migrate
from anomaly.store.binaries import find_binaries, find_psql
from anomaly.store.cluster import SUPERUSER, server_environment
from anomaly.store.database import Database
from anomaly.store.embedded import Embedded

Say = Callable[[str], None]

DUMP_FORMAT: Final = ("--format=custom", "--compress=1", "--no-owner", "--no-privileges")
CLUSTER: Final = "cluster"
PASSWORD_FILE: Final = "superuser-password"  # noqa: S105 -- a file name


class BackupFailed(AnomalyError):
    """The copy could not be made or read; what was there before is unchanged."""


def dump(database: Database, file: Path, say: Say) -> int:
    """This will write the whole database to `file` as of one moment, while work goes on, and return its size in bytes.

    Raises UsageError when the file exists, BackupFailed with pg_dump's own words.
    """
    _must_be_free(file)
    scratch = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with scratch.open("xb") as out:
            os.chmod(scratch, 0o600)
            say(f"Dumping {database.masked_url}")
            _run("pg_dump", [*DUMP_FORMAT, f"--schema={migrate.SCHEMA}"], database, out)
            out.flush()
            os.fsync(out.fileno())
        scratch.rename(file)
    finally:
        scratch.unlink(missing_ok=True)
    return file.stat().st_size


def restore(database: Database, file: Path, say: Say) -> str:
    """This will load a dump into a database that has none of our tables, all or nothing, and return its revision.

    Raises NotFound without a file, UsageError when the database is not empty, BackupFailed with pg_restore's own words.
    """
    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    with database.read() as connection:
        if migrate.current(connection) is not None:
            raise UsageError(
                f"{database.masked_url} holds data already; a dump is only restored into an empty database.",
                hint="Set ANOMALY_DATA_DIR to a new folder, or ANOMALY_DATABASE_URL to a new database.",
            )
    say(f"Restoring into {database.masked_url}")
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    with file.open("rb") as given:
        _run("pg_restore", options, database, given=given)
    revision = database.revision()
    if revision is None:
        raise BackupFailed(f"{file} is a dump, but not of this product.")
    with database.connection() as plain:
        plain.execute("ANALYZE")
    return revision


def base_backup(embedded: Embedded, folder: Path, say: Say) -> int:
    """This will copy the running embedded server's files to a new `folder`, checked against their manifest; returns bytes.

    Raises UsageError when the folder exists or the server does not write enough log for it, BackupFailed with pg_basebackup's words.
    """
    _must_be_free(folder)
    embedded.ensure_running()
    url = embedded.url(user=SUPERUSER, database="postgres")
    with psycopg.connect(_conninfo(url), autocommit=True) as connection:
        row = connection.execute("SHOW wal_level").fetchone()
    if row is None or row[0] == "minimal":
        raise UsageError(
            "The embedded server writes too little log for a base backup while it runs.",
            hint='Set database.parameters = {wal_level = "replica", max_wal_senders = "2"}, run `anomaly db stop`, and try again;'
            " or take a dump.",
        )
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    scratch.mkdir(mode=0o700)
    try:
        say("Copying the files of the embedded server")
        options = ["--wal-method=stream", "--checkpoint=fast", "-D", str(scratch / CLUSTER)]
        _run_plain("pg_basebackup", [*options, "-d", _without_password(url)], url.password)
        _run_plain("pg_verifybackup", [str(scratch / CLUSTER)], None)
        secret = scratch / PASSWORD_FILE
        secret.touch(mode=0o600)
        secret.write_text(f"{url.password}\n")
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def restore_base(embedded: Embedded, folder: Path, say: Say) -> None:
    """This will put a base backup in the place of an embedded database that does not exist yet.

    Raises NotFound when the folder is no base backup, UsageError when there is a database already, BackupFailed when the files are
    not as they were copied.
    """
    if not (folder / CLUSTER / "PG_VERSION").is_file() or not (folder / PASSWORD_FILE).is_file():
        raise NotFound(f"{folder} is no base backup of this product.")
    if embedded.status().state != "absent":
        raise UsageError(
            f"There is an embedded database already in {embedded.status().folder}.",
            hint="Set ANOMALY_DATA_DIR to a new folder, or move the old one away.",
        )
    say("Checking the copy against its manifest")
    _run_plain("pg_verifybackup", [str(folder / CLUSTER)], None)
    say("Putting it in place")
    embedded.adopt(folder / CLUSTER, (folder / PASSWORD_FILE).read_text().strip())


def _must_be_free(place: Path) -> None:
    if place.exists():
        raise UsageError(f"{place} exists already; backups overwrite nothing.")
    if not place.parent.is_dir():
        raise NotFound(f"There is no folder {place.parent}.")


def _run(
    program: str,
    options: Sequence[str],
    database: Database,
    out: IO[bytes] | None = None,
    given: IO[bytes] | None = None,
) -> None:
    parts = conninfo_to_dict(database.conninfo)
    password = parts.pop("password", None)
    parts["application_name"] = f"anomaly {program}"
    address = make_conninfo("", **parts)
    _run_plain(program, [*options, "-d", address], str(password) if password else None, out, given)


def _run_plain(
    program: str,
    arguments: Sequence[str],
    password: str | None,
    out: IO[bytes] | None = None,
    given: IO[bytes] | None = None,
) -> None:
    # In the environment, because every user of the machine can read command lines.
    secret = {"PGPASSWORD": password} if password else {}
    done = subprocess.run(
        [str(_program(program)), *arguments],
        check=False,
        env=server_environment() | secret,
        stdin=given or subprocess.DEVNULL,
        stdout=out or subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise BackupFailed(f"{program} failed: {(said or ['it said nothing'])[-1][:500]}")


def _program(name: str) -> Path:
    beside = find_psql()
    places = [beside.parent / name] if beside else []
    with suppress(DatabaseUnavailable):
        places.append(find_binaries().program(name))
    found = next((place for place in places if place.is_file()), None) or shutil.which(name)
    if found is None:
        raise NotFound(f"There is no {name} on this machine.", hint="Install PostgreSQL's client programs.")
    return Path(found)


def _conninfo(url: URL) -> str:
    return make_conninfo(
        "", host=str(url.query["host"]), user=url.username, password=url.password, dbname=url.database
    )


def _without_password(url: URL) -> str:
    parts = conninfo_to_dict(_conninfo(url))
    parts.pop("password", None)
    parts.pop("dbname", None)
    return make_conninfo("", **parts)
