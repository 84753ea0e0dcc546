"""Findings as they are listed, chosen and shown with their evidence."""

from datetime import timedelta

import pytest

from anomaly.events.decode import decode_lines
from anomaly.findings.finding import FindingKind, Severity
from anomaly.store.clusters import ensure_cluster
from anomaly.store.findings import Wanted, count_findings, findings_by_prefix, list_findings, with_evidence
from anomaly.store.search import evidence_of
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from tests.anomaly.store.state import HOUR_US, only

RULES = only("request-refused", "pod-deleted-in-kube-system")


@pytest.fixture
def filled(database):
    """Two clusters: a denied list in each, pods deleted in kube-system an hour apart in one."""
    with database.begin() as connection:
        clusters = {name: ensure_cluster(connection, name) for name in ("prod", "test")}
    writer = Writer(database.dedicated, RULES, HOUR_US)
    denied = raw_event("secrets", "list", by="eve@example.com", code=403)
    deleted = [
        raw_event(
            "pods", "delete", by="mallory@example.com", name=f"dns-{n}", namespace="kube-system", at=n * 3_600
        )
        for n in range(2)
    ]
    writer.write([Arrival(clusters["prod"], "t", decode_lines(b"\n".join([denied, *deleted])))])
    writer.write([Arrival(clusters["test"], "t", decode_lines(denied))])
    writer.close()
    return database, clusters


def names(connection, **wanted):
    found = list_findings(connection, Wanted(**wanted))
    assert count_findings(connection, Wanted(**wanted)) == len(found)
    return [(one.cluster, one.name) for one in found]


def test_findings_are_chosen_by_what_they_say(filled):
    database, _ = filled
    with database.read() as connection:
        everything = names(connection)
        assert sorted(set(everything)) == [
            ("prod", "pod-deleted-in-kube-system"), ("prod", "request-refused"), ("test", "request-refused"),
        ]  # fmt: skip
        assert everything[0][1] == "pod-deleted-in-kube-system", "the most severe first"
        assert names(connection, cluster="test") == [("test", "request-refused")]
        assert len(names(connection, name="request-refused")) == 2
        assert {name for _, name in names(connection, entity="mallory@example.com")} == {
            "pod-deleted-in-kube-system"
        }
        assert names(connection, kind=FindingKind.BEHAVIOUR) == []
        assert "request-refused" not in {name for _, name in names(connection, at_least=Severity.LOW)}
        assert names(connection, states=("closed",)) == []
        assert names(connection, since=START + timedelta(days=2)) == names(connection, until=START) == []
        assert len(names(connection, since=START, until=START + timedelta(seconds=1))) >= 3
        assert len(list_findings(connection, Wanted(limit=1))) == 1


def test_a_finding_is_found_by_how_its_id_begins(filled):
    database, _ = filled
    with database.read() as connection:
        (one,) = list_findings(connection, Wanted(cluster="test"))
        for prefix in (str(one.id), one.id.hex, str(one.id)[:8], str(one.id)[:13].upper()):
            assert findings_by_prefix(connection, prefix) == [one]
        assert findings_by_prefix(connection, "%") == findings_by_prefix(connection, "_") == []
        assert findings_by_prefix(connection, "zz") == []
        assert len(findings_by_prefix(connection, "")) >= 3


def test_evidence_is_oldest_first_and_held_to_a_limit(filled):
    database, clusters = filled
    raws = [
        raw_event("secrets", "get", by="eve@example.com", code=404, name=f"s{n}", at=n / 10)
        for n in range(1, 400)
    ]
    writer = Writer(database.dedicated, RULES, HOUR_US)
    for start in range(0, 399, 57):
        writer.write(
            [Arrival(clusters["test"], "t", decode_lines(b"\n".join(raws[start : start + 57][::-1])))]
        )
    writer.close()
    ids = [event.auditID for event in decode_lines(b"\n".join(raws)).events]
    with database.read() as connection:
        (found,) = with_evidence(connection, list_findings(connection, Wanted(cluster="test")), most=100)
        assert (found.count, found.evidence[1:]) == (400, tuple(ids[:99]))
        shown = evidence_of(connection, found.id, 5)
        assert [one.audit_id for one in shown[1:]] == ids[:4]
        assert with_evidence(connection, []) == []
