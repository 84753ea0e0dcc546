"""Starts of API servers, told by what their own client asks for."""

from datetime import timedelta

from anomaly.events.decode import decode_lines
from anomaly.rules import RuleSet
from anomaly.store.arriving import restarts
from anomaly.store.clusters import ensure_cluster
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from tests.anomaly.store.state import HOUR_US


def asked(at, resources, verb="watch", by="system:apiserver"):
    return [raw_event(f"kind{number}", verb, by=by, at=at + number / 10) for number in range(resources)]


def test_a_start_is_many_resources_watched_within_seconds(database):
    events = [
        *asked(60, 20),
        # As long as it runs, watches end and begin again, one at a time.
        *(one for minute in range(5, 30) for one in asked(60 * minute, 1)),
        *asked(40 * 60, 20, verb="get"),
        *asked(50 * 60, 20, by="alice@example.com"),
        *asked(60 * 60, 14),
        *asked(70 * 60, 16, verb="list"),
    ]
    with database.begin() as connection:
        clusters = [ensure_cluster(connection, name) for name in ("prod", "test")]
    writer = Writer(database.dedicated, RuleSet(()), HOUR_US)
    writer.write([Arrival(clusters[0], "t", decode_lines(b"\n".join(events)))])
    writer.close()
    hours = timedelta(hours=1), timedelta(hours=2)
    with database.connection() as connection:
        found = restarts(connection, clusters[0], START, START + hours[1])
        assert [round((one - START).total_seconds()) for one in found] == [60, 70 * 60]
        assert restarts(connection, clusters[0], START + hours[0], START + hours[1]) == found[1:]
        assert restarts(connection, clusters[1], START, START + hours[1]) == []
