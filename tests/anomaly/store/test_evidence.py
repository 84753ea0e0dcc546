"""Findings of rules: the same whatever the order, with every event that matched behind them."""

import itertools
import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import anomaly
from anomaly.events.decode import decode_lines
from anomaly.events.key import microseconds
from anomaly.findings.finding import FindingKind, finding_id
from anomaly.rules import RuleSet, pack
from anomaly.rules.scan import Scan
from anomaly.sources.files import open_source
from anomaly.store import tables
from anomaly.store.clusters import ensure_cluster
from anomaly.store.search import evidence_of
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import raw_event
from tests.anomaly.store.state import HOUR_US, only, stored_findings

REFUSED = only("request-refused")


@pytest.fixture
def writer(database):
    writer = Writer(database.dedicated, pack(), HOUR_US)
    yield writer
    writer.close()


@pytest.fixture
def refused(database):
    """A writer with one rule only, for tests that count findings."""
    writer = Writer(database.dedicated, REFUSED, HOUR_US)
    yield writer
    writer.close()


def cluster_of(database, name="prod"):
    with database.begin() as connection:
        return ensure_cluster(connection, name)


def grouped(raws, cluster_id):
    """What the findings must be, worked out by asking every rule about every event: {id: (count, start, end, audit ids)}"""
    rules = pack()
    found = defaultdict(list)
    decoded = decode_lines(b"\n".join(dict.fromkeys(raws)))
    for event, shape in zip(decoded.events, decoded.shapes, strict=True):
        moment = microseconds(event.requestReceivedTimestamp)
        for rule in rules.rules:
            if not rule.silent and rule.matches(event, shape):
                frame = rule.timeframe * 1_000_000
                key = finding_id(
                    cluster_id,
                    FindingKind.RULE,
                    rule.id,
                    rule.group_key(event, shape),
                    moment // frame * frame,
                )
                found[key].append((moment, event.auditID))
    return {
        key: (len(set(hits)), min(hits)[0], max(hits)[0], sorted({audit for _, audit in hits}))
        for key, hits in found.items()
    }


def stored(database, cluster="prod"):
    return {
        number: (one[9], microseconds(one[5]), microseconds(one[6]), one[10])
        for number, one in stored_findings(database).items()
        if one[0] == cluster
    }


TROUBLE = [
    raw
    for n, at in enumerate((0, 1, 3_599, 3_600, 86_399, 86_400, 200_000))
    for raw in (
        raw_event("secrets", "list", by=f"eve{n % 2}@example.com", code=403, at=at),
        raw_event("pods", "delete", name=f"dns-{n}", namespace="kube-system", at=at),
        raw_event("pods/exec", "create", name="web", at=at, code=101, stage="ResponseStarted", audit_id=f"exec-{n}"),
        raw_event("pods/exec", "create", name="web", at=at, code=101, audit_id=f"exec-{n}"),
        raw_event("clusterrolebindings", "create", namespace="", name="x", at=at, body={"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": [{"kind": "User", "name": "eve"}]}),
        raw_event("pods", "list", by="system:anonymous", groups=["system:unauthenticated"], at=at),
        raw_event("pods", "get", name="quiet", at=at),
    )
]  # fmt: skip


def test_findings_are_what_asking_each_rule_about_each_event_gives(database, writer):
    cluster = cluster_of(database)
    order = random.Random(5).sample(TROUBLE * 2, 2 * len(TROUBLE))
    for start in range(0, len(order), 13):
        writer.write([Arrival(cluster, "t", decode_lines(b"\n".join(order[start : start + 13])))])
    expected = grouped(TROUBLE, cluster)
    assert len(expected) > 15
    assert stored(database) == expected


def test_of_events_in_one_microsecond_the_order_of_arrival_decides_nothing(postgres):
    """The reason and the entity are those of the earliest event; among equals they must still not depend on luck."""
    raws = [raw_event("secrets", "list", by=f"{name}@example.com", code=403) for name in ("bob", "eve", "al")]
    seen = set()
    for number, order in enumerate(itertools.permutations(raws)):
        with postgres.clone() as database:
            cluster, writer = cluster_of(database), Writer(database.dedicated, REFUSED, HOUR_US)
            batches = [order] if number % 2 else [order[:1], order[1:]]
            for batch in batches:
                writer.write([Arrival(cluster, "t", decode_lines(b"\n".join(batch)))])
            writer.close()
            seen.update((one[1], one[8], one[9]) for one in stored_findings(database).values())
    assert seen == {("al@example.com", "al@example.com was answered 403 to list of secrets in shop.", 3)}


def test_evidence_stays_in_its_cluster(database, refused):
    """The same log in two clusters has the same keys in both; neither may show the other's events."""
    clusters = [cluster_of(database, name) for name in ("prod", "test")]
    raws = [raw_event("secrets", "list", by="eve@example.com", code=403, at=at) for at in range(5)]
    for cluster in clusters:
        refused.write([Arrival(cluster, "t", decode_lines(b"\n".join(raws)))])
    findings = stored_findings(database)
    assert {one[0]: (one[9], len(one[10])) for one in findings.values()} == {"prod": (5, 5), "test": (5, 5)}
    with database.read() as connection:
        for number, one in findings.items():
            assert [found.cluster for found in evidence_of(connection, number, 100)] == [one[0]] * 5


