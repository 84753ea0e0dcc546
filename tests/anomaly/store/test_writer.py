"""Everything of a batch, or nothing: events, raw bytes, window parts, firsts, findings, quarantine."""

import random
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from anomaly.events.decode import decode_lines, decode_list
from anomaly.store.clusters import ensure_cluster
from anomaly.store.partitions import drop_before, partition_days
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from tests.anomaly.store.state import HOUR_US, counted_windows, only, state_of, stored_windows

REFUSED = only("request-refused")


@pytest.fixture
def cluster(database):
    with database.begin() as connection:
        return ensure_cluster(connection, "prod")


@pytest.fixture
def writer(database):
    writer = Writer(database.dedicated, REFUSED, HOUR_US)
    yield writer
    writer.close()


def write(writer, cluster, *raws, **options):
    (receipt,) = writer.write([Arrival(cluster, "test", decode_lines(b"\n".join(raws)))], **options)
    return receipt


def events_in(database):
    with database.dedicated() as connection:
        return connection.execute("SELECT count(*) FROM anomaly.event").fetchone()[0]


def test_a_receipt_says_what_became_of_everything(database, writer, cluster):
    denied = raw_event("secrets", "list", by="eve@example.com", code=403)
    first = write(writer, cluster, denied, raw_event(), raw_event(), b"{]")
    assert (first.kept, first.duplicates, first.quarantined, first.matches) == (2, 1, 1, 1)
    again = write(writer, cluster, denied, raw_event(), raw_event(at=1), b"{]")
    assert (again.kept, again.duplicates, again.quarantined, again.matches) == (1, 2, 1, 0)
    assert (first + again).kept == events_in(database) == 3


def test_nothing_to_write_is_no_trouble(writer, cluster):
    receipt = write(writer, cluster)
    assert (receipt.kept, receipt.duplicates, receipt.quarantined) == (0, 0, 0)


def test_a_forged_audit_id_hides_no_event(database, writer, cluster):
    """An attacker sends the Audit-ID of an innocent request with every request."""
    innocent = raw_event("pods", "get", name="web", audit_id="a")
    forged = [
        raw_event("secrets", "get", name="db", audit_id="a"),
        raw_event("pods", "get", name="web", by="eve@example.com", audit_id="a"),
        raw_event("pods", "delete", name="web", audit_id="a"),
        raw_event("pods", "get", name="web", audit_id="a", at=0.000001),
        raw_event("pods", "get", name="web", audit_id="a", stage="RequestReceived"),
    ]
    assert write(writer, cluster, innocent).kept == 1
    assert write(writer, cluster, *forged).kept == 5
    assert write(writer, cluster, innocent, *forged).duplicates == 6
    assert events_in(database) == 6


def test_an_event_by_file_and_by_webhook_is_one_event(database, writer, cluster):
    line = raw_event("pods", "create", name="x", body={"spec": {"containers": []}})
    item = line.replace(b'"kind":"Event","apiVersion":"audit.k8s.io/v1",', b"", 1)
    assert item != line
    pretty = item.replace(b",", b",\n  ")
    body = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[%s]}'
    assert write(writer, cluster, line).kept == 1
    for form in (item, pretty):
        (receipt,) = writer.write([Arrival(cluster, "webhook", decode_list(body % form))])
        assert (receipt.kept, receipt.duplicates) == (0, 1)


def test_the_same_event_in_two_clusters_is_two_events(database, writer, cluster):
    with database.begin() as connection:
        other = ensure_cluster(connection, "other")
    receipts = writer.write([Arrival(number, "t", decode_lines(raw_event())) for number in (cluster, other)])
    assert [receipt.kept for receipt in receipts] == [1, 1]


def test_a_failure_leaves_nothing_behind_and_the_next_try_everything(database, writer, cluster):
    raws = [raw_event("secrets", "list", by=f"{name}@example.com", code=403) for name in "abc"]

    def fail(connection, receipts):
        assert receipts[0].kept == 3
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write(writer, cluster, *raws, b"{]", also=fail)
    empty = state_of(database)
    assert not (empty.events or empty.windows or empty.firsts or empty.findings or empty.quarantine)
    assert write(writer, cluster, *raws, b"{]").kept == 3
    full = state_of(database)
    assert len(full.events) == 3 and full.windows and full.firsts and full.findings and full.quarantine


