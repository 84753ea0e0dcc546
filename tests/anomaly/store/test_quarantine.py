"""What is no event is kept whole, once, and counted."""

from hashlib import blake2b

import pytest

from anomaly.events.decode import Reject
from anomaly.store.clusters import ensure_cluster
from anomaly.store.quarantine import count_quarantine, keep_rejects, list_quarantine, raw_of, release


@pytest.fixture
def cluster(connection):
    return ensure_cluster(connection, "prod")


def put(plain, cluster, *rejects, source="audit.log"):
    with plain.cursor() as cursor:
        keep_rejects(cursor, cluster, source, rejects)


def test_bytes_come_back_as_they_were(plain, cluster):
    awkward = [b"", b"\x00\xff\xfe", b"{" * 100_000, bytes(range(256)) * 3]
    put(plain, cluster, *(Reject(raw, "bad") for raw in awkward))
    listed = list_quarantine(plain)
    assert sorted(raw_of(plain, one.id)[2] for one in listed) == sorted(awkward)
    assert {(one.cluster, one.source, one.reason, one.times) for one in listed} == {
        ("prod", "audit.log", "bad", 1)
    }
    assert sorted(one.size for one in listed) == [0, 3, 768, 100_000]


def test_the_same_bytes_are_kept_once_and_counted(plain, cluster):
    put(plain, cluster, Reject(b"x", "bad"), Reject(b"x", "bad"), Reject(b"y", "bad"))
    put(plain, cluster, Reject(b"x", "bad"), source="another.log")
    assert {raw_of(plain, one.id)[2]: one.times for one in list_quarantine(plain)} == {b"x": 3, b"y": 1}
    assert count_quarantine(plain) == count_quarantine(plain, cluster) == 2
    assert count_quarantine(plain, cluster + 1) == 0


def test_clusters_are_kept_apart(connection, plain, cluster):
    other = ensure_cluster(connection, "other")
    put(plain, cluster, Reject(b"x", "bad"))
    put(plain, other, Reject(b"x", "bad"))
    assert [one.cluster for one in list_quarantine(plain, other)] == ["other"]
    assert count_quarantine(plain) == 2


def test_the_size_is_what_came_even_when_only_the_head_is_kept(plain, cluster):
    put(plain, cluster, Reject(b"head", "too long", 40_000_000))
    (one,) = list_quarantine(plain)
    assert (one.size, raw_of(plain, one.id)) == (40_000_000, (cluster, "audit.log", b"head"))


def test_reasons_and_sources_may_hold_anything(plain, cluster):
    put(plain, cluster, Reject(b"x", "nul \x00 lone \ud800"), source="audit-\udcff\x00.log")
    (one,) = list_quarantine(plain)
    assert (one.reason, one.source) == ("nul \u2400 lone ?", "audit-?\u2400.log")


def test_the_newest_come_first_and_the_limit_holds(plain, cluster):
    for number in range(5):
        put(plain, cluster, Reject(b"%d" % number, f"{number}"))
    assert [one.reason for one in list_quarantine(plain, limit=2)] == ["4", "3"]


def test_released_is_gone(plain, cluster):
    put(plain, cluster, Reject(b"x", "bad"))
    (one,) = list_quarantine(plain)
    release(plain, one.id)
    assert (raw_of(plain, one.id), count_quarantine(plain)) == (None, 0)


def test_the_digest_is_of_the_raw_bytes(plain, cluster):
    put(plain, cluster, Reject(b"x", "bad"))
    assert plain.execute("SELECT digest FROM anomaly.quarantine").fetchone() == (
        blake2b(b"x", digest_size=16).digest(),
    )
