"""Newcomers of a kind are ranked among known ones as if these had just come; everybody else as before."""

from dataclasses import replace

import numpy as np
import pytest

from models import Model
from tests.training.made_up import office, quick
from training import run
from training.newcomers import Newcomers

MACHINE = "serviceaccount"


@pytest.fixture(scope="module")
def matrix():
    return office(kinds=("human", MACHINE))


@pytest.fixture(scope="module")
def trained(matrix):
    late = np.flatnonzero((matrix.kind == MACHINE) & (matrix.at > np.median(matrix.at)))
    return run(matrix, quick(), newcomers=Newcomers(matrix.part(late), (MACHINE, "node"))).model


def judged(model, matrix, kind, entity):
    rows = np.flatnonzero(matrix.kind == kind)[:50]
    who = np.full(len(rows), entity)
    return model.judge(
        matrix.values[rows], np.full(len(rows), kind), who, matrix.group[rows], matrix.at[rows]
    )


def test_a_newcomer_of_such_a_kind_is_ranked_among_newcomers(trained, matrix):
    plain = replace(trained, newcomers={})
    ours, theirs = (judged(model, matrix, MACHINE, 999_999) for model in (trained, plain))

    assert np.array_equal(ours.statistic, theirs.statistic)
    assert np.allclose(ours.p_value, trained.newcomers[MACHINE].p_values(ours.statistic))
    assert ours.p_value.mean() > theirs.p_value.mean()


def test_known_ones_and_people_are_judged_as_before(trained, matrix):
    plain = replace(trained, newcomers={})
    known = int(matrix.entity[matrix.kind == MACHINE][0])

    for kind, entity in ((MACHINE, known), ("human", 999_999)):
        ours, theirs = (judged(model, matrix, kind, entity) for model in (trained, plain))
        assert np.array_equal(ours.p_value, theirs.p_value)


def test_a_kind_never_seen_is_ranked_among_the_newcomers_of_all_kinds(trained, matrix):
    assert "node" not in trained.detectors
    assert trained.newcomers["node"].count == trained.newcomers[MACHINE].count
    assert np.isfinite(judged(trained, matrix, "node", 5).p_value).all()


def test_one_window_and_its_explanation_agree_with_many(trained, matrix):
    row = int(np.flatnonzero(matrix.kind == MACHINE)[0])
    place = MACHINE, 999_999, int(matrix.group[row]), int(matrix.at[row]), matrix.values[row]
    many = judged(trained, matrix, MACHINE, 999_999).p_value[0]

    assert trained.judge_row(*place).p_value == pytest.approx(many, rel=1e-6)
    assert trained.explain(*place).p_value == pytest.approx(many, rel=1e-6)


def test_it_is_kept_with_the_model_and_said_on_the_card(trained, matrix):
    loaded = Model.load(trained.artifact.data, trained.digest)

    assert loaded.digest == trained.digest
    assert np.array_equal(
        judged(loaded, matrix, MACHINE, 999_999).p_value, judged(trained, matrix, MACHINE, 999_999).p_value
    )
    assert any(note.startswith("Newcomers are ranked") for note in trained.card.notes)


def test_too_few_windows_make_no_scale(matrix):
    few = np.flatnonzero(matrix.kind == MACHINE)[:5]

    assert run(matrix, quick(), newcomers=Newcomers(matrix.part(few), (MACHINE,))).model.newcomers == {}
