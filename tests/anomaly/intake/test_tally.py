"""Tallies add up in any order."""

from datetime import UTC, datetime, timedelta

from anomaly.intake.tally import Tally, total

EARLY, LATE = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC)


def test_counts_add_times_reach_and_minutes_join():
    one = Tally(
        kept=3, first_event=LATE, last_event=LATE, minutes=0b01, least_lag_us=-5_000_000, most_lag_us=7
    )
    other = Tally(kept=4, first_event=EARLY, last_event=EARLY, minutes=0b10, least_lag_us=3, most_lag_us=9)
    both = one + other
    assert both == other + one
    assert (both.kept, both.first_event, both.last_event, both.minutes) == (7, EARLY, LATE, 0b11)
    assert both.ahead == timedelta(seconds=5)
    assert both.lag_max == timedelta(microseconds=9)


def test_nothing_adds_nothing():
    one = Tally(kept=3, first_event=LATE)
    assert total([one, Tally()]) == one == total([Tally(), one])
    assert total([]) == Tally()
    assert Tally().ahead is None and Tally().lag_p99 is None
