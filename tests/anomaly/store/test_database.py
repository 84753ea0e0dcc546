"""The pool, the time-outs, the answers when something is wrong."""

import os
import signal
import time

import psycopg
import pytest
import sqlalchemy

from anomaly.errors import DatabaseUnavailable, SchemaOutdated, SettingsInvalid
from anomaly.settings import DatabaseSettings, Settings
from anomaly.store import migrate
from anomaly.store.database import Database, connect_database, open_database, parse_url
from anomaly.store.embedded import Embedded


def count(database):
    with database.read() as connection:
        return connection.execute(sqlalchemy.text("SELECT count(*) FROM kept")).scalar_one()


@pytest.fixture
def table(database):
    with database.connection() as connection:
        connection.execute("CREATE TABLE kept (number int)")
    return database


def external(database, **options):
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return Settings(database=DatabaseSettings(url=url, **options))


def test_a_plain_connection_commits_at_the_end(table):
    with table.connection() as connection, connection.cursor().copy("COPY kept FROM STDIN") as copy:
        copy.write_row([1])

    assert count(table) == 1


def test_a_plain_connection_rolls_back_on_an_error_and_can_be_lent_again(table):
    with pytest.raises(ZeroDivisionError), table.connection() as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
        _ = 1 / 0

    assert count(table) == 0


def test_a_failed_statement_does_not_spoil_the_pool(table):
    for _ in range(5):
        with pytest.raises(psycopg.errors.UndefinedTable), table.connection() as connection:
            connection.execute("SELECT * FROM nothing_of_the_kind")

    assert count(table) == 0


def test_a_killed_backend_is_replaced_without_the_caller_noticing(table):
    with table.connection() as connection:
        pid = connection.info.backend_pid
    with table.dedicated(autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    assert count(table) == 0


def test_a_server_killed_under_a_running_program_is_started_again(settings):
    with open_database(settings) as database:
        embedded = Embedded(settings)
        try:
            with database.connection() as connection:
                connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
            os.kill(embedded.status().pid, signal.SIGKILL)
            while embedded.status().pid is not None:
                time.sleep(0.01)

            deadline = time.monotonic() + 60
            while True:
                try:
                    assert count(database) == 1
                    break
                except (psycopg.OperationalError, sqlalchemy.exc.OperationalError):
                    # The old backend may live on for a moment and lose its connection in the middle of the query.
                    assert time.monotonic() < deadline
        finally:
            embedded.stop()


def test_times_are_utc_and_the_program_names_itself(database):
    with database.connection() as connection:
        zone = connection.execute("SHOW timezone").fetchone()
        name = connection.execute("SHOW application_name").fetchone()

    assert (zone, name) == (("UTC",), ("anomaly",))


def test_a_reader_cannot_write(table):
    with pytest.raises(sqlalchemy.exc.InternalError, match="read-only"), table.read() as connection:
        connection.execute(sqlalchemy.text("INSERT INTO kept VALUES (1)"))


def test_a_slow_query_of_a_waiting_person_is_ended_with_a_hint(postgres, database):
    impatient = Database(database.url, DatabaseSettings(query_timeout="20ms"))
    with (
        pytest.raises(DatabaseUnavailable, match=r"longer than 0\.02 s") as raised,
        impatient.read() as connection,
    ):
        connection.execute(sqlalchemy.text("SELECT pg_sleep(30)"))
    impatient.close()

    assert "ANOMALY_DATABASE__QUERY_TIMEOUT" in raised.value.hint


def test_a_transaction_that_writes_has_no_time_limit(database):
    with database.begin() as connection:
        limit = connection.execute(sqlalchemy.text("SHOW statement_timeout")).scalar_one()

    assert limit == "0"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("postgresql://ann:secret@127.0.0.1:1/x", id="nobody listens"),
        pytest.param("postgresql://ann:secret@/x?host=/nowhere", id="no such socket"),
    ],
)
def test_a_server_that_is_not_there_is_named_without_its_password(url):
    settings = Settings(database=DatabaseSettings(url=url, connect_timeout="50ms"))
    with pytest.raises(DatabaseUnavailable) as raised:
        open_database(settings)

    assert "does not answer" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_wrong_password_is_not_tried_again(database):
    url = database.url.set(password="wrong", drivername="postgresql").render_as_string(hide_password=False)
    with pytest.raises(DatabaseUnavailable, match="password authentication failed"):
        open_database(Settings(database=DatabaseSettings(url=url, connect_timeout="10min")))


@pytest.mark.parametrize("url", ["not a url", "mysql://a/b", "sqlite:///x"])
def test_what_is_no_postgresql_url_is_a_setting_to_mend(url):
    with pytest.raises(SettingsInvalid, match=r"database\.url"):
        parse_url(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_usual_spelling_of_the_scheme_uses_psycopg_3(scheme):
    assert parse_url(f"{scheme}://ann@host/x").drivername == "postgresql+psycopg"


def test_options_in_the_url_reach_the_server(database):
    url = database.url.update_query_dict({"options": "-c work_mem=5MB", "application_name": "mine"})
    with Database(url, DatabaseSettings()).dedicated() as connection:
        memory = connection.execute("SHOW work_mem").fetchone()
        name = connection.execute("SHOW application_name").fetchone()

    assert (memory, name) == (("5MB",), ("mine",))


def test_a_server_of_ones_own_is_never_upgraded_unasked(postgres):
    with postgres.empty() as empty:
        with pytest.raises(SchemaOutdated, match="revision none") as raised:
            open_database(external(empty))

        assert empty.revision() is None
    assert "anomaly db upgrade" in raised.value.hint


def test_a_server_of_ones_own_with_the_right_schema_opens(database):
    with open_database(external(database)) as opened:
        assert opened.revision() == migrate.head()


def test_a_schema_of_a_newer_release_is_left_alone(database):
    with database.connection() as connection:
        connection.execute("UPDATE anomaly.schema_revision SET version_num = 'from_the_future'")
        connection.execute("COMMENT ON SCHEMA anomaly IS 'works from revision from_the_future'")

    with pytest.raises(SchemaOutdated, match="newer release"):
        open_database(external(database))


def test_version_and_size_are_told(database):
    with connect_database(external(database)) as opened:
        major, version = opened.server_version()
        assert version.startswith(str(major))
        assert major >= 15
        assert opened.size() > 1_000_000
