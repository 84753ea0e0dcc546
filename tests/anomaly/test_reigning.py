"""Running scorers hold the champion and take up another one by themselves, without loading anything twice."""

import threading
from datetime import timedelta

import pytest

from anomaly.errors import NotFound
from anomaly.reigning import Reigning
from anomaly.store.clusters import add_cluster
from anomaly.store.models import (
    champion,
    find_model,
    judged_from,
    list_models,
    promote_model,
    prune_models,
    roll_back,
)
from models import Budget
from tests.anomaly.town import MINUTE


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def reigning(town, clock):
    return Reigning(town.database, MINUTE, Budget(per_day=10), clock, every=2.0)


def test_the_judge_is_loaded_once_and_changed_after_a_promotion_within_seconds(town, reigning, clock):
    first = reigning.judge(town.cluster_id)
    other = town.train()
    with town.database.begin() as session:
        promote_model(session, other.id)
    clock.now += 1.9
    assert reigning.judge(town.cluster_id) is first
    clock.now += 0.2
    second = reigning.judge(town.cluster_id)
    clock.now += 10

    assert second.kept.id == other.id != first.kept.id
    assert reigning.judge(town.cluster_id) is second


def test_a_cluster_without_a_model_has_no_judge_until_it_has(town, reigning, clock):
    with town.database.begin() as session:
        number = add_cluster(session, "new")

    assert reigning.judge(number) is None


def test_many_threads_that_ask_at_once_get_the_same_judge(town, reigning):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(reigning.judge(town.cluster_id))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 6
    assert len({id(one) for one in found}) == 1


def test_going_back_twice_passes_over_what_was_withdrawn(town):
    first = town.judge().kept.id
    numbers = [town.train().id for _ in range(2)]
    with town.database.begin() as session:
        for number in numbers:
            promote_model(session, number)
        assert roll_back(session, town.cluster_id).id == numbers[0]
        assert roll_back(session, town.cluster_id).id == first
        assert [find_model(session, number).state for number in numbers] == ["withdrawn", "withdrawn"]
        with pytest.raises(NotFound, match="no earlier champion"):
            roll_back(session, town.cluster_id)
        assert champion(session, town.cluster_id).id == first


def test_there_is_one_champion_however_many_are_promoted(town):
    numbers = [town.train().id for _ in range(3)]
    with town.database.begin() as session:
        for number in numbers:
            promote_model(session, number)
        states = [one.state for one in list_models(session)]

    assert states.count("champion") == 1
    with town.database.begin() as session, pytest.raises(NotFound):
        promote_model(session, 10_000)


def test_old_models_go_and_the_one_in_use_and_the_one_before_stay(town):
    first = town.judge().kept.id
    second = town.train().id
    with town.database.begin() as session:
        promote_model(session, second)
    later = [town.train(tune=_other(seed)).id for seed in range(4)]
    with town.database.begin() as session:
        promote_model(session, second)
        gone = prune_models(session, town.cluster_id, keep=2)
        kept = {one.id for one in list_models(session)}
        assert champion(session, town.cluster_id).id == second

    assert second in kept and set(later[-2:]) <= kept
    assert gone == 6 - len(kept)
    assert len(kept) <= 4
    assert first not in kept or len(kept) == 4


def _other(seed):
    from dataclasses import replace

    return lambda recipe: replace(recipe, seed=seed, trees=10)


def test_windows_are_judged_from_the_first_that_taught_nothing(town):
    with town.database.begin() as session:
        assert judged_from(session, town.cluster_id) == town.now
        assert judged_from(session, 999) is None
    earlier = town.train(until=town.now - timedelta(seconds=90))
    with town.database.begin() as session:
        promote_model(session, earlier.id)
        # The minute that began two minutes ago had not ended when this one was trained: it is judged, not passed over.
        assert judged_from(session, town.cluster_id) == town.now - 2 * MINUTE
