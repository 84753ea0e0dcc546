"""When a policy visibly changed, and when people only went home."""

from datetime import UTC, datetime, timedelta

import pytest

from anomaly.intake.arriving import Arriving
from anomaly.intake.shift import Shift, shifts

START = datetime(2026, 3, 2, tzinfo=UTC)


def past(hours=48, **counts):
    """Each hour the same; counts by level, as Request=20."""
    return [
        (START + timedelta(hours=hour), Arriving("create", "pods", level, "ResponseComplete", count))
        for hour in range(hours)
        for level, count in counts.items()
    ]


def now(level="Metadata", events=100, stage="ResponseComplete", verb="create"):
    return [Arriving(verb, "pods", level, stage, events)]


def test_a_level_that_always_came_and_is_gone_is_a_change():
    (found,) = shifts(past(Request=20), now())
    assert found == Shift("create", "pods", "level", "Request", "Metadata", 100)
    assert found.sentence == (
        "create pods used to arrive at level Request, and the last 100 came at level Metadata only"
    )


@pytest.mark.parametrize(
    ("before", "present"),
    [
        pytest.param(past(Request=20), now("Request"), id="as before"),
        pytest.param(past(Request=20), now("RequestResponse"), id="more than before"),
        pytest.param(past(Request=20), now(events=29), id="too few to tell"),
        pytest.param(past(hours=23, Request=20), now(), id="not known for a day"),
        pytest.param(
            past(Request=1, Metadata=19), now(events=100), id="rare, and none among a hundred is chance"
        ),
        pytest.param(
            [*past(Request=20), *past(hours=60, Metadata=20)], now(), id="hours without it are usual"
        ),
        pytest.param(past(Request=20), now(verb="delete"), id="another verb"),
        pytest.param(past(Request=4), now(), id="too few in each hour"),
        pytest.param([], now(), id="no past"),
        pytest.param(past(Request=20), [], id="nothing now"),
    ],
)
def test_it_stays_quiet(before, present):
    assert shifts(before, present) == []


def test_a_share_that_is_gone_is_a_change_once_enough_came_without_it():
    before = past(Request=1, Metadata=19)
    assert shifts(before, now(events=300)) == []
    assert [one.was for one in shifts(before, now(events=500))] == ["Request"]


def test_a_stage_that_is_gone_is_a_change():
    received = [
        (hour, Arriving(one.verb, one.resource, one.level, "RequestReceived", one.events))
        for hour, one in past(Metadata=20)
    ]
    (found,) = shifts([*past(Metadata=20), *received], now())
    assert (found.what, found.was, found.now) == ("stage", "RequestReceived", "ResponseComplete")
