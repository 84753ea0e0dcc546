"""A night with a real scheduler, a real database and processes that are killed: nothing is missed, nothing runs twice."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import cache

import psycopg
import pytest

from anomaly.cli.moment import clock
from anomaly.jobs.job import Job, JobFailed, JobStopped
from anomaly.jobs.runner import Runner
from anomaly.jobs.schedule import Daily, Every
from anomaly.store.job_runs import claimed, has_leader, last_run, list_runs
from tests.anomaly.jobs.replica import settings_for, slow_job
from tests.conftest import url_of

PATIENCE = 60


@pytest.fixture
def diary(database):
    with database.connection() as connection:
        connection.execute(
            "CREATE TABLE public.diary (at timestamptz DEFAULT clock_timestamp(), pid int, note text, scheduled_at timestamptz)"
        )
    return database


def runs(database, job="slow"):
    with database.connection() as connection:
        return list_runs(connection, job, 1000)[::-1]


def notes(database, note):
    with database.connection() as connection:
        rows = connection.execute(
            "SELECT scheduled_at, pid FROM public.diary WHERE note = %s ORDER BY at", [note]
        )
        return rows.fetchall()


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
    return found


@contextmanager
def replica(database, seconds, when):
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.anomaly.jobs.replica", url_of(database), str(seconds), str(when)]
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


@contextmanager
def running(database, *jobs):
    """A replica in a thread of this process."""
    stop = threading.Event()
    runner = Runner(settings_for(url_of(database)), database, stop, jobs)
    thread = threading.Thread(target=runner.run)
    thread.start()
    try:
        yield runner
    finally:
        stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


@cache
def missed_daily():
    """A time of day that was two hours ago; the same for all who ask, though a minute may end between them."""
    return (clock() - timedelta(hours=2)).strftime("%H:%M")


def ran(database, days_ago, outcome="ok"):
    """Note a run of the past, as an earlier leader would have."""
    at = Daily(missed_daily()).last(clock()) - timedelta(days=days_ago)
    with database.connection() as connection:
        connection.execute(
            "INSERT INTO anomaly.job_run (job, scheduled_at, started_at, outcome) VALUES ('slow', %s, %s, %s)",
            [at, at, outcome],
        )
    return at


def test_a_run_missed_while_nobody_led_is_made_up_for_once(diary):
    ran(diary, days_ago=4)
    with running(diary, slow_job(0, missed_daily())):
        until(lambda: len(runs(diary)) == 2 and runs(diary)[-1].outcome == "ok")
        time.sleep(0.5)

    assert len(notes(diary, "ends")) == 1
    assert runs(diary)[-1].scheduled_at == Daily(missed_daily()).last(clock())


def test_a_daily_job_that_ran_waits_for_tomorrow(diary):
    ran(diary, days_ago=0)
    with running(diary, slow_job(0, missed_daily())), diary.dedicated() as connection:
        until(lambda: has_leader(connection))
        time.sleep(0.5)

    assert len(runs(diary)) == 1


def test_a_job_that_never_ran_waits_for_its_time(diary):
    with running(diary, slow_job(0, missed_daily())), diary.dedicated() as connection:
        until(lambda: has_leader(connection))
        time.sleep(0.5)

    assert runs(diary) == []


def test_a_run_that_becomes_due_while_the_one_before_it_goes_on_follows_at_once(diary):
    with running(diary, slow_job(2.2, "2")):
        first, second = until(lambda: notes(diary, "begins")[:2] if len(notes(diary, "begins")) > 1 else None)

    assert second[0] - first[0] == timedelta(seconds=2)


def test_two_replicas_never_run_a_job_twice(diary):
    with replica(diary, 0, 0.2) as one, replica(diary, 0, 0.2) as two:
        until(lambda: len(notes(diary, "ends")) >= 10)
        assert one.poll() is None and two.poll() is None
        begun = notes(diary, "begins")

    assert len({scheduled for scheduled, _ in begun}) == len(begun)
    assert len({pid for _, pid in begun}) == 1


def test_a_leader_killed_in_the_middle_is_replaced_and_its_run_taken_again(diary):
    ran(diary, days_ago=1)
    with replica(diary, 600, missed_daily()) as first:
        until(lambda: notes(diary, "begins"))
        os.kill(first.pid, signal.SIGKILL)
        with replica(diary, 0, missed_daily()) as second:
            until(lambda: notes(diary, "ends"))
            assert second.poll() is None
    yesterdays, again = runs(diary)

    assert (yesterdays.outcome, again.outcome, again.attempt) == ("ok", "ok", 2)
    assert [pid for _, pid in notes(diary, "begins")] == [first.pid, second.pid]
    assert [pid for _, pid in notes(diary, "ends")] == [second.pid]


def test_a_leader_that_lost_its_connection_leads_no_more_and_nothing_runs_twice(diary):
    with replica(diary, 0, 0.2), replica(diary, 0, 0.2):
        until(lambda: len(notes(diary, "ends")) >= 3)
        with diary.dedicated(autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        before = len(notes(diary, "ends"))
        until(lambda: len(notes(diary, "ends")) >= before + 5)
    begun = notes(diary, "begins")

    assert len({scheduled for scheduled, _ in begun}) == len(begun)


def test_a_run_whose_runner_died_is_not_mistaken_for_one_that_goes_on(diary):
    now = clock()
    with (
        diary.dedicated() as alive,
        claimed(alive, "slow", now, "here", now) as mine,
        diary.dedicated() as other,
    ):
        assert mine.outcome == "running"
        with claimed(other, "slow", now, "there", now) as theirs:
            assert theirs is None
        with running(diary, slow_job(0, missed_daily())):
            until(lambda: has_leader(other))
            time.sleep(0.3)
            assert last_run(other, "slow").outcome == "running"
            other.commit()
    with running(diary, slow_job(0, missed_daily())):
        until(lambda: runs(diary)[0].outcome == "crashed")


def test_a_job_that_fails_is_known_to_have_failed_and_why(diary):
    def fail(work):
        raise JobFailed("The sky fell.", detail={"height": 3})

    runner = Runner(settings_for(url_of(diary)), diary, threading.Event(), ())
    job = Job("sad", "", lambda settings: Every(timedelta(days=1)), fail)
    now = clock()
    first = runner.run_once(job, now)

    assert (first.outcome, first.detail["error"], first.detail["height"]) == ("failed", "The sky fell.", 3)
    assert [runner.run_once(job, now).attempt for _ in range(2)] == [2, 3]
    assert runner.run_once(job, now) is None


def test_an_unforeseen_error_is_a_failure_of_that_run_alone(diary):
    runner = Runner(settings_for(url_of(diary)), diary, threading.Event(), ())
    job = Job("odd", "", lambda settings: Every(timedelta(days=1)), lambda work: {"never": 1 / 0})

    assert runner.run_once(job, clock()).detail["error"] == "ZeroDivisionError: division by zero"


def test_a_job_told_to_stop_is_left_to_whoever_leads_next(diary):
    stop = threading.Event()
    runner = Runner(settings_for(url_of(diary)), diary, stop, ())

    def work_on(work):
        stop.set()
        with pytest.raises(JobStopped):
            work.say("still at it")
        work.say("and again")

    job = Job("long", "", lambda settings: Every(timedelta(days=1)), work_on)
    now = clock()
    assert runner.run_once(job, now).outcome == "crashed"
    stop.clear()

    done = Job("long", "", lambda settings: Every(timedelta(days=1)), lambda work: {})
    assert runner.run_once(done, now).outcome == "ok"
    assert runner.run_once(done, now) is None


def test_jobs_wait_while_the_database_is_away(diary):
    with running(diary, slow_job(0, "0.2")):
        until(lambda: len(notes(diary, "ends")) >= 2)
        with diary.dedicated(autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        before = len(runs(diary))
        until(lambda: _calm(diary) >= before + 3)


def _calm(database):
    try:
        return len(runs(database))
    except psycopg.Error:
        return 0
