"""Runs migrations in one transaction, one process at a time. No `__init__.py` beside this file: it would hide
Alembic itself.
"""

from __future__ import annotations

from alembic import context
from psycopg import sql
from sqlalchemy import Connection, Engine, text
from sqlalchemy.schema import CreateSchema

from anomaly.store import migrate
from anomaly.store.database import driver_connection
from anomaly.store.tables import metadata


def run(engine: Engine) -> None:
    """Apply the steps that Alembic chose. This will hold an advisory lock on its own, so that a second
    process waits.
    """
    with engine.connect() as guard, engine.connect() as connection:
        guard.execute(text("SELECT pg_advisory_lock(:key)"), {"key": migrate.LOCK_KEY})
        try:
            _migrate(connection)
        finally:
            guard.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": migrate.LOCK_KEY})
            guard.rollback()


def _migrate(connection: Connection) -> None:
    connection.execute(CreateSchema(migrate.SCHEMA, if_not_exists=True))
    connection.commit()
    context.configure(connection=connection, target_metadata=metadata, **migrate.comparison(connection))
    with context.begin_transaction():
        # A step that waits for a busy table makes every reader behind it wait too: better give up soon.
        for name, limit in (
            ("lock_timeout", migrate.LOCK_TIMEOUT),
            ("statement_timeout", migrate.STATEMENT_TIMEOUT),
        ):
            connection.execute(text("SELECT set_config(:name, :limit, true)"), {"name": name, "limit": limit})
        context.run_migrations()
        _promise(connection)


def _promise(connection: Connection) -> None:
    """Let the schema say with which releases it works, for replicas of the release before that still run."""
    said = sql.SQL("COMMENT ON SCHEMA {} IS {}").format(
        sql.Identifier(migrate.SCHEMA), sql.Literal(f"{migrate.PROMISE}{migrate.works_from()}")
    )
    driver_connection(connection).execute(said)


def main() -> None:
    """Find the database. This will be the program's own when its code calls, the configured one under the
    alembic command.
    """
    engine = context.config.attributes.get("engine")
    if engine is not None:
        run(engine)
        return
    from anomaly.settings import load_settings
    from anomaly.store.database import connect_database

    with connect_database(load_settings().settings) as database:
        run(database.engine)


main()
