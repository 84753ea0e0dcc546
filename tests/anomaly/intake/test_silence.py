"""When a pause is a silence, and when it is only quiet."""

from datetime import UTC, datetime, timedelta

import pytest

from anomaly.intake.silence import Presence, silence

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
LEAST = timedelta(minutes=10)
ALWAYS = (1 << 60) - 1


def steady(hours, events=600, minutes=ALWAYS, start=START):
    return [Presence(start + place * HOUR, events, minutes) for place in range(hours)]


def test_a_steady_cluster_that_stops_is_silent():
    found = silence(steady(24), START + timedelta(hours=24, minutes=12), LEAST)
    assert found is not None
    assert found.since == START + 24 * HOUR
    assert found.expected == pytest.approx(120, rel=0.1)


@pytest.mark.parametrize(
    ("history", "after"),
    [
        pytest.param(steady(24), timedelta(minutes=9), id="not long enough"),
        pytest.param([], timedelta(hours=5), id="never heard of"),
        pytest.param(steady(24, events=2, minutes=1), timedelta(hours=5), id="one event an hour in life"),
        pytest.param(steady(1, events=5), timedelta(hours=5), id="hardly known"),
        pytest.param(
            steady(1, minutes=0b111), timedelta(hours=5), id="three minutes of life, as a file read in"
        ),
    ],
)
def test_it_stays_quiet(history, after):
    assert silence(history, START + len(history) * HOUR + after, LEAST) is None


def test_a_cluster_that_always_was_idle_stays_quiet():
    """A burst of ten events every six hours: five hours of nothing are as usual."""
    history = [Presence(START + 6 * place * HOUR, 10, 1) for place in range(40)]
    last = history[-1].hour
    assert silence(history, last + 5 * HOUR, LEAST) is None
    assert silence(history, last + 11 * HOUR, LEAST) is None


def test_a_cluster_that_sleeps_at_night_is_quiet_at_night_and_silent_by_day():
    history = [
        Presence(START + place * HOUR, 600, ALWAYS)
        for place in range(24 * 20)
        if 7 <= place % 24 < 19 and (place // 24) % 7 < 5
    ]
    friday_evening = START + timedelta(days=18, hours=19)
    assert silence(history, friday_evening + 8 * HOUR, LEAST) is None
    assert silence(history, START + timedelta(days=21, hours=6), LEAST) is None
    # Weekends are the usual longest pause; by Wednesday noon it is more than twice that.
    assert silence(history, START + timedelta(days=25, hours=12), LEAST) is not None


def test_one_outage_does_not_make_outages_usual():
    before = steady(48)
    after = steady(24, start=START + 60 * HOUR)
    assert silence([*before, *after], START + 84 * HOUR + timedelta(minutes=15), LEAST) is not None


def test_what_came_after_the_moment_asked_about_does_not_count():
    history = steady(48)
    gap = [one for one in history if not 24 <= (one.hour - START) / HOUR < 26]
    assert silence(gap, START + timedelta(hours=25, minutes=30), LEAST) is not None
