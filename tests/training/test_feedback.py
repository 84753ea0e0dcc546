from dataclasses import replace

import numpy as np
import pytest

from models import Model, ModelError
from tests.training.made_up import office, quick
from training import Matrix, Reviewed, run
from training.feedback import BOUND

RECIPE = quick(trees=50, planted=150)


@pytest.fixture(scope="module")
def matrix():
    return office(entities=20, windows=100)


def batch_job(matrix, features, rows, times=12.0):
    """Windows in which a nightly job raises some features: harmless, and always the same."""
    values = matrix.values.copy()
    values[np.ix_(rows, features)] += times
    return Matrix.of(matrix.layout, values, matrix.entity, matrix.kind, matrix.group, matrix.at)


@pytest.fixture(scope="module")
def verdicts(matrix):
    """Forty windows of the same harmless job, half of them reviewed as false alarms."""
    late = np.argsort(matrix.at)[-300:]
    rows = late[matrix.kind[late] == "serviceaccount"][:40]
    noisy = batch_job(matrix, [3, 4, 5], rows, 3.0)
    return Reviewed(noisy.part(rows[::2]), np.zeros(len(rows[::2]), dtype=bool)), noisy.part(rows[1::2])


def p_values(model, matrix):
    return model.judge(matrix.values, matrix.kind, matrix.entity, matrix.group, matrix.at).p_value


def test_alike_windows_calm_down_that_nobody_reviewed(matrix, verdicts):
    reviewed, alike = verdicts
    before, after = run(matrix, RECIPE), run(matrix, RECIPE, reviewed=reviewed)
    assert after.taught.strength > 0
    threshold = before.report.threshold.p_value
    shown = [(p_values(one.model, alike) <= threshold).mean() for one in (before, after)]
    assert shown[0] > 0.9
    assert shown[1] < shown[0] - 0.2
    assert len(after.taught.vanished) >= 5


def test_other_deviations_keep_their_rank(matrix, verdicts):
    reviewed, _ = verdicts
    before, after = run(matrix, RECIPE), run(matrix, RECIPE, reviewed=reviewed)
    # What fell under the line lay at it, is counted, and is said.
    assert after.taught.tossed <= 1
    planted = RECIPE.planted
    assert round(after.report.recall * planted) >= round(before.report.recall * planted) - after.taught.tossed
    assert ("at the line itself" in after.taught.reason) == (after.taught.tossed > 0)
    other = batch_job(matrix, [15, 16, 17], np.arange(30), 40.0).part(np.arange(30))
    found_before = p_values(before.model, other) <= before.report.threshold.p_value
    found_after = p_values(after.model, other) <= after.report.threshold.p_value
    assert not (found_before & ~found_after).any()


def test_what_was_taught_is_said_and_kept(matrix, verdicts):
    reviewed, alike = verdicts
    candidate = run(matrix, RECIPE, reviewed=reviewed)
    assert candidate.taught.reason in candidate.card.notes
    again = Model.load(candidate.model.artifact.data)
    assert p_values(again, alike).tobytes() == p_values(candidate.model, alike).tobytes()
    who = str(alike.kind[0]), int(alike.entity[0]), int(alike.group[0]), int(alike.at[0])
    one = candidate.model.judge_row(*who, alike.values[0])
    assert one.p_value == pytest.approx(p_values(candidate.model, alike)[0], rel=1e-9)
    explained = candidate.model.explain(*who, alike.values[0])
    assert explained.taught < 0
    assert sum(c.amount for c in explained.contributions) == pytest.approx(
        explained.statistic - explained.taught
    )


def test_verdicts_never_move_a_window_beyond_the_bound(matrix, verdicts):
    reviewed, _ = verdicts
    many = Reviewed(
        reviewed.matrix.part(np.tile(np.arange(len(reviewed.matrix)), 50)), np.tile(reviewed.true, 50)
    )
    model = run(matrix, RECIPE, reviewed=many).model
    for kind, detector in model.detectors.items():
        if detector.lessons is None:
            continue
        rows = np.flatnonzero(reviewed.matrix.kind == kind)
        taught = detector.judge(reviewed.matrix.batch(rows)).statistic
        untaught = replace(detector, lessons=None).judge(reviewed.matrix.batch(rows)).statistic
        assert np.abs(taught - untaught).max() <= BOUND + 1e-9


def test_verdicts_that_would_whiten_confirmed_attacks_are_refused(matrix):
    """The same doings are called harmless twenty times and an attack five times: the attack must stay found."""
    late = np.argsort(matrix.at)[-300:]
    rows = late[matrix.kind[late] == "human"][:25]
    attacked = batch_job(matrix, [3, 4, 5], rows)
    confirmed = np.isin(np.arange(len(matrix)), rows[:5])
    reviewed = Reviewed(attacked.part(rows[5:]), np.zeros(20, dtype=bool))
    plain = run(attacked, RECIPE, confirmed=confirmed)
    taught = run(attacked, RECIPE, confirmed=confirmed, reviewed=reviewed)
    assert plain.report.confirmed_found > 0
    assert taught.report.confirmed_found >= plain.report.confirmed_found


def test_true_findings_are_raised(matrix):
    late = np.argsort(matrix.at)[-300:]
    rows = late[matrix.kind[late] == "human"][:20]
    faint = batch_job(matrix, [3, 4], rows, 2.0)
    reviewed = Reviewed(faint.part(rows[::2]), np.ones(10, dtype=bool))
    before, after = run(matrix, RECIPE), run(matrix, RECIPE, reviewed=reviewed)
    alike = faint.part(rows[1::2])
    assert np.median(p_values(after.model, alike)) < np.median(p_values(before.model, alike))


def test_verdicts_on_a_kind_without_a_forest_change_nothing(matrix, verdicts):
    reviewed, _ = verdicts
    strangers = Matrix.of(
        matrix.layout,
        reviewed.matrix.values,
        reviewed.matrix.entity,
        np.full(len(reviewed.matrix), "anonymous"),
        reviewed.matrix.group,
        reviewed.matrix.at,
    )
    candidate = run(matrix, RECIPE, reviewed=Reviewed(strangers, reviewed.true))
    assert candidate.taught.strength == 0
    assert candidate.model.detector("human").lessons is None


def test_a_verdict_is_needed_for_each_window(matrix):
    with pytest.raises(ModelError):
        Reviewed(matrix.part(np.arange(3)), np.zeros(2, dtype=bool))
