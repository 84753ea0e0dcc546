"""First sightings: what was never there before, for an entity and for the whole cluster."""

import random

from anomaly.events.decode import decode_lines
from anomaly.events.key import microseconds
from anomaly.rules import pack
from anomaly.store.clusters import ensure_cluster
from anomaly.store.firsts import load_firsts
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from anomaly.windows.dimension import Dimension
from anomaly.windows.firsts import NEVER
from tests.anomaly.store.state import HOUR_US, counted_firsts, stored_firsts

ZERO = microseconds(START)


def lines(*raws):
    return decode_lines(b"\n".join(raws))


def write(database, writer, cluster, *raws):
    return writer.write([Arrival(cluster, "t", lines(*raws))])[0]


def cluster_of(database, name="prod"):
    with database.begin() as connection:
        return ensure_cluster(connection, name)


def test_the_earliest_sighting_counts_whoever_told_it_last(database):
    cluster, writer = cluster_of(database), Writer(database.dedicated, pack(), HOUR_US)
    other = Writer(database.dedicated, pack(), HOUR_US)
    raws = [
        raw_event("secrets", "get", name=f"s{n % 5}", by=f"u{n % 3}@example.com", at=n * 1_711)
        for n in range(90)
    ]
    order = random.Random(1).sample(raws, 90)
    for start in range(0, 90, 9):
        write(database, (writer, other)[start % 2], cluster, *order[start : start + 9])
    with database.dedicated() as connection:
        found = stored_firsts(connection, cluster)
        last = dict(
            connection.execute("SELECT entity_id, max(last_on) FROM anomaly.seen GROUP BY 1").fetchall()
        )
    assert found == counted_firsts(lines(*raws))
    assert found["u0@example.com", Dimension.SECRET, "shop/s0"] == ZERO
    assert found["", Dimension.SECRET, "shop/s4"] == ZERO + 4 * 1_711_000_000
    assert {moment.isoformat() for moment in last.values()} == {"2026-03-04"}
    writer.close(), other.close()


def test_a_rolled_back_sighting_is_not_believed(database):
    cluster, writer = cluster_of(database), Writer(database.dedicated, pack(), HOUR_US)

    def fail(*_):
        raise RuntimeError

    for _ in range(2):
        try:
            writer.write([Arrival(cluster, "t", lines(raw_event()))], also=fail)
        except RuntimeError:
            continue
    with database.dedicated() as connection:
        assert stored_firsts(connection, cluster) == {}
        connection.commit()
        write(database, writer, cluster, raw_event())
        assert stored_firsts(connection, cluster) == counted_firsts(lines(raw_event()))
    writer.close()


def test_duplicates_and_refused_batches_add_no_sighting(database):
    cluster, writer = cluster_of(database), Writer(database.dedicated, pack(), HOUR_US)
    write(database, writer, cluster, raw_event(), raw_event(), b"{}")
    write(database, writer, cluster, raw_event())
    with database.dedicated() as connection:
        rows = connection.execute(
            "SELECT count(*), count(DISTINCT (entity_id, term_id)) FROM anomaly.seen"
        ).fetchone()
        assert rows == (2 * len(novel := [key for key in counted_firsts(lines(raw_event())) if key[0]]),) * 2
        assert len(novel) >= 5
    writer.close()


def test_strangers_have_no_history_and_clusters_know_nothing_of_each_other(database):
    first, second, writer = (
        cluster_of(database),
        cluster_of(database, "other"),
        Writer(database.dedicated, pack(), HOUR_US),
    )
    write(database, writer, first, raw_event(at=1))
    with database.dedicated() as connection:
        ours, theirs = load_firsts(connection, first), load_firsts(connection, second)
    assert len(theirs.keys) == 0
    assert theirs.of_cluster(ours.term[:1]).tolist() == [NEVER]
    assert ours.began(ours.entity[-1:]).tolist() == [ZERO + 1_000_000]
    assert ours.began(ours.entity[-1:] + 1).tolist() == [NEVER]
    writer.close()
