"""Bringing the schema to this release with Alembic, whose scripts stand in `alembic/` or, installed, in
`anomaly/_migrations`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import Connection, Engine

from anomaly.errors import AnomalyError, DatabaseUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA = "anomaly"
VERSION_TABLE = "schema_revision"
# Any number will do, as long as every release uses the same one.
LOCK_KEY = 4_116_821_430_042_071
LOCK_TIMEOUT = "4s"
STATEMENT_TIMEOUT = "30min"

# The schema itself says with which releases it works, for those that do not know its revision yet.
PROMISE = "works from revision "
_PROMISE = sqlalchemy.text("SELECT obj_description(to_regnamespace(:schema), 'pg_namespace')")
_PARTITIONS = sqlalchemy.text(
    "SELECT relname FROM pg_class WHERE relispartition AND relnamespace = to_regnamespace(:schema)"
)


@dataclass(frozen=True, slots=True)
class Revision:
    """One step of the schema, as its file says. A `breaking` one says `breaking = True`: the release before does not work on it."""

    revision: str
    down_revision: str | None
    summary: str
    breaking: bool = False


def folder() -> Path:
    """Where the migrations are. This will prefer those of the installed wheel; raises AnomalyError if there
    are none.
    """
    package = Path(__file__).resolve().parent.parent
    for place in (package / "_migrations", package.parent / "alembic"):
        if (place / "env.py").is_file():
            return place
    raise AnomalyError(
        "The database migrations are missing from this installation.", hint="Install it again."
    )


@cache
def revisions() -> tuple[Revision, ...]:
    """All steps, oldest first. This will read the files' own words, since importing Alembic takes 0.3 s of
    every command.

    Raises AnomalyError if they do not form one line.
    """
    steps = {step.down_revision: step for step in map(_read, sorted((folder() / "versions").glob("*.py")))}
    ordered: list[Revision] = []
    place: str | None = None
    while place in steps:
        ordered.append(steps.pop(place))
        place = ordered[-1].revision
    if steps:
        raise AnomalyError(f"The migrations {', '.join(s.revision for s in steps.values())} lead to nowhere.")
    return tuple(ordered)


def head() -> str | None:
    """The revision that this release needs. This will be None as long as there is no migration at all."""
    return revisions()[-1].revision if revisions() else None


def is_known(revision: str) -> bool:
    """Whether this release knows a revision. This will be false for one that a newer release made."""
    return any(step.revision == revision for step in revisions())


def works_from() -> str | None:
    """The oldest revision whose release still works on the schema of this one. This will be that of the last breaking step, or of
    the first step of all.
    """
    breaking = [step.revision for step in revisions() if step.breaking]
    return breaking[-1] if breaking else (revisions()[0].revision if revisions() else None)


def fits(connection: Connection) -> bool:
    """Whether this release works on the schema of the database. This will be true for its own, and for a newer one that keeps it
    working: so replicas of two releases run side by side while one takes the place of the other.
    """
    found = current(connection)
    if found is None or is_known(found):
        return found == head()
    said = connection.execute(_PROMISE, {"schema": SCHEMA}).scalar_one_or_none()
    return said is not None and is_known(str(said).removeprefix(PROMISE))


def pending(current: str | None) -> tuple[Revision, ...]:
    """The steps still to do. This will return them in order; all of them for None or an unknown revision."""
    names = [step.revision for step in revisions()]
    return revisions()[names.index(current) + 1 if current in names else 0 :]


def current(connection: Connection) -> str | None:
    """The revision of a database. This will be None when none was ever applied."""
    table = sqlalchemy.text("SELECT to_regclass(:name)")
    if connection.execute(table, {"name": f"{SCHEMA}.{VERSION_TABLE}"}).scalar_one() is None:
        return None
    versions = sqlalchemy.table(VERSION_TABLE, sqlalchemy.column("version_num"), schema=SCHEMA)
    found = connection.execute(sqlalchemy.select(versions.c.version_num)).scalar_one_or_none()
    return None if found is None else str(found)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Apply what is pending, all or nothing. This will wait for another process that is doing the same.

    Raises DatabaseUnavailable when a lock is not had within 4 s because the database is in use.
    """
    from alembic import command

    _run(engine, lambda config: command.upgrade(config, revision))


def downgrade(engine: Engine, revision: str) -> None:
    """Take steps back, to a revision or "base". This will drop what those steps made, with the data in it."""
    from alembic import command

    _run(engine, lambda config: command.downgrade(config, revision))


def differences(engine: Engine) -> list[object]:
    """Compare the database with the tables in the code. This will return what autogenerate would change; []
    when equal.
    """
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from anomaly.store.tables import metadata

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=comparison(connection))
        return list(compare_metadata(context, metadata))


def comparison(connection: Connection) -> dict[str, Any]:
    """How Alembic looks at a database. This will keep it to our own schema, without the version table and
    partitions.
    """
    # Partitions come and go by the day; only their parents are in the code.
    partitions = set(connection.execute(_PARTITIONS, {"schema": SCHEMA}).scalars())
    connection.rollback()

    def include_name(name: str | None, kind: str, _parents: object) -> bool:
        if kind == "schema":
            return name == SCHEMA
        return not (kind == "table" and (name == VERSION_TABLE or name in partitions))

    return {
        "version_table": VERSION_TABLE,
        "version_table_schema": SCHEMA,
        "include_schemas": True,
        "include_name": include_name,
        "compare_type": True,
        "compare_server_default": True,
    }


def config(engine: Engine | None = None) -> Config:
    """Alembic's configuration. This will point to our scripts and hand the engine to `alembic/env.py`."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(folder()).replace("%", "%%"))
    made.attributes["engine"] = engine
    return made


def _run(engine: Engine, deed: Callable[[Config], None]) -> None:
    try:
        deed(config(engine))
    except sqlalchemy.exc.OperationalError as failure:
        if "lock timeout" in str(failure.orig):
            raise DatabaseUnavailable(
                "The schema could not be changed, because the database is in use; nothing was changed.",
                hint="Stop `anomaly serve` and running jobs, then run `anomaly db upgrade` again.",
            ) from failure
        raise


def _read(path: Path) -> Revision:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said: dict[str, object] = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
            said[target.id] = value.value
    below = said.get("down_revision")
    summary = (ast.get_docstring(tree) or path.stem).splitlines()[0]
    breaking = said.get("breaking") is True
    return Revision(str(said["revision"]), None if below is None else str(below), summary, breaking)
