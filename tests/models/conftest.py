"""A fitted forest and a trained model, made once for all tests of what a model is."""

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest as SklearnForest

from tests.training.made_up import office
from training import RECIPES, run


@pytest.fixture(scope="session")
def fitted():
    rows = np.random.default_rng(3).normal(size=(3_000, 20))
    rows[:, 5:12] = np.maximum(0.0, rows[:, 5:12])
    return SklearnForest(n_estimators=60, random_state=0).fit(rows)


@pytest.fixture(scope="session")
def matrix():
    return office()


@pytest.fixture(scope="session")
def model(matrix):
    return run(matrix, RECIPES["nightly"]).model
