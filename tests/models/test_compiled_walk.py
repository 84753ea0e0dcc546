"""Only where the optional `compiled` extra is installed; without it nothing here can be wrong."""

import numpy as np
import pytest

from models.compiled_walk import Compiled
from models.isolation_forest import IsolationForest

pytest.importorskip("numba")


def test_the_compiled_walk_scores_as_scikit_learn_does(fitted):
    rows = np.random.default_rng(4).normal(size=(500, 20)).astype(np.float32)
    forest = IsolationForest.from_sklearn(fitted)
    depths = Compiled.of(forest.levels).depths(rows)
    ours = np.exp2(-depths / forest.usual_depth)
    assert np.abs(ours + fitted.score_samples(rows)).max() < 1e-9


def test_the_compiled_walk_of_one_row_is_that_of_many(fitted):
    rows = np.random.default_rng(4).normal(size=(10, 20)).astype(np.float32)
    compiled = Compiled.of(IsolationForest.from_sklearn(fitted).levels)
    one = [compiled.one(row) for row in rows]
    assert np.allclose(one, compiled.depths(rows), rtol=0, atol=1e-9)
