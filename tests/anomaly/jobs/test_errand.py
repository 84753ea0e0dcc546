"""Long work that somebody asked for: kept as a run, bounded in number, ended in order when the service stops."""

import threading
import time

import pytest

from anomaly.cli.moment import clock
from anomaly.jobs.errand import AT_ONCE, Errands, TooMany
from anomaly.store.job_runs import CRASHED, FAILED, OK, list_runs
from tests.anomaly.jobs.replica import settings_for
from tests.conftest import url_of


@pytest.fixture
def errands(database):
    made = Errands(settings_for(url_of(database)), database)
    yield made
    made.stop(10)


def runs(database, name):
    with database.connection() as connection:
        return list_runs(connection, name, 100)


def until(true):
    deadline = time.monotonic() + 30
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert true()


def endless(work):
    while True:
        work.say("on it")
        time.sleep(0.01)


def test_what_stops_in_the_middle_is_kept_as_crashed_with_the_reason(database, errands):
    begun = errands.begin("replay", {"by": "amy"}, endless, clock())
    until(lambda: (runs(database, "replay")[0].detail or {}).get("progress") == "on it")
    began = time.monotonic()
    errands.stop(30)
    assert time.monotonic() - began < 20
    (run,) = runs(database, "replay")
    assert (run.id, run.outcome, run.detail["by"]) == (begun.id, CRASHED, "amy")
    assert "stopped in the middle" in run.detail["error"]


def test_stopping_waits_no_longer_than_it_is_told(errands):
    go_on = threading.Event()
    errands.begin("deaf", {}, lambda work: {"came": go_on.wait(60)}, clock())
    began = time.monotonic()
    errands.stop(0.2)
    assert time.monotonic() - began < 10
    go_on.set()


def test_there_is_room_for_so_many_and_it_is_given_back(database, errands):
    go_on = threading.Event()
    for _ in range(AT_ONCE):
        errands.begin("slow", {}, lambda work: {"came": go_on.wait(60)}, clock())
    with pytest.raises(TooMany):
        errands.begin("slow", {}, lambda work: {}, clock())
    go_on.set()
    until(lambda: {run.outcome for run in runs(database, "slow")} == {OK})
    errands.begin("slow", {}, lambda work: {"found": 3}, clock())
    until(lambda: any((run.detail or {}).get("found") == 3 for run in runs(database, "slow")))


def test_a_fault_inside_is_a_failed_run_that_shows_nothing_of_it(database, errands):
    errands.begin("broken", {}, lambda work: {"share": 1 / 0}, clock())
    until(lambda: runs(database, "broken")[0].outcome == FAILED)
    assert runs(database, "broken")[0].detail["error"].startswith("It failed inside: ZeroDivisionError.")
