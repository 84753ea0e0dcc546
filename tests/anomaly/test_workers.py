"""A crew: blocks side by side, answers as numbers or a sentence, nothing left behind."""

import os
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from anomaly.errors import DatabaseUnavailable, NotFound
from anomaly.store.writer import Receipt
from anomaly.workers import Crew, WorkerFailed


@contextmanager
def counting():
    """Work that keeps as many events as the block has bytes."""
    yield lambda block: Receipt(len(block), 1, 2, 3)


def failing(error):
    @contextmanager
    def start():
        def work(block):
            raise error

        yield work

    return start


@pytest.mark.parametrize("count", [0, 1, 3])
def test_every_block_is_answered_once(count):
    with Crew(counting, count) as crew:
        answers = []
        for number in range(20):
            crew.give(number, b"x" * number)
            answers += crew.done()
        answers += crew.finish()
        assert sorted(answers, key=lambda answer: answer[0]) == [(n, Receipt(n, 1, 2, 3)) for n in range(20)]
        assert list(crew.finish()) == []


def test_large_blocks_pass_the_pipe():
    with Crew(counting, 2) as crew:
        for number in range(4):
            crew.give(number, bytes(20 << 20))
        assert sum(receipt.kept for _, receipt in crew.finish()) == 80 << 20


def test_workers_end_with_the_crew(tmp_path):
    @contextmanager
    def start():
        (tmp_path / str(os.getpid())).touch()
        yield lambda block: Receipt()
        (tmp_path / str(os.getpid())).unlink()

    with Crew(start, 2) as crew:
        crew.give(0, b"")
        list(crew.finish())
        deadline = time.monotonic() + 10
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(pids := [int(path.name) for path in tmp_path.iterdir()]) == 2
    assert list(tmp_path.iterdir()) == [], "each closed what it had open"
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_without_workers_what_is_open_is_closed_too():
    closed = []

    @contextmanager
    def start():
        yield lambda block: Receipt()
        closed.append(True)

    with Crew(start, 0):
        assert not closed
    assert closed


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (psycopg.OperationalError("server closed the connection\nmore"), DatabaseUnavailable, "The database went away: server closed the connection."),
        (DatabaseUnavailable("It does not answer."), DatabaseUnavailable, "The database went away: It does not answer."),
        (NotFound("There is no cluster."), WorkerFailed, "A worker process failed: There is no cluster."),
        (ValueError("bad \ud800"), WorkerFailed, "A worker process failed: ValueError: bad ?."),
        (RuntimeError(""), WorkerFailed, "A worker process failed: RuntimeError: RuntimeError."),
    ],
)  # fmt: skip
def test_a_failure_is_one_sentence_with_a_remedy_and_the_trace_aside(error, kind, words):
    with Crew(failing(error), 2) as crew:
        crew.give(0, b"x")
        with pytest.raises(kind) as raised:
            list(crew.finish())
    assert str(raised.value) == words
    assert "goes on from what is kept" in raised.value.hint
    assert "Traceback" in raised.value.__notes__[0]


def test_a_killed_worker_is_noticed_and_named():
    @contextmanager
    def start():
        yield lambda block: os.kill(os.getpid(), 9)

    with Crew(start, 2) as crew:
        crew.give(0, b"x")
        with pytest.raises(WorkerFailed, match=r"A worker process was killed by signal 9\."):
            list(crew.finish())


def test_a_worker_that_cannot_begin_is_noticed(capfd):
    @contextmanager
    def start():
        raise RuntimeError("no rules")
        yield

    with Crew(start, 1) as crew, pytest.raises(WorkerFailed, match="ended with status 1"):
        crew.give(0, b"x")
        list(crew.finish())
    assert "no rules" in capfd.readouterr().err
