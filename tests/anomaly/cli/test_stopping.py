"""`anomaly ingest` in a process of its own, told to stop while it reads what never ends or waits for what never comes."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from anomaly.testing import raw_event
from tests.conftest import url_of


@contextmanager
def ingesting(database, folder, path, **given):
    """The running command; killed in the end if it still runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANOMALY_")}
    environment |= {"ANOMALY_DATABASE__URL": url_of(database), "HOME": str(folder)}
    command = [sys.executable, "-P", "-m", "anomaly", "ingest", str(path)]
    with subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **given,
    ) as running:
        watchdog = threading.Timer(60, running.kill)
        watchdog.start()
        try:
            yield running
        finally:
            watchdog.cancel()
            running.kill()


def said_until(running, words):
    """The line of standard error that has the words."""
    for line in running.stderr:
        if words in line:
            return line
    raise AssertionError(f"ended without saying {words!r}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_line_that_never_ends_can_be_stopped(database, tmp_path, number):
    with ingesting(database, tmp_path, "/dev/zero") as running:
        # Said once a cluster was made, just before reading begins.
        said_until(running, "is new")
        running.send_signal(number)
        out, err = running.communicate()
    assert running.returncode == 130, err
    assert "same command goes on" in err and "Traceback" not in err
    assert "events kept" in out


def test_a_pipe_nobody_writes_to_is_waited_for_and_can_be_stopped(database, tmp_path):
    pipe = tmp_path / "audit.pipe"
    os.mkfifo(pipe)
    with ingesting(database, tmp_path, pipe) as running:
        assert f"Waiting for {pipe} to be written to." in said_until(running, "Waiting")
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate()
    assert running.returncode == 130, err
    assert "Traceback" not in err


def test_a_pipe_that_pauses_can_be_stopped_and_what_came_is_kept(database, tmp_path):
    with ingesting(database, tmp_path, "-", stdin=subprocess.PIPE) as running:
        said_until(running, "Waiting for standard input")
        running.stdin.write(raw_event().decode() + "\n")
        running.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(3)
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate()
    assert running.returncode == 130, err
    assert "events kept" in out and " 1\n" in out.split("events kept", 1)[1]


def test_a_pipe_is_opened_once_and_read_to_its_end(database, tmp_path):
    pipe = tmp_path / "audit.pipe"
    os.mkfifo(pipe)
    with ingesting(database, tmp_path, pipe) as running:
        said_until(running, "Waiting")
        with open(pipe, "wb") as writer:
            writer.write(b"".join(raw_event(name=f"pod-{n}", at=n) + b"\n" for n in range(500)))
        out, err = running.communicate()
    assert running.returncode == 0, err
    assert " 500\n" in out.split("events kept", 1)[1]
