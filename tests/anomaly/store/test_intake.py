"""The account of what came in: exact, in the transaction of the events, and the same whoever wrote it."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from anomaly.events.decode import decode_lines
from anomaly.events.key import microseconds
from anomaly.intake.tally import total
from anomaly.store.clusters import ensure_cluster
from anomaly.store.intake import Sent, add_refusals, forget_bodies, hours_of, join_lanes
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from anomaly.web.server import clock as present
from tests.anomaly.store.state import HOUR_US, only

LONG_AGO, FAR = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def cluster(database):
    with database.begin() as connection:
        return ensure_cluster(connection, "prod")


@pytest.fixture
def writer(database):
    writer = Writer(database.dedicated, only("request-refused"), HOUR_US)
    yield writer
    writer.close()


def batch(*seconds, **given):
    return b"\n".join(raw_event(at=second, **given) for second in seconds)


def arrival(cluster, data, at=START, source="webhook"):
    decoded = decode_lines(data)
    return Arrival(cluster, source, decoded, (Sent(len(decoded.events), len(data), microseconds(at)),))


def account(database, cluster):
    with database.connection() as connection:
        return total(one.tally for one in hours_of(connection, cluster, LONG_AGO, FAR))


def test_it_counts_what_the_receipts_say(database, writer, cluster):
    receipts = [
        *writer.write([arrival(cluster, batch(0, 1, 2) + b"\n{]")]),
        *writer.write([arrival(cluster, batch(2, 3))]),
    ]
    found = account(database, cluster)
    assert found.kept == sum(one.kept for one in receipts) == 4
    assert found.duplicates == sum(one.duplicates for one in receipts) == 1
    assert found.quarantined == sum(one.quarantined for one in receipts) == 1
    assert found.batches == 2 and found.bytes > 1_000
    assert found.first_event == START + timedelta(milliseconds=4)
    assert found.last_event == START + timedelta(seconds=3, milliseconds=4)


def test_a_batch_that_comes_again_is_a_retry_and_the_same_events_by_another_road_are_not(
    database, writer, cluster
):
    data = batch(0, 1)
    writer.write([arrival(cluster, data)])
    writer.write([arrival(cluster, data)])
    writer.write([arrival(cluster, data), arrival(cluster, data)])
    assert account(database, cluster).retries == 3
    writer.write([arrival(cluster, batch(1, 0))])
    writer.write([arrival(cluster, batch(0))])
    found = account(database, cluster)
    assert (found.retries, found.duplicates, found.kept) == (3, 9, 2)


def test_a_retry_is_told_by_cluster(database, writer, cluster):
    with database.begin() as connection:
        other = ensure_cluster(connection, "other")
    writer.write([arrival(cluster, batch(0)), arrival(other, batch(0))])
    assert account(database, cluster).retries == account(database, other).retries == 0


def test_batches_are_forgotten_after_their_time(database, writer, cluster):
    writer.write([arrival(cluster, batch(0))])
    with database.connection() as connection:
        assert forget_bodies(connection, present()) == 0
        assert forget_bodies(connection, present() + timedelta(hours=2)) == 1
    writer.write([arrival(cluster, batch(0))])
    assert account(database, cluster).retries == 0


def test_lag_and_clocks_are_held_against_the_time_of_the_stage(database, writer, cluster):
    writer.write([arrival(cluster, batch(0, 20), at=START + timedelta(seconds=30))])
    found = account(database, cluster)
    assert found.lag_max == timedelta(seconds=30, milliseconds=-4)
    assert found.ahead is None and found.live == 2 and found.minutes.bit_count() == 1
    writer.write([arrival(cluster, batch(60), at=START + timedelta(seconds=45))])
    assert account(database, cluster).ahead == timedelta(seconds=15, milliseconds=4)


def test_old_events_are_not_live(database, writer, cluster):
    writer.write([arrival(cluster, batch(0, 1), at=START + timedelta(days=3), source="audit.log")])
    found = account(database, cluster)
    assert (found.kept, found.live, found.minutes) == (2, 0, 0)


def test_what_the_api_server_cut_off_is_counted(database, writer, cluster):
    cut = batch(0, annotations={"audit.k8s.io/truncated": "true"})
    agent = batch(1, agent="x" * 1_024 + "...TRUNCATED")
    writer.write([arrival(cluster, b"\n".join([cut, agent, batch(2)]))])
    found = account(database, cluster)
    assert (found.truncated, found.cut_agents) == (1, 1)


def test_nothing_is_counted_of_what_is_not_kept(database, writer, cluster):
    def fail(*_):
        raise psycopg.errors.DiskFull("no")

    with pytest.raises(psycopg.errors.DiskFull):
        writer.write([arrival(cluster, batch(0))], also=fail)
    assert account(database, cluster) == total([])


def test_writers_do_not_wait_for_each_other_and_their_rows_are_joined(database, writer, cluster):
    other = Writer(database.dedicated, only("request-refused"), HOUR_US)
    done = threading.Event()

    def hold(*_):
        thread = threading.Thread(target=lambda: (other.write([arrival(cluster, batch(7))]), done.set()))
        thread.start()
        assert done.wait(30), "the second writer waited for the first"

    # Firsts are the one thing they can wait for each other about: all of them are known by then.
    writer.write([arrival(cluster, batch(0))])
    writer.write([arrival(cluster, batch(9))], also=hold)
    other.close()
    before = account(database, cluster)
    assert before.kept == 3
    with database.connection() as connection:
        assert join_lanes(connection, FAR) == 2
        assert connection.execute("SELECT array_agg(lane) FROM anomaly.intake_hour").fetchone() == ([0],)
    assert account(database, cluster) == before
    writer.write([arrival(cluster, batch(5))])
    with database.connection() as connection:
        assert join_lanes(connection, FAR) == 1
    assert account(database, cluster).kept == 4


def test_refusals_are_added(database, cluster):
    with database.connection() as connection:
        add_refusals(connection, {cluster: 3}, "webhook")
        add_refusals(connection, {cluster: 2}, "webhook")
    assert account(database, cluster).refused == 5
