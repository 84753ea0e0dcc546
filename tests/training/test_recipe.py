import json

import pytest

from models import Channel, ModelError
from training import RECIPES, Recipe


def test_a_recipe_survives_its_card():
    for recipe in RECIPES.values():
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_names_are_those_of_the_presets():
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {name: name for name in RECIPES}


def test_an_unknown_name_is_refused():
    with pytest.raises(ModelError, match="no forest_size"):
        Recipe.from_dict({"forest_size": 5})


@pytest.mark.parametrize(
    "changes",
    [
        {"fit_share": 0.0},
        {"fit_share": 0.8, "calibrate_share": 0.3},
        {"trees": 0},
        {"samples": 1},
        {"fall_weight": 1.5},
        {"channels": ()},
        {"loud_share": 0.0},
    ],
)
def test_values_out_of_range_are_refused(changes):
    with pytest.raises(ModelError, match="out of range"):
        Recipe(**changes)


def test_promised_defaults():
    recipe = RECIPES["nightly"]
    assert (recipe.trees, recipe.samples, recipe.fit_share, recipe.calibrate_share) == (100, 256, 0.6, 0.25)
    assert recipe.channels == (Channel.FOREST, Channel.TOP_THREE)
    assert (recipe.shrinkage.pseudo_windows, recipe.shrinkage.scale_floor, recipe.clip) == (30.0, 0.3, 30.0)
    assert recipe.budget.per_day == 10
