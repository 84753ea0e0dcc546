"""What the alert budget went for, by the days by which a cluster is judged."""

from datetime import timedelta

from anomaly.findings.merge import Days
from anomaly.nightly import judge
from anomaly.store.spending import newest_days, rooms
from anomaly.store.windows import Span
from tests.anomaly import town as build

DAY = timedelta(days=1) / build.SCALE


def test_a_day_has_the_room_that_the_judge_gave_it(town):
    town.keep(*build.theft("amy", town.now - 2 * build.MINUTE))
    judge(town.database, town.judge(), Span(since=town.now - 5 * build.MINUTE))
    with town.database.read() as connection:
        (spent,) = newest_days(connection, None, 10.0)
        room = rooms(connection, [town.cluster_id], 10.0, spent.start, spent.end)
        assert newest_days(connection, frozenset({"elsewhere"}), 10.0) == []
        assert rooms(connection, [], 10.0, spent.start, spent.end) == {}
    assert (spent.cluster, spent.end - spent.start, spent.shown > 0) == (build.CLUSTER, DAY, True)
    assert room == {spent.start.date(): spent.room}


def test_a_day_of_people_has_room_for_all_the_short_ones_in_it(town):
    # Three short days and a bit of a fourth after the training: a third and a half would be one whole day and no other's.
    town.keep(*build.team(town.now + 3 * DAY, 5, seed=3))
    end = town.now + 3 * DAY + 5 * build.MINUTE
    with town.database.read() as connection:
        room = rooms(connection, [town.cluster_id], 10.0, town.now - timedelta(days=400), end)
    assert sum(room.values()) == 3 * 10 + Days(DAY, 10.0, town.now, end - timedelta(seconds=30)).room(
        town.now + 3 * DAY
    )
    assert set(room) <= {(town.now + part * DAY).date() for part in range(4)}
