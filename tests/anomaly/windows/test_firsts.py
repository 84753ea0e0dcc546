import numpy as np

from anomaly.windows.firsts import NEVER, Firsts


def test_of_several_sightings_the_earliest_counts():
    firsts = Firsts.of(np.array([2, 1, 2]), np.array([7, 7, 7]), np.array([50, 40, 30]))

    assert firsts.of_entity(np.array([1, 2]), np.array([7, 7])).tolist() == [40, 30]


def test_what_was_not_seen_is_never():
    firsts = Firsts.of(np.array([1]), np.array([7]), np.array([40]))

    assert firsts.of_entity(np.array([1, 9]), np.array([8, 7])).tolist() == [NEVER, NEVER]
    assert Firsts.none().of_cluster(np.array([7])).tolist() == [NEVER]


def test_an_entity_begins_with_its_earliest_term():
    firsts = Firsts.of(np.array([1, 1, 3]), np.array([7, 8, 7]), np.array([40, 20, 90]))

    assert firsts.began(np.array([1, 2, 3])).tolist() == [20, NEVER, 90]
