"""Sums over windows equal what the windows say, one by one."""

from collections import Counter
from datetime import timedelta

import pytest

from anomaly.events.decode import decode_lines
from anomaly.rules import pack
from anomaly.store.clusters import ensure_cluster
from anomaly.store.tallies import read_tallies
from anomaly.store.windows import fold_parts
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START
from anomaly.windows.dimension import Dimension
from tests.anomaly.store.state import HOUR_US, counted_windows, recorded

ALWAYS = START - timedelta(days=3_000), START + timedelta(days=3_000)


@pytest.fixture(scope="module")
def stored(postgres):
    raws = recorded(3_000)
    with postgres.clone() as database:
        with database.begin() as connection:
            number = ensure_cluster(connection, "prod")
            ensure_cluster(connection, "other")
        writer = Writer(database.dedicated, pack(), 60_000_000)
        for part in (raws[:1_500], raws[1_500:]):
            writer.write([Arrival(number, "t", decode_lines(b"\n".join(part)))])
            with database.connection() as connection:
                fold_parts(connection, 40)
        writer.close()
        yield database, number, counted_windows(decode_lines(b"\n".join(raws)), 60_000_000)


def test_folded_or_not_they_are_what_the_windows_hold(stored):
    database, number, windows = stored
    with database.connection() as connection:
        found = read_tallies(connection, *ALWAYS, {Dimension.REQUESTS, Dimension.VERB}, clusters=[number])
    expected, users, starts = Counter(), Counter(), Counter()
    for (user, start), counts in windows.items():
        for (dimension, text), count in counts.items():
            if dimension is Dimension.VERB:
                expected[text] += count
            if dimension is Dimension.REQUESTS:
                users[user] += count
                starts[start] += count
    assert found.by_text(Dimension.VERB) == dict(expected)
    assert list(found.by_text(Dimension.VERB).values()) == sorted(expected.values(), reverse=True)
    assert sorted(found.by_entity(Dimension.REQUESTS).values()) == sorted(users.values())
    assert {
        round(at.timestamp() * 1e6): count for at, count in found.by_start(Dimension.REQUESTS).items()
    } == dict(starts)
    assert found.by_text(Dimension.RESOURCE) == {}
    assert HOUR_US


def test_of_very_many_windows_some_stand_for_the_rest(stored):
    database, number, windows = stored
    with database.connection() as connection:
        fold_parts(connection, 100_000)
        found = read_tallies(connection, *ALWAYS, {Dimension.REQUESTS}, clusters=[number], most=10)
    assert found.windows == len(windows) and found.one_of == -(-len(windows) // 10)
    assert sum(found.by_entity(Dimension.REQUESTS).values()) > 0


@pytest.mark.parametrize("most", [pytest.param(10, id="some of them"), pytest.param(100_000, id="every one")])
def test_it_is_the_same_whether_all_clusters_are_asked_for_or_the_one_with_windows(stored, most):
    database, number, _ = stored
    with database.connection() as connection:
        fold_parts(connection, 100_000)
        one, every = (
            read_tallies(connection, *ALWAYS, {Dimension.REQUESTS}, clusters=clusters, most=most)
            for clusters in ([number], [number, number + 1])
        )
    assert one.by_entity(Dimension.REQUESTS) == every.by_entity(Dimension.REQUESTS)
    assert one.by_start(Dimension.REQUESTS) == every.by_start(Dimension.REQUESTS)
    assert (one.windows, one.one_of) == (every.windows, every.one_of)


def test_other_clusters_and_times_are_left_out(stored):
    database, number, _ = stored
    with database.connection() as connection:
        for since, until, clusters in ((*ALWAYS, [number + 1]), (*ALWAYS, []), (START, START, [number])):
            assert not read_tallies(
                connection, since, until, {Dimension.REQUESTS}, clusters=clusters
            ).by_start(Dimension.REQUESTS)
