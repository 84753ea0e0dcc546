"""A file of real events ingested twice, at once, and through kills of every process there is, is kept exactly once.

Real processes, a real PostgreSQL, the recorded log. What is compared is everything: rows, raw bytes, windows, firsts, findings
with their evidence, quarantine.
"""

import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import psycopg
import pytest

from anomaly.settings import Settings
from anomaly.store.database import open_database
from anomaly.store.embedded import Embedded
from tests.anomaly.store.state import recorded, state_of
from tests.conftest import url_of

EVENTS = 12_000
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """25 MB of the recorded log: several blocks, with duplicates over block borders and lines that are no events."""
    path = tmp_path_factory.mktemp("log") / "audit.log"
    lines = recorded(EVENTS)
    lines[7_000:7_000] = [*lines[:40], b"{]", lines[1][:-9]]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@pytest.fixture(scope="module")
def once(postgres, log, tmp_path_factory):
    """What the log amounts to, read once by one process without workers."""
    with postgres.clone() as database:
        done = start(log, tmp_path_factory.mktemp("home"), url_of(database), "--workers", "0")
        end(done)
        state = asdict(state_of(database))
    assert len(state["events"]) == EVENTS
    assert len(state["findings"]) > 10 and len(state["windows"]) > 30 and len(state["quarantine"]) == 2
    return state


def start(log, home, url="", *options, stdin=None):
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(CHECKOUT)}
    environment |= {"ANOMALY_DATABASE__URL": url} if url else {"ANOMALY_DATABASE__PARAMETERS": "fsync=off"}
    command = [sys.executable, "-m", "anomaly", "ingest", str(log), *options]
    return subprocess.Popen(
        command, env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home,
        start_new_session=True,
    )  # fmt: skip


def end(process, expected=0):
    out, err = process.communicate(timeout=120)
    assert process.returncode == expected, err
    assert "Traceback" not in err
    return out, err


def blocks_kept(connect):
    try:
        with connect() as connection:
            return connection.execute("SELECT count(*) FROM anomaly.chunk").fetchone()[0]
    except psycopg.Error:
        return 0


def when_some_is_kept(database, process, least=1):
    deadline = time.monotonic() + 60
    while blocks_kept(database.dedicated) < least and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def workers_of(process):
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children]


def kept_by(database):
    return len(state_of(database).events)


def test_by_two_processes_at_once_and_then_again(database, log, once, tmp_path):
    both = [start(log, tmp_path, url_of(database)) for _ in range(2)]
    for process in both:
        end(process)
    assert asdict(state_of(database)) == once
    out, _ = end(start(log, tmp_path, url_of(database), "--again", "--output", "json"))
    assert f'"duplicates": {EVENTS + 40}' in out and '"events kept": 0' in out
    assert asdict(state_of(database)) == once


def test_through_kills_of_the_reader_and_of_its_workers(database, log, once, tmp_path):
    """Kill the reader; its workers end by themselves. Kill a worker: the reader says so. Then let it finish."""
    reader = start(log, tmp_path, url_of(database))
    when_some_is_kept(database, reader)
    workers = workers_of(reader)
    reader.kill()
    reader.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while any(_runs(worker) for worker in workers):
        assert time.monotonic() < deadline, "a worker outlives its reader"
        time.sleep(0.01)
    assert 0 < (first := kept_by(database)) < EVENTS

    reader = start(log, tmp_path, url_of(database))
    before = blocks_kept(database.dedicated)
    when_some_is_kept(database, reader, before + 1)
    killed = [worker for worker in workers_of(reader) if _kill(worker)]
    if killed:
        _, err = end(reader, 1)
        assert "A worker process was killed by signal 9." in err
        assert "goes on from what is kept" in err
    else:
        end(reader)
    assert first <= kept_by(database) <= EVENTS
    end(start(log, tmp_path, url_of(database)))
    assert asdict(state_of(database)) == once


def _runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("workers", ["0", "2"])
def test_through_an_interruption_and_from_where_it_stopped(database, log, once, tmp_path, workers):
    reader = start(log, tmp_path, url_of(database), "--workers", workers, "--output", "json")
    when_some_is_kept(database, reader)
    os.killpg(reader.pid, signal.SIGINT)
    out, err = end(reader, 130)
    assert "Stopping after what is in hand" in err and "The same command goes on from here." in err
    kept = kept_by(database)
    assert 0 < kept < EVENTS
    assert f'"events kept": {kept}' in out
    out, _ = end(start(log, tmp_path, url_of(database), "--workers", workers, "--output", "json"))
    assert f'"events kept": {EVENTS - kept}' in out
    # Nothing is read again but what the log itself holds twice.
    assert '"duplicates": 0' in out or '"duplicates": 40' in out
    assert asdict(state_of(database)) == once


def test_from_standard_input(database, log, once, tmp_path):
    with log.open("rb") as stream:
        end(start("-", tmp_path, url_of(database), stdin=stream))
    found = asdict(state_of(database))
    assert found == once


def test_through_a_kill_of_the_embedded_server(log, once, tmp_path):
    settings = Settings(data_dir=tmp_path / ".local" / "share" / "anomaly")
    embedded = Embedded(settings)
    try:
        end(start(_small(log, tmp_path), tmp_path))
        reader = start(log, tmp_path)
        with open_database(settings) as database:
            before = blocks_kept(database.dedicated)
            when_some_is_kept(database, reader, before + 1)
        postmaster = embedded.status().pid
        _kill_tree(postmaster)
        _, err = reader.communicate(timeout=120)
        assert reader.returncode in {0, 5}, err
        if reader.returncode:
            assert err.startswith("anomaly: The database") and "Traceback" not in err
            assert "again" in err
        end(start(log, tmp_path))
        with open_database(settings) as database:
            found = asdict(state_of(database))
        assert found == once
    finally:
        embedded.stop()


def _small(log, folder):
    path = folder / "first.log"
    with log.open("rb") as whole:
        path.write_bytes(b"".join(next(whole) for _ in range(10)))
    return path


def _kill_tree(postmaster):
    """A power cut: the server and all that serve it."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    for pid in (postmaster, *map(int, children)):
        _kill(pid)
