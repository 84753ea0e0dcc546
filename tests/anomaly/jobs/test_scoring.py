"""How long scoring rests between looks: news wait for the rest and the look together."""

import pytest

from anomaly.jobs.scoring import pause_after


@pytest.mark.parametrize("took", [0.0, 0.2, 0.9, 1.0, 4.0, 60.0])
def test_a_long_look_is_followed_by_a_short_rest_and_there_always_is_one(took):
    assert 0.5 <= pause_after(took, 1.0) <= 1.0
    assert took + pause_after(took, 1.0) >= 1.0
