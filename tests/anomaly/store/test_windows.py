"""The one promise all others rest on: stored windows are a fold over the stored events, whatever happened on the way."""

import itertools
import threading

import hypothesis
import psycopg
from hypothesis import strategies as st

from anomaly.events.decode import decode_lines
from anomaly.rules import pack
from anomaly.store.clusters import ensure_cluster
from anomaly.store.windows import Span, fold_all, fold_parts, read_windows
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from tests.anomaly.store.state import (
    HOUR_US,
    counted_firsts,
    counted_windows,
    stored_events,
    stored_firsts,
    stored_windows,
)

POD = {
    "spec": {
        "hostPID": True,
        "containers": [{"name": "a", "image": "quay.io/x/y:1", "securityContext": {"privileged": True}}],
    }
}
ROLE = {
    "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "User", "name": "eve"}],
}
REVIEW = {"spec": {"resourceAttributes": {"verb": "create", "resource": "pods", "subresource": "exec"}}}
HOUR, DAY = 3_600, 86_400
EXAMPLE = itertools.count()
EVENTS = [
    raw
    for turn, at in enumerate((0, 59.999999, 61, HOUR - 0.000001, HOUR, 5 * HOUR, DAY + 7, 3 * DAY, -DAY, -40 * DAY))
    for raw in (
        raw_event("pods", "get", name=f"web-{turn % 3}", at=at),
        raw_event("secrets", "list", by="system:serviceaccount:ci:deployer", at=at, code=403),
        raw_event("secrets", "get", name="db\0\u2400", by="nul\0user", at=at, agent="x" * 700),
        raw_event("pods/exec", "get", name="web-0", at=at, stage="ResponseStarted", code=101),
        raw_event("pods", "create", name="bad", body=POD, at=at, by="mallory@example.com", acting_as="root"),
        raw_event("clusterrolebindings", "create", namespace="", name="b", body=ROLE, at=at, code=409),
        raw_event("selfsubjectaccessreviews", "create", namespace="", body=REVIEW, at=at),
        raw_event("pods", "list", by="", at=at, stage="ResponseStarted", code=401),
        raw_event(f"/healthz/{turn}/deep/er/still", "get", by="system:node:n1", at=at),
        raw_event("pods", "delete", name="web-1", namespace="kube-system", at=at, stage="RequestReceived", code=0),
    )
]  # fmt: skip

PLANS = st.lists(
    st.tuples(
        st.sampled_from(["first", "second"]),
        st.lists(st.integers(0, len(EVENTS) - 1), max_size=25),
        st.sampled_from(["", "", "some", "all"]),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=8,
)


def lines(indexes):
    return decode_lines(b"\n".join(EVENTS[index] for index in indexes))


@hypothesis.given(plan=PLANS)
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=40)
def test_stored_windows_and_firsts_are_a_fold_over_the_stored_events(database, plan):
    """Any order, any batches, events twice in a batch and again in later ones, late ones, two clusters, two writers, some of
    it folded in between: never a difference from counting one event after the other."""
    number = next(EXAMPLE)
    with database.begin() as connection:
        clusters = {name: ensure_cluster(connection, f"{name}-{number}") for name in ("first", "second")}
    writers = [Writer(database.dedicated, pack(), HOUR_US) for _ in range(2)]
    sent = {name: [] for name in clusters}
    with database.dedicated(autocommit=True) as folder, database.dedicated() as reader:
        for cluster, indexes, folding, writer in plan:
            before = len(set(sent[cluster]))
            sent[cluster] += indexes
            (receipt,) = writers[writer].write([Arrival(clusters[cluster], "test", lines(indexes))])
            assert receipt.kept == len(set(sent[cluster])) - before
            assert receipt.kept + receipt.duplicates == len(indexes)
            if folding:
                fold_parts(folder, most=3) if folding == "some" else fold_all(folder)
        for name, cluster in clusters.items():
            everything = lines(sent[name])
            kept = [key for key in stored_events(reader) if key[0] == f"{name}-{number}"]
            assert len(kept) == len(set(sent[name]))
            assert stored_windows(reader, cluster) == counted_windows(everything)
            assert stored_firsts(reader, cluster) == counted_firsts(everything)
            reader.commit()
            fold_all(folder)
            assert stored_windows(reader, cluster) == counted_windows(everything)
    for writer in writers:
        writer.close()


