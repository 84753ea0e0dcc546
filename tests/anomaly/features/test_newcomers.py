"""A known machine as if it had just come: its own past is forgotten, that of the others stays."""

import numpy as np

from anomaly.features.newcomers import newcomer_rows
from anomaly.nightly import gather, matrix_of, newcomers_of
from tests.anomaly.town import MINUTE, PAST, keep, work
from training import RECIPES

ROBOT = "system:serviceaccount:ci:robot"


def gathered(town, since=None):
    with town.database.connection() as connection:
        return gather(connection, town.cluster_id, MINUTE, since, town.now)


def test_people_are_never_taken_for_newcomers(town):
    past = gathered(town)
    _, history = matrix_of(past, RECIPES["small"])

    assert not len(newcomer_rows(past.windows, history, 0, 10**12))


def test_a_machine_is_seen_from_its_beginning_with_its_own_past_forgotten(town):
    keep(town.database, list(work(ROBOT, town.now - PAST * MINUTE, PAST)))
    past = gathered(town)
    matrix, history = matrix_of(past, RECIPES["small"])
    made = newcomers_of(past, history, np.zeros(past.windows.n, dtype=bool), time_scale=1.0)

    own = next(number for number, one in past.entities.items() if one.identity.username == ROBOT)
    assert set(made.matrix.entity.tolist()) == {own}
    assert made.matrix.at.min() >= history.mixes.until_us
    # What it does is what it always did, but to somebody who has never seen it all of it is rare among the others.
    column = matrix.layout.names.index("rarity.three_actions")
    known = matrix.values[(matrix.entity == own) & (matrix.at >= history.mixes.until_us), column]
    assert made.matrix.values[:, column].mean() >= known.mean()


def test_windows_of_confirmed_attacks_are_no_newcomers(town):
    keep(town.database, list(work(ROBOT, town.now - PAST * MINUTE, PAST)))
    past = gathered(town)
    _, history = matrix_of(past, RECIPES["small"])

    assert not len(newcomers_of(past, history, np.ones(past.windows.n, dtype=bool)).matrix)
