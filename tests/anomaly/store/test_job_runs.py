"""Runs are claimed by one, their locks tell the living from the dead, and old ones are forgotten."""

from datetime import UTC, datetime, timedelta

import pytest

from anomaly.store.job_runs import bury, claimed, finish, has_leader, last_run, lead, list_runs, prune_runs

AT = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)


@pytest.fixture
def one(database):
    with database.dedicated() as connection:
        yield connection


@pytest.fixture
def other(database):
    with database.dedicated() as connection:
        yield connection


def test_only_one_of_two_claims_a_run(one, other):
    with claimed(one, "training", AT, "a", AT) as mine, claimed(other, "training", AT, "b", AT) as theirs:
        assert (mine.host, theirs) == ("a", None)


def test_runs_of_other_times_and_other_jobs_are_claimed_beside_it(one, other):
    with claimed(one, "training", AT, "a", AT):
        with claimed(other, "training", AT + timedelta(days=1), "b", AT) as later:
            assert later is not None
        with claimed(other, "scoring", AT, "b", AT) as beside:
            assert beside is not None


def test_a_run_that_is_done_is_never_claimed_again(one, other):
    with claimed(one, "training", AT, "a", AT) as run:
        assert finish(one, run, "ok", {"models": 1}, AT)
    with claimed(other, "training", AT, "b", AT) as again:
        assert again is None

    assert (last_run(other, "training").outcome, last_run(other, "training").detail) == ("ok", {"models": 1})


def test_the_living_are_not_buried_and_the_dead_are_at_once(database, one, other):
    dying = database.dedicated()
    with claimed(one, "training", AT, "alive", AT):
        context = claimed(dying, "scoring", AT, "dying", AT)
        context.__enter__()
        assert bury(other, AT) == []
        dying.close()
        buried = []
        while not buried:
            # The server notices the closed connection a moment later.
            buried = bury(other, AT)

        assert [(run.job, run.outcome) for run in buried] == [("scoring", "crashed")]
        assert last_run(other, "training").outcome == "running"


def test_a_crashed_run_is_taken_again_three_times_in_all(one):
    attempts = []
    for _ in range(5):
        with claimed(one, "training", AT, "a", AT) as run:
            if run is not None:
                attempts.append(run.attempt)
                finish(one, run, "crashed", {}, AT)

    assert attempts == [1, 2, 3]


def test_whoever_was_taken_for_dead_cannot_write_the_outcome_of_the_later_attempt(one, other):
    with claimed(one, "training", AT, "slow", AT) as first:
        one.execute("SELECT pg_advisory_unlock_all()")
        one.commit()
        bury(other, AT)
        with claimed(other, "training", AT, "next", AT) as second:
            assert second.attempt == 2
            assert not finish(one, first, "ok", {}, AT)
            assert finish(other, second, "ok", {"by": "next"}, AT)

    assert last_run(other, "training").detail == {"by": "next"}


def test_there_is_one_leader_and_the_next_follows_when_it_is_gone(database, one, other):
    leader = database.dedicated()
    assert not has_leader(one)
    assert lead(leader)
    assert has_leader(one)
    assert not lead(other)
    leader.close()
    while not lead(other):
        pass

    assert has_leader(one)


def test_old_runs_are_forgotten_and_running_ones_never(one):
    for days in (1, 3, 500):
        at = AT - timedelta(days=days)
        with claimed(one, "training", at, "a", at) as run:
            finish(one, run, "ok", {}, at)
    with claimed(one, "training", AT - timedelta(days=600), "a", AT - timedelta(days=600)):
        assert prune_runs(one, AT - timedelta(days=400), AT - timedelta(days=2)) == 1

    assert len(list_runs(one, "training", 10)) == 3