def test_evidence_comes_in_parts_oldest_first_and_without_what_is_gone(database, refused):
    cluster = cluster_of(database)
    raws = [raw_event("secrets", "list", by="eve@example.com", code=403, at=at) for at in range(9)]
    refused.write([Arrival(cluster, "t", decode_lines(b"\n".join(raws)))])
    (number,) = stored_findings(database)
    with database.begin() as connection:
        whole = evidence_of(connection, number, 100)
        parts = [evidence_of(connection, number, 4, skip) for skip in (0, 4, 8)]
        assert [one.received_at for part in parts for one in part] == [one.received_at for one in whole]
        assert [len(part) for part in parts] == [4, 4, 1]
        early = tables.event.c.received_at < whole[3].received_at
        gone = tables.event.delete().where(early)
        assert connection.execute(gone).rowcount == 3
        assert evidence_of(connection, number, 4) == whole[3:7]
        assert evidence_of(connection, number, 0) == []


def test_forged_audit_ids_are_shown_as_sent_and_counted_apart(database, refused):
    cluster = cluster_of(database)
    raws = [
        raw_event("secrets", "list", by="eve@example.com", code=403, at=at, audit_id="same")
        for at in range(3)
    ]
    refused.write([Arrival(cluster, "t", decode_lines(b"\n".join(raws)))])
    ((_, _, _, _, _, _, _, _, _, count, evidence, _),) = stored_findings(database).values()
    assert (count, evidence) == (3, ["same"])


def test_what_an_attacker_named_can_be_stored_in_a_reason(database, refused):
    cluster = cluster_of(database)
    raws = [raw_event("secrets", "list", by="e\x00ve\x1b[2J", namespace="n\x00", code=403)]
    assert refused.write([Arrival(cluster, "t", decode_lines(b"\n".join(raws)))])[0].matches == 1
    (one,) = stored_findings(database).values()
    assert "\x00" not in one[8] and one[9] == 1


def session(at, audit_id, **more):
    """One exec as the API server writes it: an event when it opens, one when it ends."""
    about = {"name": "web", "code": 101, "at": at, "audit_id": audit_id} | more
    return [
        raw_event("pods/exec", "create", stage=stage, **about)
        for stage in ("ResponseStarted", "ResponseComplete")
    ]


SESSIONS = [*session(1, "a"), *session(1, "b"), *session(2, "a"), *session(1, "a", by="bob@example.com")]


@pytest.mark.parametrize("size", [1, 2, 3, len(SESSIONS)])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_session_counts_once_however_its_two_events_arrive(database, size, seed):
    writer = Writer(database.dedicated, only("exec-into-pod"), HOUR_US)
    cluster = cluster_of(database)
    order = random.Random(seed).sample(SESSIONS, len(SESSIONS))
    matches = 0
    for start in range(0, len(order), size):
        (receipt,) = writer.write(
            [Arrival(cluster, "t", decode_lines(b"\n".join(order[start : start + size])))]
        )
        matches += receipt.matches
    writer.close()
    found = stored_findings(database).values()
    assert matches == 4
    assert sorted((one[9], one[10]) for one in found) == [(1, ["a"]), (3, ["a", "b"])]
    with database.read() as connection:
        kept = [len(evidence_of(connection, number, 100)) for number in stored_findings(database)]
    assert sorted(kept) == [2, 6]


def test_two_writers_with_the_two_events_of_one_session_count_it_once(database):
    cluster = cluster_of(database)
    writers = [Writer(database.dedicated, only("exec-into-pod"), HOUR_US) for _ in range(2)]
    sessions = [session(at, f"s-{at}") for at in range(30)]
    with ThreadPoolExecutor(2) as pool:

        def write(writer, raws):
            return sum(writer.write([Arrival(cluster, "t", decode_lines(raw))])[0].matches for raw in raws)

        halves = [[pair[place] for pair in sessions] for place in range(2)]
        matched = sum(pool.map(write, writers, halves))
    for writer in writers:
        writer.close()
    (one,) = stored_findings(database).values()
    assert (matched, one[9]) == (30, 30)


def test_ingest_and_scan_count_the_same_sessions_of_a_recorded_log(database):
    """Every request into a pod or through a proxy of the packed log, its opening and its end in different batches."""
    rules = RuleSet(tuple(rule for rule in pack().rules if rule.sees_stages))
    with open_source(Path(anomaly.__file__).parent / "demo" / "audit.jsonl.zst") as file:
        lines = [
            line
            for block in file.blocks()
            for line in block.data.splitlines()
            if any(word in line for word in (b"/exec", b"/attach", b"/portforward", b"/proxy"))
        ]
    scan, writer, cluster = Scan(rules), Writer(database.dedicated, rules, HOUR_US), cluster_of(database)
    told = sum(1 for _ in scan.feed(decode_lines(b"\n".join(lines))))
    # Every opening comes before every end, so no batch can hold both.
    ordered = sorted(lines, key=lambda line: b'"ResponseComplete"' in line)
    matches = 0
    for start in range(0, len(ordered), 500):
        batch = decode_lines(b"\n".join(ordered[start : start + 500]))
        matches += writer.write([Arrival(cluster, "t", batch)])[0].matches
    writer.close()
    assert told > 200
    assert matches == told == sum(one[9] for one in stored_findings(database).values())
