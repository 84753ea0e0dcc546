import numpy as np
import pytest

from models import ModelError, OnlineDiscovery, benjamini_hochberg
from models.discovery import firm


def stream(random, quiet, strange):
    p_values = np.concatenate([random.uniform(size=quiet), random.uniform(0, 1e-6, size=strange)])
    attack = np.repeat([False, True], [quiet, strange])
    order = random.permutation(len(p_values))
    return p_values[order], attack[order]


def false_share(shown, attack):
    return (shown & ~attack).sum() / max(shown.sum(), 1)


def test_at_most_the_rate_of_those_shown_is_quiet():
    random = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        p_values, attack = stream(random, 500, 20)
        shown = benjamini_hochberg(p_values, 0.1)
        assert shown[attack].all()
        shares.append(false_share(shown, attack))
    assert np.mean(shares) < 0.11


def test_one_after_another_at_most_the_rate_of_those_shown_is_quiet():
    random = np.random.default_rng(1)
    shares, found = [], []
    for _ in range(60):
        p_values, attack = stream(random, 400, 20)
        discovery = OnlineDiscovery(0.1)
        shown = np.array([discovery.show(float(p)) for p in p_values])
        shares.append(false_share(shown, attack))
        found.append(shown[attack].mean())
    assert np.mean(shares) < 0.1
    assert np.mean(found) > 0.9


def test_only_quiet_windows_show_hardly_anything():
    random = np.random.default_rng(2)
    assert np.mean([benjamini_hochberg(random.uniform(size=300), 0.1).any() for _ in range(200)]) < 0.15


def test_a_find_earns_the_right_to_look_at_more():
    discovery = OnlineDiscovery(0.1)
    for _ in range(50):
        discovery.show(0.9)
    before = discovery.level()
    discovery.show(1e-9)
    assert discovery.level() > before


def test_no_windows_show_nothing():
    assert benjamini_hochberg(np.zeros(0), 0.1).tolist() == []


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
def test_an_impossible_rate_is_refused(rate):
    with pytest.raises(ModelError):
        benjamini_hochberg(np.array([0.5]), rate)


def test_the_strangest_alone_are_marked_as_among_all():
    random = np.random.default_rng(3)
    for _ in range(50):
        p_values, _ = stream(random, 500, 20)
        strangest = np.sort(p_values)[:60]

        assert firm(strangest, 520, 0.1).sum() == benjamini_hochberg(p_values, 0.1).sum()


def test_the_more_windows_were_looked_at_the_less_stands_out():
    p_values = np.array([1e-4, 1e-3, 5e-3])

    assert [int(firm(p_values, among, 0.1).sum()) for among in (3, 60, 500, 5_000)] == [3, 3, 1, 0]