def test_two_folders_and_two_writers_at_once_lose_and_double_nothing(database):
    with database.begin() as connection:
        cluster = ensure_cluster(connection, "busy")
    failures = []
    done = threading.Event()

    def guard(work, *arguments):
        try:
            work(*arguments)
        except BaseException as failure:
            failures.append(failure)

    def write(batches):
        writer = Writer(database.dedicated, pack(), HOUR_US)
        for indexes in batches:
            writer.write([Arrival(cluster, "test", lines(indexes))])
        writer.close()

    def fold():
        with database.dedicated(autocommit=True) as connection:
            while not done.is_set() or fold_parts(connection, most=7):
                fold_parts(connection, most=5)

    forward = [range(start, start + 10) for start in range(0, len(EVENTS), 5)]
    orders = [[list(part)[:: 1 if turn else -1] for part in forward[:: 1 if turn else -1]] for turn in (0, 1)]
    orders = [[[index % len(EVENTS) for index in part] for part in order] for order in orders]
    writing = [threading.Thread(target=guard, args=(write, order)) for order in orders]
    folding = [threading.Thread(target=guard, args=(fold,)) for _ in range(2)]
    for thread in (*writing, *folding):
        thread.start()
    for thread in writing:
        thread.join(60)
    done.set()
    for thread in folding:
        thread.join(60)

    assert not failures
    everything = lines(range(len(EVENTS)))
    with database.dedicated() as reader:
        assert reader.execute("SELECT count(*) FROM anomaly.window_part").fetchone() == (0,)
        assert stored_windows(reader, cluster) == counted_windows(everything)
        assert stored_firsts(reader, cluster) == counted_firsts(everything)


def test_how_many_windows_are_folded_adds_no_question_to_the_database(database):
    asked = []

    class Listening(psycopg.Cursor):
        def execute(self, query, *given, **named):
            asked.append(query)
            return super().execute(query, *given, **named)

    with database.begin() as connection:
        cluster = ensure_cluster(connection, "wide")
    writer = Writer(database.dedicated, pack(), HOUR_US)
    many = [raw_event(by=f"u{number}@example.com", at=number) for number in range(200)]
    with database.dedicated(autocommit=True) as folder:
        folder.cursor_factory = Listening
        for raws in (
            many[:1],
            many,
            [raw_event(by=f"u{number}@example.com", at=300) for number in range(200)],
        ):
            writer.write([Arrival(cluster, "test", decode_lines(b"\n".join(raws)))])
            assert fold_parts(folder) >= len(raws) - 1
    writer.close()
    with database.dedicated() as reader:
        (windows,) = reader.execute("SELECT count(*) FROM anomaly.entity_window").fetchone()

    assert windows == 200
    assert len(asked) <= 3 * 4


def test_folding_makes_a_judged_window_unjudged(database):
    with database.begin() as connection:
        cluster = ensure_cluster(connection, "judged")
    writer = Writer(database.dedicated, pack(), HOUR_US)
    with database.dedicated(autocommit=True) as connection:
        writer.write([Arrival(cluster, "test", decode_lines(raw_event(at=0)))])
        assert fold_all(connection) == 1
        connection.execute("UPDATE anomaly.entity_window SET scored_at = now()")
        writer.write([Arrival(cluster, "test", decode_lines(raw_event(at=5)))])
        assert fold_all(connection) == 1
        assert connection.execute(
            "SELECT count(scored_at), count(*) FROM anomaly.entity_window"
        ).fetchone() == (0, 1)
        assert fold_all(connection) == 0
    writer.close()


def test_a_span_chooses_by_time_cluster_and_entity(database):
    with database.begin() as connection:
        ours, theirs = (ensure_cluster(connection, name) for name in ("ours", "theirs"))
    writer = Writer(database.dedicated, pack(), HOUR_US)
    for cluster in (ours, theirs):
        for by in ("alice@example.com", "bob@example.com"):
            writer.write(
                [
                    Arrival(
                        cluster,
                        "t",
                        decode_lines(b"\n".join(raw_event(by=by, at=at) for at in (0, HOUR, 2 * HOUR))),
                    )
                ]
            )
    writer.close()
    with database.dedicated() as connection:
        alice = connection.execute(
            "SELECT id FROM anomaly.entity WHERE username = 'alice@example.com' AND cluster_id = %s", [ours]
        ).fetchone()[0]

        def count(**span):
            return read_windows(connection, Span(**span), HOUR_US).n

        second = START.replace(hour=10)
        assert (count(), count(cluster_id=ours), count(entity_ids=(alice,)), count(entity_ids=())) == (
            12,
            6,
            3,
            0,
        )
        assert (count(since=second), count(until=second)) == (8, 4)
        assert count(since=second, until=second.replace(hour=11), entity_ids=(alice,)) == 1


def test_nothing_stored_is_no_window(worker_database):
    with worker_database.dedicated() as connection:
        found = read_windows(connection, Span(cluster_id=30_000), HOUR_US)
    assert (found.n, len(found.terms)) == (0, 0)
