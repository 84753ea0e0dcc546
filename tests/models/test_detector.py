import threading

import numpy as np
import pytest

from models import Batch, Model, ModelError
from tests.training.made_up import office, quick
from training import run


def everything(matrix):
    return matrix.values, matrix.kind, matrix.entity, matrix.group, matrix.at


def row(matrix, place):
    kind, entity, group, at = matrix.kind[place], matrix.entity[place], matrix.group[place], matrix.at[place]
    return str(kind), int(entity), int(group), int(at), matrix.values[place]


def test_one_window_is_judged_as_it_is_among_many(model, matrix):
    many = model.judge(*everything(matrix))
    for place in range(600):
        one = model.judge_row(*row(matrix, place))
        assert one.statistic == pytest.approx(many.statistic[place], abs=1e-9)
        assert one.p_value == pytest.approx(many.p_value[place], rel=1e-9)
        assert one.score == pytest.approx(many.score[place], abs=1e-9)
        assert one.confidence == pytest.approx(many.confidence[place], abs=1e-12)


def test_scores_lie_between_0_and_1_and_rise_as_p_falls(model, matrix):
    many = model.judge(*everything(matrix))
    order = np.argsort(many.p_value)
    assert many.score.min() >= 0
    assert many.score.max() < 1
    assert np.all(np.diff(many.score[order]) <= 0)


def test_a_model_saved_and_loaded_gives_the_same_bytes(model, matrix):
    again = Model.load(model.artifact.data, model.digest)
    ours, theirs = model.judge(*everything(matrix)), again.judge(*everything(matrix))
    assert ours.statistic.tobytes() == theirs.statistic.tobytes()
    assert ours.p_value.tobytes() == theirs.p_value.tobytes()
    assert again.digest == model.digest
    assert again.card == model.card


def test_a_card_with_a_champions_drift_survives_saving(model, matrix):
    following = run(matrix, quick(), champion=model)
    assert following.card.drift
    assert Model.load(following.model.artifact.data).card == following.card


def test_several_workers_give_the_same_bytes(model, matrix):
    rows = np.tile(np.arange(len(matrix)), 6)
    parts = [part[rows] for part in everything(matrix)]
    assert model.judge(*parts, 2).statistic.tobytes() == model.judge(*parts, 1).statistic.tobytes()


def test_threads_sharing_a_model_do_not_disturb_one_another(model, matrix):
    expected = [model.judge_row(*row(matrix, place)) for place in range(200)]
    wrong = []

    def check():
        wrong.extend(p for p in range(200) if model.judge_row(*row(matrix, p)) != expected[p])

    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_stranger_is_judged_by_its_peers_from_the_first_window(model, matrix):
    kind, _, group, at, values = row(matrix, 0)
    quiet = model.judge_row(kind, -1, group, at, values)
    loud = model.judge_row(kind, -1, group, at, np.where(values == 0, 50.0, values))
    assert quiet.confidence == loud.confidence == 0.0
    assert loud.score > 0.8 > quiet.score


def test_a_kind_never_seen_is_judged_by_all_kinds_together(model, matrix):
    _, entity, group, at, values = row(matrix, 0)
    wild = model.judge_row("anonymous", entity, group, at, values + 200.0)
    assert wild.score > model.judge_row("anonymous", entity, group, at, values).score
    assert wild.p_value < 0.01


def test_what_is_never_done_stands_out_more_than_more_of_the_same(model, matrix):
    place = int(np.flatnonzero(matrix.values[:, :20].max(axis=1) > 5)[0])
    kind, entity, group, at, values = row(matrix, place)
    more = values * 1.2
    other = values.copy()
    other[np.flatnonzero(values[:20] == 0)[:3]] = 8.0
    assert model.judge_row(kind, entity, group, at, other).p_value < 0.02
    assert model.judge_row(kind, entity, group, at, more).p_value > 0.02


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(model, matrix, bad):
    kind, entity, group, at, values = row(matrix, 0)
    values = values.copy()
    values[2] = bad
    with pytest.raises(ModelError, match="finite"):
        model.judge_row(kind, entity, group, at, values)
    with pytest.raises(ModelError, match="finite"):
        model.judge(values[None], *(np.array([one]) for one in (kind, entity, group, at)))


def test_another_number_of_features_is_refused(model, matrix):
    kind, entity, group, at, values = row(matrix, 0)
    with pytest.raises(ModelError, match="24 features"):
        model.judge_row(kind, entity, group, at, values[:-1])
    with pytest.raises(ModelError, match="24 features"):
        model.detector(kind).judge(Batch(values[None, :-1], *(np.array([n]) for n in (entity, group, at))))


def test_no_windows_have_no_judgements(model, matrix):
    assert len(model.judge(*(part[:0] for part in everything(matrix))).score) == 0


@pytest.mark.parametrize("view", ["features", "families"])
@pytest.mark.parametrize("channels", [("forest",), ("top_three",), ("forest", "extended", "top_three")])
def test_every_view_and_set_of_channels_judges_one_window_as_many(view, channels):
    from models import Channel
    from models.relative import View

    matrix = office(entities=8, windows=60)
    recipe = quick(view=View(view), channels=tuple(Channel(name) for name in channels))
    model = Model.load(run(matrix, recipe).model.artifact.data)
    many = model.judge(*everything(matrix))
    for place in range(40):
        assert model.judge_row(*row(matrix, place)).statistic == pytest.approx(
            many.statistic[place], abs=1e-9
        )
