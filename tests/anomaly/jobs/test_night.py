"""The jobs that ship, run by their real scheduler on a town: judged within seconds, trained, ranked, hidden, kept in order."""

import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest

from anomaly.cli.moment import clock
from anomaly.findings.suppress import Suppression
from anomaly.findings.triage import State
from anomaly.jobs import scoring
from anomaly.jobs.job import all_jobs
from anomaly.jobs.runner import Runner, run_jobs
from anomaly.review import suppress
from anomaly.store.findings import Wanted, list_findings
from anomaly.store.job_runs import list_runs
from anomaly.store.models import champion, promote_model, roll_back
from tests.anomaly.town import CLUSTER, MINUTE, keep, settings_for, team, theft

PATIENCE = 60
JOBS = {job.name: job for job in all_jobs()}


@contextmanager
def night(town, *names, **jobs):
    stop = threading.Event()
    chosen = [JOBS[name] for name in names]
    thread = threading.Thread(target=run_jobs, args=(settings_for(town.database, **jobs), stop, chosen))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
    return found


def once(town, name, **settings):
    runner = Runner(settings_for(town.database, **settings), town.database, threading.Event())
    return runner.run_once(JOBS[name], clock())


def findings(town, **wanted):
    with town.database.begin() as session:
        return list_findings(session, Wanted(**wanted))


def last(town, name):
    with town.database.connection() as connection:
        return next(iter(list_runs(connection, name, 1)), None)


def test_every_job_has_a_name_of_its_own_and_says_what_it_does():
    assert set(JOBS) == {
        "canaries",
        "folding",
        "partitions",
        "promising",
        "retention",
        "scoring",
        "scraping",
        "suppressing",
        "training",
        "watching",
    }
    assert all(job.about.endswith(".") for job in JOBS.values())


def test_a_theft_is_found_by_itself_soon_after_it_is_taken_in(town):
    with night(town, "scoring", "folding"):
        town.keep(*theft("mallory", town.now), fold=False)
        until(lambda: findings(town, entity="mallory"))
        town.keep(*theft("amy", town.now), fold=False)
        until(lambda: findings(town, entity="amy"))


def test_running_scorers_take_up_another_model_and_go_back_by_themselves(town, monkeypatch):
    # A run tells what it did when it is over; what is waited for here is told by the second and the third.
    monkeypatch.setattr(scoring, "LASTS", timedelta(seconds=3))
    first = town.judge().kept.id
    second = town.train()
    with town.database.begin() as session:
        promote_model(session, second.id)

    def judged_by(number):
        found = last(town, "scoring")
        return found is not None and found.detail.get(CLUSTER, {}).get("model") == number

    with night(town, "scoring"):
        until(lambda: judged_by(second.id))
        with town.database.begin() as session:
            assert roll_back(session, town.cluster_id).id == first
        until(lambda: judged_by(first))


def test_the_training_job_keeps_the_better_model_and_says_what_it_did(town):
    town.keep(*team(town.now, 1, seed=3))
    done = once(town, "training")

    assert done.outcome == "ok", done.detail
    said = done.detail[CLUSTER]
    assert said["trained"] is True
    with town.database.begin() as session:
        in_use = champion(session, town.cluster_id)
    assert (in_use.id == said["model"]) is said["promoted"]
    assert said["reason"]


def test_a_cluster_with_too_little_to_learn_from_does_not_keep_the_others_from_their_model(town):
    with town.database.begin() as session:
        from anomaly.store.clusters import add_cluster

        add_cluster(session, "another")
    done = once(town, "training")

    assert done.outcome == "ok"
    assert done.detail["another"]["trained"] is False
    assert done.detail[CLUSTER]["trained"] is True


def test_old_windows_from_before_the_first_model_are_not_judged(town):
    done = once(town, "scoring")

    assert done.detail[CLUSTER]["due"] == 0


def test_many_windows_at_once_are_judged_day_by_day_all_of_them(town):
    keep(town.database, team(town.now, 6, seed=4))
    done = once(town, "scoring")

    assert (done.detail[CLUSTER]["due"], done.detail[CLUSTER]["judged"]) == (36, 36)
    assert once(town, "scoring").detail[CLUSTER]["due"] == 0


def test_findings_that_a_suppression_covers_are_hidden_by_themselves(town):
    town.keep(*theft("mallory", town.now))
    once(town, "scoring")
    now = clock()
    with town.database.begin() as session:
        suppress(session, Suppression(None, "mallory", "ann", "a drill", now + timedelta(days=1)), now)
    done = once(town, "suppressing")

    assert done.detail["hidden"] == 1
    assert [one.state for one in findings(town, entity="mallory")] == [State.SUPPRESSED]


@pytest.mark.parametrize("name", ["folding", "partitions", "retention", "suppressing"])
def test_upkeep_comes_to_its_end_on_a_town_with_nothing_to_do(town, name):
    assert once(town, name).outcome == "ok"


def test_retention_forgets_old_runs(town):
    with town.database.connection() as connection:
        connection.execute(
            "INSERT INTO anomaly.job_run (job, scheduled_at, started_at, outcome) VALUES ('old', %(at)s, %(at)s, 'ok')",
            {"at": clock() - timedelta(days=500)},
        )
    assert once(town, "retention").detail["runs"] == 1


def test_training_twice_in_a_night_is_once_for_each_scheduled_time(town):
    runner = Runner(settings_for(town.database), town.database, threading.Event())
    at = clock() - 5 * MINUTE
    runs = [runner.run_once(JOBS["training"], at) for _ in range(2)]

    assert runs[0].outcome == "ok"
    assert runs[1] is None


def test_promised_and_actual_are_told_of_the_days_that_ended(town):
    tomorrow = clock() + timedelta(days=1)
    settings = settings_for(town.database)
    runner = Runner(settings, town.database, threading.Event(), clock=lambda: tomorrow)

    assert runner.run_once(JOBS["promising"], tomorrow)
    detail = last(town, "promising").detail[CLUSTER]

    assert detail["days"] in {1, 2}
    assert detail["held"] == detail["days"]
    assert detail["last"].startswith("Holds: ")
