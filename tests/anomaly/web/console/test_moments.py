"""Times on pages."""

from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import Request

from anomaly.web.console.moments import in_utc, lasting, machine, moment, zone_of

AT = datetime(2026, 11, 23, 23, 46, 10, 5000, tzinfo=UTC)


def zone(cookie):
    return zone_of(Request({"type": "http", "headers": [(b"cookie", f"anomaly_zone={cookie}".encode())]}))


def test_times_are_written_in_the_zone_of_the_viewer():
    assert moment(AT, zone("Asia/Shanghai"), "full") == "2026-11-24 07:46:10"
    assert moment(AT, zone("America/New_York"), "short") == "11-23 18:46"
    assert in_utc(AT) == "2026-11-23 23:46:10Z"
    assert machine(AT) == "2026-11-23T23:46:10.005Z"


@pytest.mark.parametrize(
    "cookie", ["", "Nowhere/City", "../../etc/passwd", "/etc/localtime", "x" * 300, "\x00"]
)
def test_a_zone_that_is_none_is_utc(cookie):
    assert zone(cookie) is UTC


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s"),
        (59, "59s"),
        (61, "1m 1s"),
        (3600, "1h"),
        (3_661, "1h 1m"),
        (90_000, "1d 1h"),
        (86_400, "1d"),
    ],
)
def test_a_length_of_time_is_said_with_its_two_largest_units(seconds, said):
    assert lasting(timedelta(seconds=seconds)) == said