def test_a_lost_connection_is_replaced_by_the_next_write(database, writer, cluster):
    write(writer, cluster, raw_event())
    with database.dedicated(autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(psycopg.OperationalError):
        write(writer, cluster, raw_event(at=1))
    assert write(writer, cluster, raw_event(), raw_event(at=1)).kept == 1


def write_at_once(database, clusters, raws, writers, size, parts):
    """Each writer writes all events of all clusters, shuffled and cut in its own way; returns how many were kept."""
    failures, kept = [], []

    def work(seed):
        rng = random.Random(seed)
        order, mine = rng.sample(raws, len(raws)), rng.sample(clusters, len(clusters))
        writer = Writer(database.dedicated, REFUSED, HOUR_US)
        try:
            for start in range(0, len(order), size * parts):
                pieces = [order[at : at + size] for at in range(start, start + size * parts, size)]
                arrivals = [
                    Arrival(one, "t", decode_lines(b"\n".join(piece))) for one in mine for piece in pieces
                ]
                kept.extend(receipt.kept for receipt in writer.write(arrivals))
        except BaseException as failure:
            failures.append(failure)
        finally:
            writer.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures
    return sum(kept)


def denials(count):
    return [
        raw_event(
            "secrets", "list", by=f"user{n % 7}@example.com", code=403, name=f"n{n % 11}", at=n * 977 % 90_000
        )
        for n in range(count)
    ]


def holds(database, clusters, raws):
    state = state_of(database)
    assert len(state.events) == len(raws) * len(clusters)
    assert sum(found[9] for found in state.findings.values()) == len(raws) * len(clusters)
    with database.dedicated() as connection:
        for cluster in clusters:
            assert stored_windows(connection, cluster) == counted_windows(decode_lines(b"\n".join(raws)))


def test_writers_of_the_same_events_in_different_orders_wait_and_never_deadlock(database, cluster):
    """Two replicas of the webhook and two readers of the file, two clusters, all at once."""
    with database.begin() as connection:
        clusters = [cluster, ensure_cluster(connection, "other")]
    raws = denials(240)
    assert write_at_once(database, clusters, raws, writers=4, size=60, parts=1) == 480
    holds(database, clusters, raws)
    with database.dedicated() as connection:
        asked = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert connection.execute(asked).fetchone() == (0,)


def test_a_deadlock_between_transactions_of_several_batches_does_not_surface(database, cluster):
    raws = denials(60)
    assert write_at_once(database, [cluster], raws, writers=3, size=10, parts=3) == 60
    holds(database, [cluster], raws)


def moments():
    now = datetime.fromtimestamp(time.time(), UTC)
    return {
        "backfill": (datetime(2015, 6, 1, tzinfo=UTC), True),
        "the first believed": (datetime(2014, 1, 1, tzinfo=UTC), True),
        "the last not believed": (datetime(2014, 1, 1, tzinfo=UTC) - timedelta(microseconds=1), False),
        "year one": (datetime(1, 1, 1, tzinfo=UTC), False),
        "skewed": (now + timedelta(days=2), True),
        "nearly a year ahead": (now + timedelta(days=365), True),
        "more than a year ahead": (now + timedelta(days=367), False),
        "the end of time": (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), False),
    }


@pytest.mark.parametrize("case", moments())
def test_a_time_is_believed_or_the_event_is_put_aside(database, writer, cluster, case):
    moment, believed = moments()[case]
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0").encode()
    odd = raw_event(at=0).replace(b"2026-03-02T09:00:00.000000Z", text)
    assert text in odd
    receipt = write(writer, cluster, raw_event(at=1), odd)
    assert (receipt.kept, receipt.quarantined) == ((2, 0) if believed else (1, 1))
    with database.dedicated() as connection:
        days = partition_days(connection)
        assert len(days) == receipt.kept
        if not believed:
            (reason,) = connection.execute("SELECT reason FROM anomaly.quarantine").fetchone()
            assert (
                "before 2014 or more than a year from now" in reason or "no API server wrote that" in reason
            )


def test_a_flood_of_impossible_days_makes_no_partitions(database, writer, cluster):
    far = [raw_event().replace(b"2026-03-02T", b"%d-03-02T" % year) for year in range(2100, 2600)]
    receipt = write(writer, cluster, *far)
    assert (receipt.kept, receipt.quarantined) == (0, 500)
    with database.dedicated() as connection:
        assert partition_days(connection) == []


def test_retention_between_two_batches_is_survived(database, writer, cluster):
    assert write(writer, cluster, raw_event(at=0)).kept == 1
    with database.dedicated() as connection:
        assert drop_before(connection, START.date() + timedelta(days=1)) == [START.date()]
    denied = raw_event("secrets", "list", by="eve@example.com", code=403, at=5)
    receipt = write(writer, cluster, denied)
    assert (receipt.kept, receipt.matches, events_in(database)) == (1, 1, 1)


def test_long_and_strange_texts_are_kept(database, writer, cluster):
    raws = [
        raw_event(agent="a" * 100_000, name="\x00\x1b[31m" * 200, by="u" * 5_000, at=1),
        raw_event(agent="a" * 100_001, name="\x00\x1b[31m" * 201, by="u" * 5_001, at=2),
        raw_event("/" + "p" * 70_000, at=3),
        raw_event(by="sys\u0000tem:masters", agent="\u202e", acting_as="\u0000", at=4),
        raw_event(
            annotations={"\u0000key": "\u0000"},
            extra={"\u0000": ["\u0000"]},
            groups=["\u0000", "\u2400"],
            at=5,
        ),
        raw_event(audit_id="\u0000", namespace="\u0000", at=6, uri="/\u0000"),
        raw_event(code=-5, at=7),
        raw_event(at=8).replace(b'"code":200', b'"code":' + b"9" * 40),
    ]
    receipt = write(writer, cluster, *raws)
    assert (receipt.kept, receipt.quarantined) == (8, 0)
    with database.dedicated() as connection:
        assert stored_windows(connection, cluster) == counted_windows(decode_lines(b"\n".join(raws)))
        (users,) = connection.execute(
            "SELECT count(*) FROM anomaly.entity WHERE username LIKE 'u%'"
        ).fetchone()
        (codes,) = connection.execute(
            "SELECT array_agg(code ORDER BY code) FROM anomaly.event WHERE code NOT IN (200)"
        ).fetchone()
    assert users == 2
    assert codes == [-1, 32_767]
