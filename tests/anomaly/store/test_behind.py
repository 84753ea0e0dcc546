"""The events behind a window are those that added a term to it, whether their rows say so or they have to be unpacked."""

from collections import defaultdict
from datetime import timedelta

import pytest
import sqlalchemy

from anomaly.events.decode import decode_lines
from anomaly.events.key import received_at
from anomaly.redaction import Redactor
from anomaly.rules import pack
from anomaly.store.behind import Asked, evidence_in_windows
from anomaly.store.clusters import ensure_cluster
from anomaly.store.looked import look
from anomaly.store.terms import storable
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import raw_event
from anomaly.windows.dimension import Dimension
from anomaly.windows.terms import event_terms, shape_terms
from tests.anomaly.store.state import HOUR_US, recorded

DEPLOYMENT = {
    "spec": {
        "template": {
            "spec": {
                "hostPID": True,
                "containers": [{"image": "evil.example/x:1", "securityContext": {"privileged": True}}],
            }
        }
    }
}
BINDING = {"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": []}
REVIEW = {"spec": {"resourceAttributes": {"verb": "create", "resource": "pods", "subresource": "exec"}}}
CREDENTIAL = "authentication.kubernetes.io/credential-id"
ODD = [
    raw_event("pods/exec", "create", name="web-0", stage="ResponseStarted", code=101),
    raw_event("pods/exec", "create", name="web-0", code=101, at=1),
    raw_event("pods", "watch", stage="ResponseStarted", at=2),
    raw_event("secrets", "get", name="db", at=3),
    raw_event("secrets", "list", code=403, at=4),
    raw_event("configmaps", "delete", name="a", at=5),
    raw_event("/healthz/etcd/deep/er", "get", at=6),
    raw_event("/", "get", code=404, at=7),
    raw_event("apps/deployments", "create", name="x", level="Request", body=DEPLOYMENT, at=8),
    raw_event(
        "rbac.authorization.k8s.io/clusterrolebindings",
        "create",
        name="b",
        level="Request",
        body=BINDING,
        at=9,
    ),
    raw_event("authorization.k8s.io/selfsubjectaccessreviews", "create", level="Request", body=REVIEW, at=10),
    raw_event("pods", "get", name="y", acting_as="root", at=11),
    raw_event(
        "pods", "get", name="z", annotations={CREDENTIAL: "JTI=1"}, extra={CREDENTIAL: ["JTI=1"]}, at=12
    ),
    raw_event("pods", "get", name="q" * 700, agent="n\0ul", at=13),
    raw_event("pods/exec", "create", name="r" * 700, agent="a" * 900, at=15),
    raw_event("p" * 500, "list", namespace="n" * 100, agent="b", at=16),
    raw_event("/x", "get", uri="secrets", at=17, code=403, by="opaque@example.com"),
    raw_event("pods", "get", name="v", impersonatedUser={"groups": ["admins"]}, at=18),
    raw_event("pods", "get", name="w", sourceIPs=["198.51.100.1", "203.0.113.7"], at=14),
]


@pytest.fixture(scope="module")
def stored(postgres):
    """The recorded log and events of every other kind; with them, by entity, when each came, its key and its terms."""
    raws = recorded(2_500) + ODD
    with postgres.clone() as database:
        with database.begin() as connection:
            cluster = ensure_cluster(connection, "prod")
        writer = Writer(database.dedicated, pack(), HOUR_US)
        writer.write([Arrival(cluster, "t", decode_lines(b"\n".join(raws)))])
        writer.close()
        sent = decode_lines(b"\n".join(raws))
        kept = Redactor().redact(sent).decoded
        truth = defaultdict(list)
        for event, shape, key in zip(kept.events, kept.shapes, look(sent).keys, strict=True):
            added = (*shape_terms(shape), *event_terms(event, shape))
            terms = {(dimension, storable(text)) for dimension, text in added}
            truth[shape.identity.username].append((received_at(event), key.hex(), terms))
        with database.begin() as connection:
            rows = connection.execute(sqlalchemy.text("SELECT username, id FROM anomaly.entity")).all()
        yield database, {row.id: truth[row.username] for row in rows}


def asked_of(entity, events, terms, most=20_000):
    moments = [at for at, _, _ in events]
    return Asked(entity, min(moments), max(moments) + timedelta(seconds=1), frozenset(terms), most)


def right(events, terms):
    return sorted({(at, key) for at, key, own in events if not own.isdisjoint(terms)})


def test_each_term_points_to_the_events_that_added_it_and_no_other(stored):
    database, truth = stored
    asked, expected = [], []
    for entity, events in truth.items():
        for term in sorted(set().union(*(own for _, _, own in events))):
            asked.append(asked_of(entity, events, [term]))
            expected.append(right(events, [term]))
    with database.begin() as connection:
        found = evidence_in_windows(connection, asked)
    dimensions = {term[0] for one in asked for term in one.terms}
    assert dimensions >= set(Dimension) - {Dimension.MINUTE, Dimension.BYTES}
    wrong = [
        one.terms
        for one, events, wanted in zip(asked, found, expected, strict=True)
        if [(at, key.hex) for at, key in events] != wanted
    ]
    assert wrong == [] and len(asked) > 500


def test_several_terms_together_and_parts_of_a_window(stored):
    database, truth = stored
    asked, expected = [], []
    for entity, events in truth.items():
        terms = sorted(set().union(*(own for _, _, own in events)))
        for start in range(min(7, len(terms))):
            chosen = terms[start::7][:24]
            middle = sorted(events)[len(events) // 2][0]
            one = asked_of(entity, events, chosen)
            asked.append(Asked(entity, one.start, middle, one.terms))
            expected.append(right([event for event in events if event[0] < middle], chosen))
    with database.begin() as connection:
        found = evidence_in_windows(connection, asked)
    assert [[(at, key.hex) for at, key in events] for events in found] == expected


def test_rows_that_tell_are_not_unpacked(stored, monkeypatch):
    database, truth = stored
    unpacked = []

    def counting(connection, wanted):
        unpacked.append(sum(map(len, wanted.values())))
        return iter(())

    monkeypatch.setattr("anomaly.store.behind.chunks_of", counting)
    entity, events = max(truth.items(), key=lambda pair: len(pair[1]))
    actions = {term for _, _, own in events for term in own if term[0] is Dimension.ACTION}
    with database.begin() as connection:
        (found,) = evidence_in_windows(connection, [asked_of(entity, events, actions)])
    assert unpacked == [0] and len(found) == len(right(events, actions)) > 100


def test_only_the_first_events_of_a_window_are_looked_at(stored):
    database, truth = stored
    entity, events = max(truth.items(), key=lambda pair: len(pair[1]))
    with database.begin() as connection:
        (found,) = evidence_in_windows(connection, [asked_of(entity, events, [(Dimension.REQUESTS, "")], 10)])
    first = sorted((at, key) for at, key, _ in events)[:10]
    assert {(at, key.hex) for at, key in found} <= set(first)
