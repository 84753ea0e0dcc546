"""When an entity usually works: offsets of phases, what they leave of the variance, and who has a rhythm at all."""

import numpy as np
import pytest

from models.habits import learn_habits
from models.rhythm import HOUR_US, LEAST_WINDOWS, PSEUDO_WINDOWS, learn_rhythm, phase_of

MONDAY = 20_003 * 24 * HOUR_US
"""2024-10-07, a Monday."""


def history(days, entities=1, step=HOUR_US):
    """Works from nine to five on working days: 40 requests an hour then, none otherwise; a second feature is always 3."""
    at = np.tile(MONDAY + np.arange(int(days * 24 * HOUR_US // step)) * step, entities)
    entity = np.repeat(np.arange(1, entities + 1), len(at) // entities)
    phase = phase_of(at)
    busy = (phase >= 9) & (phase < 17)
    values = np.stack([np.where(busy, 40.0, 0.0), np.full(len(at), 3.0)], axis=1).astype(np.float32)
    return values, entity, np.ones(len(at), dtype=np.int64), at


def learned(parts, **options):
    baseline = learn_habits(*parts)
    return baseline, *learn_rhythm(*parts, baseline, np.arange(len(parts[0])), **options)


def test_offsets_follow_the_hours_and_leave_less_variance():
    parts = history(28)
    before, rhythm, after = learned(parts)
    noon, night, sunday = MONDAY + 12 * HOUR_US, MONDAY + 3 * HOUR_US, MONDAY + (6 * 24 + 12) * HOUR_US
    found = rhythm.offsets(np.array([1, 1, 1]), np.array([1, 1, 1]), np.array([noon, night, sunday]))
    # 20 working days: the offset outweighs the pseudo windows by 20 to 8.
    full = np.log1p(40.0) - before.mean[0, 0]
    assert found[0, 0] == pytest.approx(full * 20 / (20 + PSEUDO_WINDOWS), rel=1e-5)
    assert found[0, 0] > 0 > found[1, 0] and found[2, 0] < 0
    assert not found[:, 1].any()
    assert after.variance[0, 0] < 0.3 * before.variance[0, 0]
    assert after.variance[0, 1] == pytest.approx(0.0, abs=1e-12)


def test_what_is_left_of_the_variance_is_that_of_the_distances_to_the_offsets():
    values, entity, group, at = parts = history(28)
    before, rhythm, after = learned(parts)
    apart = np.log1p(values) - before.mean[0]
    plain, left = ((apart - beats).astype(float) for beats in (0.0, rhythm.offsets(entity, group, at)))
    taken = (plain**2).mean(axis=0) - (left**2).mean(axis=0)
    assert before.variance[0] - after.variance[0] == pytest.approx(taken, abs=1e-5)


@pytest.mark.parametrize(
    ("days", "step"),
    [(12, HOUR_US), (3, HOUR_US // 12), (28, 24 * HOUR_US)],
    ids=["days", "many short windows", "few windows"],
)
def test_without_two_weeks_of_windows_there_is_no_rhythm(days, step):
    before, rhythm, after = learned(history(days, step=step))
    assert rhythm is None
    assert after is before


def test_who_has_no_rhythm_of_its_own_follows_the_group_and_strangers_none():
    _, rhythm, _ = learned(history(28, entities=3), most_entities=1)
    noon = np.full(3, MONDAY + 12 * HOUR_US)
    own, groups, stranger = rhythm.offsets(np.array([1, 3, 9]), np.array([1, 1, 7]), noon)
    assert len(rhythm.entities) == 1
    assert groups[0] > own[0] > 0, "a group has more windows, so its offset is shrunk less"
    assert not stranger.any()


def test_one_window_at_a_time_beats_as_many_do():
    values, entity, group, at = history(28, entities=3)
    _, rhythm, _ = learned((values, entity, group, at), most_entities=2)
    for who, peers in ((1, 1), (3, 1), (9, 1), (9, 7)):
        for when in at[: 14 * 24 : 5].tolist():
            many = rhythm.offsets(np.array([who]), np.array([peers]), np.array([when]))[0]
            one = rhythm.beat(who, peers, when)
            assert (one is None and not many.any()) or one.tolist() == many.tolist()


def test_weeks_of_few_windows_are_enough_from_two_a_phase():
    step = 14 * 24 * HOUR_US // LEAST_WINDOWS
    _, rhythm, _ = learned(history(14, step=step))
    assert rhythm is not None
