import json
from dataclasses import replace

import numpy as np
import pytest

from models import ANY, Layout, Model, NotEnoughData
from tests.training.made_up import HOUR_US, office, quick
from training import RECIPES, Matrix, Recipe, run
from training.evaluate import judge_matrix


@pytest.fixture(scope="module")
def matrix():
    return office()


@pytest.fixture(scope="module")
def candidate(matrix):
    return run(matrix, RECIPES["nightly"])


def test_the_same_matrix_recipe_and_seed_give_the_same_bytes(matrix):
    first, second = (run(matrix, quick()).model for _ in range(2))
    assert first.artifact.data == second.artifact.data


def test_who_fitted_which_trees_makes_no_difference(matrix):
    alone, spread = run(matrix, quick(trees=60)), run(matrix, quick(trees=60, jobs=2))
    rows = np.arange(len(matrix))
    assert (
        judge_matrix(alone.model, matrix, rows).tobytes()
        == judge_matrix(spread.model, matrix, rows).tobytes()
    )


def test_another_seed_gives_another_forest(matrix):
    assert run(matrix, quick(seed=1)).model.digest != run(matrix, quick(seed=2)).model.digest


def test_there_is_a_detector_for_each_kind_and_one_for_any(candidate, matrix):
    assert set(candidate.model.detectors) == {*matrix.kinds, ANY}


def test_planted_deviations_are_found_far_better_than_by_a_forest_on_raw_counts(candidate):
    assert candidate.report.recall > 0.7
    assert candidate.report.recall > candidate.report.raw_forest_recall + 0.3


def test_quiet_windows_keep_to_the_promise(candidate):
    assert candidate.report.alerts_a_day <= 3 * candidate.report.threshold.high


def test_the_strangest_calibration_windows_are_named_for_review(candidate, matrix):
    assert len(candidate.to_review) == RECIPES["nightly"].review
    assert len(set(candidate.to_review)) == len(candidate.to_review)
    assert max(candidate.to_review) < len(matrix)


def test_the_card_is_complete_and_plain(candidate, matrix):
    said = json.loads(json.dumps(candidate.card.to_dict()))
    assert said["layout"] == matrix.layout.fingerprint
    assert Recipe.from_dict(said["recipe"]) == RECIPES["nightly"]
    assert said["decision"]["promote"] is True
    assert said["evaluation"]["recall"] == candidate.report.recall
    assert {kind["kind"] for kind in said["kinds"]} == set(candidate.model.detectors)
    assert "planted deviations found" in candidate.card.text()


def test_confirmed_attacks_teach_nothing_and_are_still_found(matrix):
    values = matrix.values.copy()
    attacks = np.argsort(matrix.at)[-40::10]
    values[attacks, :20] += 25.0
    attacked = Matrix.of(matrix.layout, values, matrix.entity, matrix.kind, matrix.group, matrix.at)
    confirmed = np.isin(np.arange(len(matrix)), attacks)
    found = run(attacked, quick(), confirmed=confirmed)
    assert found.card.left_out == found.report.confirmed == len(attacks)
    assert found.report.confirmed_found == len(attacks)
    assert not set(found.to_review) & set(attacks.tolist())


def test_an_equal_champion_gives_way_to_a_fresher_candidate(matrix, candidate):
    following = run(matrix, RECIPES["nightly"], champion=candidate.model)
    assert following.decision.promote
    assert following.steady > 0.7
    assert following.drift.shifted == ()


def test_a_worse_candidate_is_kept_out(matrix, candidate):
    blind = run(matrix, quick(trees=1, samples=2, clip=1.0), champion=candidate.model)
    assert not blind.decision.promote
    assert "Kept the champion" in blind.decision.reason


def test_a_champion_of_other_features_gives_way(matrix, candidate):
    names = [f"other{place}" for place in range(len(matrix.layout))]
    renamed = Matrix.of(Layout.of(names), matrix.values, matrix.entity, matrix.kind, matrix.group, matrix.at)
    following = run(renamed, quick(), champion=candidate.model)
    assert following.decision.promote
    assert "features have changed" in following.decision.reason
    assert following.champion_report is None


