"""Day partitions: made where they are missing, by whoever comes first, and dropped when their time is over."""

import threading
from datetime import date, timedelta

from anomaly.events.decode import decode_lines
from anomaly.store.clusters import ensure_cluster
from anomaly.store.partitions import PARTITIONED, drop_before, make_partitions, partition_days, partition_name
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from tests.anomaly.store.state import HOUR_US, only

DAYS = [date(2015, 2, 28), date(2016, 2, 29), date(2026, 12, 31), date(2027, 1, 1)]


def test_each_day_has_a_partition_of_each_table(database):
    with database.dedicated() as connection:
        make_partitions(connection, DAYS)
        make_partitions(connection, DAYS)
        assert partition_days(connection) == DAYS
        for table in PARTITIONED:
            for day in DAYS:
                name = partition_name(table, day)
                (bound,) = connection.execute(
                    "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = %s", [name]
                ).fetchone()
                assert f"FROM ('{day}" in bound and f"TO ('{day + timedelta(days=1)}" in bound
        left = connection.execute("SELECT count(*) FROM pg_constraint WHERE conname = 'bound'").fetchone()
        assert left == (0,)


def test_processes_that_make_the_same_days_at_once_get_along(database):
    failures = []
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(6)]

    def work(order):
        try:
            with database.dedicated() as connection:
                make_partitions(connection, order)
        except BaseException as failure:
            failures.append(failure)

    threads = [
        threading.Thread(target=work, args=(order,)) for order in (days, days[::-1], days[2:], days[:3])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    with database.dedicated() as connection:
        assert partition_days(connection) == days


def test_a_half_made_partition_is_made_again(database):
    with database.dedicated() as connection:
        connection.execute("CREATE TABLE anomaly.event_20260302 (half int)")
        connection.commit()
        make_partitions(connection, [START.date()])
        assert partition_days(connection) == [START.date()]


def test_retention_drops_whole_days_and_nothing_else(database):
    with database.begin() as connection:
        cluster = ensure_cluster(connection, "prod")
    writer = Writer(database.dedicated, only("request-refused"), HOUR_US)
    raws = [raw_event("secrets", "list", by="eve@example.com", code=403, at=day * 86_400) for day in range(4)]
    writer.write([Arrival(cluster, "t", decode_lines(b"\n".join(raws)))])
    writer.close()
    with database.dedicated() as connection:
        gone = drop_before(connection, START.date() + timedelta(days=2))
        assert gone == [START.date(), START.date() + timedelta(days=1)]
        for table in ("event", "chunk", "evidence"):
            assert connection.execute(f"SELECT count(*) FROM anomaly.{table}").fetchone() == (2,)
        assert drop_before(connection, START.date()) == []
        assert connection.execute("SELECT count(*) FROM anomaly.finding").fetchone() == (4,)


def test_new_days_do_not_stop_other_writers(database):
    """ATTACH takes a lock that lets inserts into other days go on; CREATE ... PARTITION OF would wait for this one."""
    with database.dedicated() as busy, database.dedicated() as maker:
        make_partitions(maker, [START.date()])
        busy.execute("LOCK TABLE anomaly.event, anomaly.chunk, anomaly.evidence IN ROW EXCLUSIVE MODE")
        maker.execute("SET lock_timeout = '5s'")
        make_partitions(maker, [START.date() + timedelta(days=1)])
        assert len(partition_days(maker)) == 2
