"""When jobs are due: the same for every replica, in any zone, on days when clocks change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.errors import SettingsInvalid
from anomaly.jobs.schedule import Daily, Every

moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])


@given(moments, st.integers(1, 100_000))
def test_an_interval_is_counted_from_the_epoch_so_that_replicas_agree(now, seconds):
    due = Every(timedelta(seconds=seconds)).last(now)

    assert timedelta(0) <= now - due < timedelta(seconds=seconds)
    assert int(due.timestamp()) % seconds == 0


@given(moments, st.integers(0, 23), st.integers(0, 59), zones)
def test_the_last_daily_time_lies_within_a_day_and_a_bit_and_no_other_lies_between(now, hour, minute, zone):
    daily = Daily(f"{hour:02}:{minute:02}", zone)
    due = daily.last(now)

    assert timedelta(0) <= now - due <= timedelta(hours=49)
    assert daily.trigger().get_next_fire_time(due, due + timedelta(seconds=1)) > now


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-23T02:29:59+00:00", "2026-11-22T02:30:00+00:00"),
        ("2026-11-23T02:30:00+00:00", "2026-11-23T02:30:00+00:00"),
        ("2026-11-23T18:00:00+00:00", "2026-11-23T02:30:00+00:00"),
    ],
    ids=["a second before", "on the second", "hours after"],
)
def test_a_time_counts_from_its_very_second(now, due):
    assert Daily("02:30").last(datetime.fromisoformat(now)) == datetime.fromisoformat(due)


def test_a_time_is_that_of_its_zone_in_summer_and_winter():
    berlin = Daily("02:00", "Europe/Berlin")

    assert berlin.last(datetime(2026, 1, 10, 12, tzinfo=UTC)) == datetime(2026, 1, 10, 1, tzinfo=UTC)
    assert berlin.last(datetime(2026, 7, 10, 12, tzinfo=UTC)) == datetime(2026, 7, 10, 0, tzinfo=UTC)


def test_a_zone_that_there_is_not_is_a_setting_to_mend():
    with pytest.raises(SettingsInvalid, match="Europe/Atlantis"):
        Daily("02:00", "Europe/Atlantis").last(datetime(2026, 1, 1, tzinfo=UTC))


def test_schedules_say_when_in_words():
    assert (str(Daily("02:30", "Europe/Berlin")), str(Every(timedelta(seconds=90)))) == (
        "daily at 02:30 Europe/Berlin",
        "every 1m30s",
    )
