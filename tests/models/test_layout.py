import pytest

from models import Feature, Layout, LayoutMismatch, ModelError, Treatment


def layout(*names):
    return Layout.of(names, families=["volume"] * len(names))


def test_the_same_columns_have_the_same_fingerprint():
    assert layout("requests", "denied").fingerprint == layout("requests", "denied").fingerprint


def test_a_reworded_reason_keeps_the_fingerprint():
    plain = Layout((Feature("requests", "count", "volume", "how busy"),))
    reworded = Layout((Feature("requests", "count", "volume", "how much was asked for"),))
    assert plain.fingerprint == reworded.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(layout("denied", "requests"), id="another order"),
        pytest.param(layout("requests"), id="one less"),
        pytest.param(layout("requests", "denied", "secrets"), id="one more"),
        pytest.param(Layout.of(["requests", "denied"], units=["s", "count"]), id="another unit"),
        pytest.param(
            Layout(
                tuple(Feature(n, "count", "volume", "", Treatment.CONTEXT) for n in ("requests", "denied"))
            ),
            id="another treatment",
        ),
    ],
)
def test_other_columns_are_refused(other):
    with pytest.raises(LayoutMismatch):
        layout("requests", "denied").require(other)


def test_the_refusal_names_the_features():
    with pytest.raises(LayoutMismatch, match="missing denied; unknown secrets"):
        layout("requests", "denied").require(layout("requests", "secrets"))


def test_an_equal_layout_is_let_through():
    layout("requests", "denied").require(layout("requests", "denied"))


def test_a_feature_named_twice_is_refused():
    with pytest.raises(ModelError, match="requests"):
        layout("requests", "requests")


def test_novelty_and_rarity_are_surprises_and_the_rest_is_relative():
    made = Layout.of(["a", "b", "c"], families=["novelty", "rarity", "volume"])
    assert [f.treatment for f in made] == [Treatment.SURPRISE, Treatment.SURPRISE, Treatment.RELATIVE]


def test_rows_rebuild_the_layout():
    made = Layout.of(["a", "b"], ["count", "nats"], ["volume", "rarity"], ["busy", "odd"])
    assert Layout.from_rows(made.rows()) == made
