"""The portrait of one of the town, and the picture of the whole, held against what was kept."""

from collections import Counter
from datetime import UTC, timedelta

import pytest

from anomaly.errors import NotFound
from anomaly.overview import overview
from anomaly.payloads.portrait import listed_payload, portrait_payload
from anomaly.portrait import entities, portrait
from anomaly.query import read
from anomaly.store.search import Asked, count_events
from anomaly.testing import raw_event
from anomaly.windows.dimension import Dimension
from tests.anomaly import town as build


@pytest.fixture(scope="module")
def drawn(postgres, town_built):
    """A town in which amy stole secrets in the last minutes."""
    name, now, cluster_id = town_built
    with postgres.clone(name) as database:
        stolen = build.theft("amy", now - 2 * build.MINUTE)
        build.keep(
            database,
            [
                *stolen,
                raw_event(
                    "pods", "get", by="amy", groups=build.TEAM, code=404, at=now - timedelta(seconds=90)
                ),
            ],
        )
        with database.read() as connection:
            one = portrait(
                connection, cluster_id, "town", "amy", now - 5 * build.MINUTE, now, build.MINUTE, now, UTC
            )
            yield database, now, cluster_id, one


def test_now_is_counted_as_the_events_are(drawn):
    database, now, _, one = drawn
    with database.read() as connection:
        span = f"time:{one.since:%Y-%m-%dT%H:%M:%SZ}..{one.until - timedelta(microseconds=1):%Y-%m-%dT%H:%M:%S.%fZ}"
        count, _ = count_events(connection, Asked(read(f"user:amy {span}"), now))
        secrets, _ = count_events(connection, Asked(read(f"user:amy resource:secrets {span}"), now))
    assert one.requests == count > 20
    habits = {habit.text: habit for habit in one.habits[Dimension.RESOURCE]}
    assert habits["secrets"].now == secrets == 20
    assert habits["secrets"].usual is None
    assert 10 < habits["pods"].usual < 80


def test_it_says_who_this_is_and_whom_it_is_compared_with(drawn):
    _, _, _, one = drawn
    assert (one.kind.value, set(one.groups)) == ("human", set(build.TEAM))
    assert set(one.peers.members) == set(build.PEOPLE) - {"amy"}
    verbs = {habit.text: habit for habit in one.habits[Dimension.VERB]}
    assert verbs["list"].peers > 0.5 and sum(habit.share for habit in verbs.values()) == pytest.approx(1)


def test_what_is_new_is_told(drawn):
    _, _, _, one = drawn
    told = {(first.dimension, first.text) for first in one.firsts}
    assert (Dimension.ACTION, "get secrets") in told and (Dimension.SECRET, "db/s3") in told
    assert all(first.for_cluster for first in one.firsts if first.dimension is Dimension.SECRET)
    assert (Dimension.ACTION, "list pods") not in told


def test_the_rhythm_holds_every_request(drawn):
    database, now, _, one = drawn
    with database.read() as connection:
        count, _ = count_events(connection, Asked(read("user:amy"), now))
    assert sum(map(sum, one.rhythm)) == count
    assert len(one.rhythm) == 7 and {len(day) for day in one.rhythm} == {24}


def test_risk_rises_with_what_was_found_and_says_why(town):
    town.keep(*build.theft("amy", town.now - 2 * build.MINUTE))
    from anomaly.nightly import judge
    from anomaly.store.windows import Span

    judge(town.database, town.judge(), Span(since=town.now - 5 * build.MINUTE))
    with town.database.read() as connection:
        one = portrait(connection, town.cluster_id, "town", "amy", None, None, build.MINUTE, town.now, UTC)
        found = entities(
            connection, {town.cluster_id: "town"}, town.now - timedelta(days=1), town.now + timedelta(hours=1)
        )
    assert one.risk.value > 0 and one.findings
    assert found[0].risk == pytest.approx(one.risk.value, rel=0.02)
    assert one.risks[0][1] <= one.risks[-1][1] == pytest.approx(one.risk.value)
    assert {part.mark.id for part in one.risk.parts} <= {str(judged.finding.id) for judged in one.findings}
    assert found[0].username == "amy" and found[0].why
    assert {listed.username for listed in found} == set(build.PEOPLE)
    assert portrait_payload(one)["risk"] == pytest.approx(one.risk.value, abs=0.06)
    assert listed_payload(found[0])["entity"] == "amy"


def test_a_stranger_is_said_to_be_one(drawn):
    database, now, cluster_id, _ = drawn
    with database.read() as connection, pytest.raises(NotFound, match="nobody"):
        portrait(connection, cluster_id, "town", "nobody", None, None, build.MINUTE, now, UTC)


def test_a_list_is_narrowed_by_name_and_time(drawn):
    database, now, cluster_id, _ = drawn
    with database.read() as connection:
        there = {cluster_id: "town"}
        assert [
            one.username for one in entities(connection, there, now - timedelta(hours=3), now, text="BO")
        ] == ["bob"]
        assert entities(connection, there, now - timedelta(days=9), now - timedelta(days=8)) == []


def test_the_pictures_of_a_time_add_up(drawn):
    database, now, cluster_id, _ = drawn
    with database.read() as connection:
        found = overview(
            connection, {cluster_id: "town"}, now - timedelta(minutes=30), now, build.MINUTE, now, resources=1
        )
        span = f"time:{found.since:%Y-%m-%dT%H:%M:%SZ}..{found.until - timedelta(microseconds=1):%Y-%m-%dT%H:%M:%S.%fZ}"
        whole, _ = count_events(connection, Asked(read(span), now))
        errors, _ = count_events(connection, Asked(read(f"code:>=400 {span}"), now))
    assert found.requests == sum(one.count for one in found.users) == whole > 100
    assert sum(one.count for one in found.resources) == whole
    assert Counter(one.label for one in found.resources)[""] <= 1
    assert sum(one.requests for one in found.moments) == whole
    assert sum(one.failed + one.refused for one in found.moments) == errors == 1
    assert (found.step, len(found.moments), found.one_of) == (build.MINUTE, 30, 1)
    assert [one.cluster for one in found.arrivals] == ["town"]


def test_a_time_in_which_nothing_came_is_a_picture_too(database):
    from anomaly.testing import START

    with database.read() as connection:
        found = overview(connection, {}, None, None, timedelta(hours=1), START)
    assert (found.requests, found.users, found.resources, found.latest) == (0, (), (), ())
    assert len(found.moments) == 24


def test_a_list_says_when_its_requests_are_estimated(drawn):
    database, now, cluster_id, _ = drawn
    with database.read() as connection:
        there = {cluster_id: "town"}
        since = now - timedelta(days=1)
        counted = entities(connection, there, since, now)
        estimated = entities(connection, there, since, now, most_windows=20)
    assert {one.one_of for one in counted} == {1} == {listed_payload(one)["one_of"] for one in counted}
    assert all(one.one_of > 1 and one.requests % one.one_of == 0 for one in estimated)
    assert estimated and listed_payload(estimated[0])["one_of"] == estimated[0].one_of