def test_features_that_moved_are_named(matrix, candidate):
    values = matrix.values.copy()
    values[:, 2] = values[:, 2] * 9 + 5
    moved = Matrix.of(matrix.layout, values, matrix.entity, matrix.kind, matrix.group, matrix.at)
    drift = run(moved, quick(), champion=candidate.model).drift
    assert {feature for _, feature, _ in drift.shifted} == {"feature2"}
    assert {kind for kind, _, _ in drift.shifted} == set(matrix.kinds)


def test_half_an_hour_of_a_small_log_is_enough_and_says_so():
    small = office(entities=15, windows=20, step_us=HOUR_US // 40, seed=4)
    candidate = run(small, RECIPES["small"])
    stranger = candidate.model.judge_row("human", -1, 0, int(small.at.max()), np.full(24, 40.0))
    assert stranger.score > 0.7
    assert all(kind.calibrated_on for kind in candidate.card.kinds)


def test_a_kind_of_few_windows_has_no_forest_and_the_card_says_so(matrix):
    rare = np.flatnonzero(matrix.kind == "human")[:12]
    kept = np.sort(np.concatenate([rare, np.flatnonzero(matrix.kind != "human")]))
    candidate = run(matrix.part(kept), quick())
    card = next(kind for kind in candidate.card.kinds if kind.kind == "human")
    assert card.channels == ("top_three",)
    assert "no forest" in card.notes[0]
    detector = candidate.model.detector("human")
    assert detector.forest is None
    one = matrix.part(rare)
    wild = one.values[0] + 60.0
    at, group = int(one.at[0]), int(one.group[0])
    assert candidate.model.judge_row("human", int(one.entity[0]), group, at, wild).p_value < 0.01
    again = Model.load(candidate.model.artifact.data)
    assert again.judge_row("human", 5, group, at, wild) == candidate.model.judge_row(
        "human", 5, group, at, wild
    )


def test_too_few_windows_are_refused(matrix):
    with pytest.raises(NotEnoughData, match="Only 12 windows"):
        run(matrix.part(np.arange(12)), quick())


def test_windows_of_a_single_moment_are_still_learned_from(matrix):
    moment = matrix.part(np.arange(60))
    at = np.full(60, int(moment.at[0]))
    once = Matrix.of(moment.layout, moment.values, moment.entity, moment.kind, moment.group, at)
    assert run(once, quick()).report.recall is not None


def test_channels_are_chosen_by_what_they_find(matrix):
    candidate = run(matrix, quick(try_channels=True, planted=200))
    assert "Channels chosen by planted deviations found" in candidate.card.notes[0]
    kept = {kind.channels for kind in candidate.card.kinds}
    assert len(kept) == 1


def test_a_rhythm_is_learned_where_there_is_enough_history():
    long = office(entities=4, windows=700, kinds=("human",))
    hours = (long.at // HOUR_US) % 24
    values = long.values.copy()
    values[:, 0] = np.where((hours >= 9) & (hours < 17), 40.0, 0.0)
    worked = Matrix.of(long.layout, values, long.entity, long.kind, long.group, long.at)
    with_rhythm, without = (run(worked, replace(quick(), rhythm=rhythm)).model for rhythm in (True, False))
    night = int(np.flatnonzero(hours == 3)[-1])
    row = values[night].copy()
    row[0] = 40.0
    who = "human", int(long.entity[night]), int(long.group[night]), int(long.at[night])
    assert with_rhythm.judge_row(*who, row).p_value < without.judge_row(*who, row).p_value
    again = Model.load(with_rhythm.artifact.data)
    assert again.judge_row(*who, row) == with_rhythm.judge_row(*who, row)


def test_progress_is_told_step_by_step(matrix):
    said = []
    run(matrix, quick(), progress=said.append)
    assert said[0] == "learning baselines"
    assert len(said) >= 4
