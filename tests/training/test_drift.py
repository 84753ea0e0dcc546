import numpy as np
import pytest

from models import ANY, LayoutMismatch
from models.reference import Reference
from tests.training.made_up import office, quick
from training import run
from training.drift import drift_since


@pytest.fixture(scope="module")
def matrix():
    return office()


@pytest.fixture(scope="module")
def champion(matrix):
    return run(matrix, quick()).model


def test_windows_like_those_of_the_training_have_not_drifted(matrix, champion):
    drift = drift_since(champion, matrix, np.arange(len(matrix)))
    assert drift.shifted == ()
    assert drift.share == 0.0


def test_a_kind_that_is_new_and_one_that_is_gone_are_named(matrix, champion):
    rows = np.flatnonzero(matrix.kind != "node")
    changed = matrix.part(rows)
    changed.kind[changed.kind == "human"] = "robot"
    drift = drift_since(champion, changed, np.arange(len(changed)))
    assert drift.new_kinds == ("robot",)
    assert drift.gone_kinds == ("human", "node")
    assert ANY not in drift.gone_kinds


def test_too_few_windows_say_nothing(matrix, champion):
    rows = np.flatnonzero(matrix.kind == "human")[:30]
    assert drift_since(champion, matrix, rows).too_few == ("human",)


def test_other_features_cannot_be_compared(champion):
    with pytest.raises(LayoutMismatch):
        drift_since(champion, office(width=20), np.arange(3))


def test_stability_tells_the_same_from_another_distribution():
    random = np.random.default_rng(0)
    reference = Reference.of(random.poisson(3, size=(5_000, 2)).astype(float))
    now = np.stack([random.poisson(3, size=2_000), random.poisson(9, size=2_000)], axis=1).astype(float)
    same, other = reference.stability(now)
    assert same < 0.05
    assert other > 0.5


def test_a_feature_that_was_always_zero_and_is_not_has_drifted():
    reference = Reference.of(np.zeros((500, 1)))
    assert reference.stability(np.ones((500, 1)))[0] > 1
