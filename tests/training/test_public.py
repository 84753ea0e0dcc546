import numpy as np
import pytest

from models import ModelError
from training.public import compare, compare_folder, load_public


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    for name, shift in (("1_near", 1.5), ("2_far", 4.0)):
        values = np.vstack([random.normal(size=(600, 6)), random.normal(shift, 1, size=(40, 6))])
        np.savez(tmp_path / f"{name}.npz", X=values, y=np.repeat([0, 1], [600, 40]))
    return tmp_path


def test_our_forest_ranks_exactly_as_scikit_learns(folder):
    for comparison in compare_folder(folder):
        assert comparison.difference < 1e-9
        assert comparison.auroc["forest"] == pytest.approx(comparison.auroc["scikit-learn"])


def test_every_set_is_compared_by_name(folder):
    near, far = compare_folder(folder)
    assert (near.name, near.rows, near.columns, near.anomalies) == ("1_near", 640, 6, 40)
    assert set(near.auroc) == set(near.auprc) == {"scikit-learn", "forest", "extended", "both"}
    assert 0.7 < near.auroc["both"] < far.auroc["both"] <= 1.0


def test_the_same_seed_gives_the_same_comparison(folder):
    public = load_public(folder / "1_near.npz")
    assert compare(public, seed=3) == compare(public, seed=3)


@pytest.mark.parametrize(
    "held",
    [
        pytest.param({"X": np.ones((5, 2))}, id="no labels"),
        pytest.param({"X": np.ones((5, 2)), "y": np.zeros(4)}, id="labels of another length"),
        pytest.param({"X": np.ones((5, 2)), "y": np.zeros(5)}, id="no anomaly"),
        pytest.param({"X": np.ones((5, 2)), "y": np.array([0, 1, 2, 0, 0])}, id="a third label"),
        pytest.param({"X": np.full((5, 2), np.nan), "y": np.array([0, 1, 0, 0, 0])}, id="not finite"),
        pytest.param({"X": np.array([{}] * 5), "y": np.array([0, 1, 0, 0, 0])}, id="objects"),
    ],
)
def test_what_is_not_in_the_form_is_refused(tmp_path, held):
    np.savez(tmp_path / "bad.npz", **held)
    with pytest.raises(ModelError, match="bad"):
        load_public(tmp_path / "bad.npz")


def test_a_file_that_is_no_npz_is_refused(tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(ModelError):
        load_public(tmp_path / "bad.npz")
