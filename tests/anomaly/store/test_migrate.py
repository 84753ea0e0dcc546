"""The schema: up and down, alone and at once, and equal to the tables in the code."""

import shutil
import threading
from pathlib import Path

import pytest
import sqlalchemy
from alembic.script import ScriptDirectory

from anomaly.errors import AnomalyError, DatabaseUnavailable
from anomaly.store import migrate
from anomaly.testing import raw_event
from tests.anomaly import town


def tables(database):
    return set(sqlalchemy.inspect(database.engine).get_table_names(schema=migrate.SCHEMA))


@pytest.fixture
def empty(postgres):
    with postgres.empty() as database:
        yield database


def test_an_empty_database_is_brought_to_the_head(empty):
    assert empty.revision() is None
    assert migrate.pending(None) == migrate.revisions()

    migrate.upgrade(empty.engine)

    assert empty.revision() == migrate.head()
    assert migrate.pending(empty.revision()) == ()
    assert {"cluster", "event", "finding"} <= tables(empty)


def test_the_migrated_schema_equals_the_tables_in_the_code(database):
    assert migrate.differences(database.engine) == []


def test_upgrading_twice_changes_nothing(database):
    before = tables(database)
    migrate.upgrade(database.engine)

    assert tables(database) == before


def test_every_step_can_be_taken_back_and_again(empty):
    for step in migrate.revisions():
        migrate.upgrade(empty.engine, step.revision)
        migrate.downgrade(empty.engine, step.down_revision or "base")
        assert empty.revision() == step.down_revision
        migrate.upgrade(empty.engine, step.revision)
    assert migrate.differences(empty.engine) == []

    migrate.downgrade(empty.engine, "base")
    assert tables(empty) <= {migrate.VERSION_TABLE}


def test_our_reading_of_the_files_agrees_with_alembic():
    script = ScriptDirectory.from_config(migrate.config())

    assert migrate.head() == script.get_current_head()
    assert [step.revision for step in migrate.revisions()] == [
        step.revision for step in reversed(list(script.walk_revisions()))
    ]


def test_two_that_upgrade_at_once_do_it_once(empty):
    failures = []

    def upgrade():
        try:
            migrate.upgrade(empty.engine)
        except Exception as failure:
            failures.append(failure)

    # Alembic's own context is one for a process, so real rivals are other processes; they hold the same lock.
    with empty.dedicated(autocommit=True) as rival:
        rival.execute("SELECT pg_advisory_lock(%s)", [migrate.LOCK_KEY])
        waiting = threading.Thread(target=upgrade)
        waiting.start()
        waiting.join(timeout=0.5)
        assert waiting.is_alive()
        assert tables(empty) == set()
        rival.execute("SELECT pg_advisory_unlock(%s)", [migrate.LOCK_KEY])
    waiting.join(timeout=60)

    assert failures == []
    assert empty.revision() == migrate.head()


def test_a_step_that_cannot_have_its_lock_gives_up_and_changes_nothing(database, monkeypatch):
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "50ms")
    with database.connection() as reader:
        reader.execute("SELECT * FROM anomaly.finding LIMIT 1")
        with pytest.raises(DatabaseUnavailable, match="in use; nothing was changed"):
            migrate.downgrade(database.engine, "base")

    assert database.revision() == migrate.head()
    assert "finding" in tables(database)


def test_partitions_and_other_schemas_are_none_of_its_business(database):
    with database.connection() as connection:
        connection.execute("CREATE TABLE public.theirs (a int)")
        connection.execute("CREATE SCHEMA other CREATE TABLE theirs (a int)")
        parents = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'p' AND relnamespace = 'anomaly'::regnamespace"
        ).fetchall()
        for (parent,) in parents:
            connection.execute(f"CREATE TABLE anomaly.{parent}_rest PARTITION OF anomaly.{parent} DEFAULT")

    assert parents
    assert migrate.differences(database.engine) == []


def test_the_checkout_has_no_package_that_hides_alembic():
    folder = migrate.folder()

    assert (folder / "env.py").is_file()
    assert not (folder / "__init__.py").exists()


def test_steps_that_do_not_form_one_line_are_refused(tmp_path, monkeypatch):
    (tmp_path / "versions").mkdir()
    Path(tmp_path / "versions" / "b.py").write_text('"""B."""\nrevision = "b"\ndown_revision = "a"\n')
    monkeypatch.setattr(migrate, "folder", lambda: tmp_path)
    migrate.revisions.cache_clear()
    with pytest.raises(AnomalyError, match="b lead to nowhere"):
        migrate.revisions()
    monkeypatch.undo()
    migrate.revisions.cache_clear()


def a_newer_release(tmp_path, monkeypatch, words=""):
    """Our migrations and one more, as the next release would bring."""
    newer = tmp_path / "alembic"
    shutil.copytree(migrate.folder(), newer, ignore=shutil.ignore_patterns("__pycache__"))
    step = f'''"""Add a table."""
from alembic import op
import sqlalchemy as sa

revision = "next"
down_revision = "{migrate.head()}"
{words}

def upgrade():
    op.create_table("newcomer", sa.Column("id", sa.Integer(), primary_key=True), schema="anomaly")
    op.add_column("finding", sa.Column("newcomer", sa.Text(), nullable=True), schema="anomaly")


def downgrade():
    op.drop_column("finding", "newcomer", schema="anomaly")
    op.drop_table("newcomer", schema="anomaly")
'''
    (newer / "versions" / "next.py").write_text(step)
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "folder", lambda: newer)
        migrate.revisions.cache_clear()
        yield
    migrate.revisions.cache_clear()


def fits(database):
    with database.read() as connection:
        return migrate.fits(connection)


def test_the_release_before_goes_on_working_on_a_newer_schema(database, tmp_path, monkeypatch):
    for _ in a_newer_release(tmp_path, monkeypatch):
        migrate.upgrade(database.engine)
        assert fits(database)
    assert database.revision() == "next"
    assert not migrate.is_known("next")
    assert fits(database)
    # It starts on it, and keeps events and findings as before.
    town.keep(database, [raw_event("pods", "get", by="bob")])


def test_a_step_that_breaks_the_release_before_says_so_to_it(database, tmp_path, monkeypatch):
    for _ in a_newer_release(tmp_path, monkeypatch, "breaking = True"):
        migrate.upgrade(database.engine)
        assert fits(database)
    assert not fits(database)


def test_a_schema_that_promises_nothing_or_is_behind_does_not_fit(database, empty):
    assert fits(database)
    assert not fits(empty)
    with database.connection() as connection:
        connection.execute("UPDATE anomaly.schema_revision SET version_num = 'next'")
        connection.execute("COMMENT ON SCHEMA anomaly IS 'ours'")
    assert not fits(database)
    with database.connection() as connection:
        connection.execute(
            f"UPDATE anomaly.schema_revision SET version_num = '{migrate.revisions()[0].revision}'"
        )
    assert not fits(database)
