"""`anomaly db`, run as people run it: in a process of its own, with a home of its own."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy

from anomaly.settings import Settings
from anomaly.store import migrate
from anomaly.store.embedded import Embedded


@pytest.fixture
def anomaly(tmp_path):
    """The command with an empty home; returns the finished process."""

    def run(*arguments, **environ):
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return subprocess.run(
            [sys.executable, "-m", "anomaly", *arguments],
            env={
                **kept,
                "HOME": str(tmp_path),
                "ANOMALY_DATABASE__PARAMETERS": "fsync=off",
                "PYTHONPATH": os.pathsep.join(sys.path),
                **environ,
            },
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )

    yield run
    Embedded(Settings(data_dir=tmp_path / ".local" / "share" / "anomaly")).stop()


def url_of(database):
    return database.url.set(drivername="postgresql").render_as_string(hide_password=False)


def test_status_of_an_empty_home_starts_nothing(anomaly, tmp_path):
    done = anomaly("db", "status", "--output", "json")
    said = json.loads(done.stdout)

    assert done.returncode == 0
    assert (said["kind"], said["state"], said["process"]) == ("embedded", "absent", None)
    assert "anomaly db start" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_embedded_database_is_made_upgraded_asked_and_stopped(anomaly):
    started = anomaly("db", "start")
    assert started.returncode == 0, started.stderr
    assert started.stdout.startswith("postgresql://anomaly:***@/anomaly?host=")
    assert "Making a PostgreSQL" in started.stderr

    said = json.loads(anomaly("db", "status", "--output", "json").stdout)
    assert said["state"] == "ready"
    assert said["revision"] == said["head"] == migrate.head()
    assert said["pending"] == []
    assert said["size_bytes"] > 1_000_000
    assert "***" in said["url"]

    answer = anomaly("db", "psql", "--", "-At", "-c", "SELECT count(*) FROM finding")
    assert (answer.stdout, answer.returncode) == ("0\n", 0), answer.stderr

    assert "is stopped" in anomaly("db", "stop").stderr
    assert "was not running" in anomaly("db", "stop").stderr
    assert json.loads(anomaly("db", "status", "-o", "json").stdout)["state"] == "stopped"


def test_commands_started_at_once_in_an_empty_home_all_get_a_whole_database(anomaly):
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: anomaly("db", "start"), range(3)))
    said = json.loads(anomaly("db", "status", "-o", "json").stdout)

    assert [(process.returncode, process.stdout) for process in done] == [(0, done[0].stdout)] * 3
    assert said["revision"] == migrate.head()


def test_quiet_means_quiet(anomaly):
    started = anomaly("db", "start", "-q")

    assert (started.returncode, started.stderr) == (0, "")
    assert anomaly("--quiet", "db", "stop").stderr == ""


def test_a_server_of_ones_own_is_upgraded_when_asked(anomaly, postgres):
    with postgres.empty() as database:
        environ = {"ANOMALY_DATABASE_URL": url_of(database)}
        before = json.loads(anomaly("db", "status", "-o", "json", **environ).stdout)
        planned = json.loads(anomaly("db", "upgrade", "--dry-run", "-o", "json", **environ).stdout)
        untouched = database.revision()
        applied = json.loads(anomaly("db", "upgrade", "-o", "json", **environ).stdout)
        again = anomaly("db", "upgrade", **environ)

        assert (before["kind"], before["revision"], len(before["pending"])) == (
            "external",
            None,
            len(migrate.revisions()),
        )
        assert database.url.password not in json.dumps(before)
        assert [step["applied"] for step in planned] == [False] * len(migrate.revisions())
        assert untouched is None
        assert [step["revision"] for step in applied] == [step.revision for step in migrate.revisions()]
        assert "up to date" in again.stderr
        assert database.revision() == migrate.head()


@pytest.mark.parametrize("deed", ["start", "stop"])
def test_a_server_of_ones_own_is_neither_started_nor_stopped(anomaly, deed):
    done = anomaly("db", deed, ANOMALY_DATABASE_URL="postgresql://ann:secret@h/x")

    assert done.returncode == 1
    assert "your own" in done.stderr
    assert "secret" not in done.stderr


def test_a_server_that_is_down_ends_with_5_and_no_password(anomaly):
    environ = {
        "ANOMALY_DATABASE_URL": "postgresql://ann:secret@127.0.0.1:1/x",
        "ANOMALY_DATABASE__CONNECT_TIMEOUT": "50ms",
    }
    done = anomaly("db", "status", **environ)

    assert done.returncode == 5
    assert "unreachable" in done.stdout
    assert "does not answer" in done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_of_a_newer_release_is_not_touched(anomaly, database):
    with database.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE anomaly.schema_revision SET version_num = 'future'"))
    done = anomaly("db", "upgrade", ANOMALY_DATABASE_URL=url_of(database))

    assert done.returncode == 5
    assert "newer release" in done.stderr
    assert database.revision() == "future"


def test_psql_shows_no_password_to_other_users_of_the_machine(anomaly, database):
    environ = {"ANOMALY_DATABASE_URL": url_of(database)}
    done = anomaly("db", "psql", "-c", "SELECT 42", **environ)
    seen = anomaly("db", "psql", "-c", "\\! tr '\\0' ' ' < /proc/$PPID/cmdline", **environ)

    assert "42" in done.stdout
    assert "dbname=" in seen.stdout
    assert database.url.password not in seen.stdout


def test_the_exit_code_of_psql_is_ours(anomaly, database):
    done = anomaly("db", "psql", "-c", "SELECT nonsense", ANOMALY_DATABASE_URL=url_of(database))

    assert done.returncode == 1
    assert "nonsense" in done.stderr
