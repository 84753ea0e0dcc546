"""Event rows: one for each event, with the right columns and the very bytes that came."""

import random
from datetime import date

import numpy as np
import pytest

from anomaly.events.decode import decode_lines
from anomaly.events.key import event_key, microseconds
from anomaly.rules import pack
from anomaly.store.batch import ALLOWED, FINAL, BatchMaker
from anomaly.store.chunks import Packer
from anomaly.store.clusters import ensure_cluster
from anomaly.store.events import day_numbers, day_of, keep_events, keep_raws
from anomaly.store.partitions import make_partitions
from anomaly.testing import START, raw_event
from tests.anomaly.store.state import stored_events


@pytest.fixture
def cluster(database):
    with database.begin() as connection:
        return ensure_cluster(connection, "prod")


@pytest.fixture
def connection(database):
    with database.dedicated() as connection:
        yield connection


def keep(connection, cluster, raws, maker=None):
    batch = (maker or BatchMaker(pack())).make(connection, cluster, decode_lines(b"\n".join(raws)))
    make_partitions(connection, map(day_of, day_numbers(batch)))
    packer = Packer()
    with connection.cursor() as cursor:
        stored = keep_events(connection, batch, packer)
        keep_raws(cursor, batch, stored)
    connection.commit()
    packer.close()
    return stored.kept


def test_each_column_says_what_the_event_says(connection, cluster):
    raw = raw_event(
        "apps/deployments/scale", "patch", by="system:serviceaccount:ci:deployer", namespace="shop", name="web", code=403,
        agent="helm/3", address="198.51.100.9", acting_as="root", level="Request", at=1.5,
    )  # fmt: skip
    assert keep(connection, cluster, [raw]).tolist() == [True]
    ((key, row),) = stored_events(connection).items()
    decoded = decode_lines(raw)
    event, moment = decoded.events[0], microseconds(decoded.events[0].requestReceivedTimestamp)
    assert key[0] == "prod" and microseconds(key[1]) == moment
    assert key[2].bytes == event_key(event, "system:serviceaccount:ci:deployer", moment, moment + 4_000)
    (
        user,
        latency,
        verb,
        resource,
        namespace,
        name,
        agent,
        address,
        acting,
        crc,
        size,
        code,
        stage,
        level,
        flags,
        held,
    ) = row
    assert (user, latency, verb, resource) == (
        "system:serviceaccount:ci:deployer",
        4_000,
        "patch",
        "apps/deployments/scale",
    )
    assert (namespace, name, agent, address, acting) == (
        "shop",
        "apps/deployments/scale shop/web",
        "helm/3",
        "198.51.100.9",
        "root",
    )
    assert (size, code, stage, level, flags, held) == (len(raw), 403, 3, 3, FINAL, raw)
    assert -(2**31) <= crc < 2**31


def test_what_is_empty_has_no_number_and_what_is_early_has_a_name(connection, cluster):
    raws = [
        raw_event("/healthz", "get", by="", agent="", namespace=""),
        raw_event("pods", "get", name="web", stage="RequestReceived", at=1),
    ]
    keep(connection, cluster, raws)
    rows = sorted(stored_events(connection).values(), key=lambda row: row[0], reverse=True)
    assert rows[0][:8] == (
        "system:unauthenticated",
        4_000,
        "get",
        "/healthz",
        None,
        None,
        None,
        "203.0.113.7",
    )
    assert rows[1][5] == "pods shop/web"
    assert [row[14] for row in rows] == [ALLOWED | FINAL, ALLOWED]


def test_an_event_twice_in_a_batch_is_kept_once(connection, cluster):
    one, other = raw_event(at=0), raw_event(at=1)
    assert keep(connection, cluster, [one, other, one, other, one]).sum() == 2
    assert [row[-1] for row in stored_events(connection).values()] in ([one, other], [other, one])


def test_only_what_is_new_is_kept_and_raw_bytes_stay_with_their_rows(connection, cluster):
    maker = BatchMaker(pack())
    raws = [raw_event(name=f"pod-{number}", at=number * 1_000) for number in range(200)]
    rng = random.Random(3)
    seen = set()
    for _ in range(6):
        chosen = rng.sample(range(200), 80)
        kept = keep(connection, cluster, [raws[number] for number in chosen], maker)
        assert kept.tolist() == [number not in seen for number in chosen]
        seen |= set(chosen)
    stored = stored_events(connection)
    assert sorted(row[-1] for row in stored.values()) == sorted(raws[number] for number in seen)
    assert all(row[5].removeprefix("pods shop/") in row[-1].decode() for row in stored.values())


def test_bytes_of_duplicates_are_not_kept_again(connection, cluster):
    raws = [raw_event(name=f"pod-{number}", at=number) for number in range(50)]
    keep(connection, cluster, raws)
    keep(connection, cluster, raws)
    keep(connection, cluster, [*raws, raw_event(at=99)])
    chunks = [
        len(bytes(data)) for (data,) in connection.execute("SELECT data FROM anomaly.chunk ORDER BY id")
    ]
    assert len(chunks) == 2
    assert chunks[1] < chunks[0] / 3


def test_a_batch_over_midnight_is_kept_in_both_days(connection, cluster):
    raws = [raw_event(at=at) for at in (0, 54_000, 1, 54_001, 2)]
    assert keep(connection, cluster, raws).all()
    rows = connection.execute("SELECT day, count(*) FROM anomaly.chunk GROUP BY day ORDER BY day").fetchall()
    assert rows == [(START.date(), 1), (date(2026, 3, 3), 1)]
    assert {row[-1] for row in stored_events(connection).values()} == set(raws)


def test_no_event_is_no_row(connection, cluster):
    assert isinstance(kept := keep(connection, cluster, []), np.ndarray)
    assert kept.tolist() == []


def test_times_and_delays_at_the_edges(connection, cluster):
    slow = raw_event(at=0).replace(b"09:00:00.004000Z", b"23:59:00.000000Z")
    early = raw_event(at=1).replace(b"09:00:01.004000Z", b"09:00:00.000000Z")
    alone = raw_event(at=2).replace(b'"stageTimestamp":"2026-03-02T09:00:02.004000Z",', b"")
    old = raw_event(at=3).replace(b'"requestReceivedTimestamp"', b'"timestamp"')
    nano = raw_event(at=4).replace(b"09:00:04.000000Z", b"10:00:04.999999999+01:00")
    assert keep(connection, cluster, [slow, early, alone, old, nano]).all()
    found = {key[1].second: row[1] for key, row in stored_events(connection).items()}
    assert found[0] == 2**31 - 1
    assert (found[1], found[2], found[3]) == (0, 0, 4_000)
    assert sorted(found) in ([0, 1, 2, 3, 4], [0, 1, 2, 3, 5])
