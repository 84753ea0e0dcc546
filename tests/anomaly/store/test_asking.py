"""Any question at all, held against a plain filter over the same events in Python; suggestions and histograms beside it."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomaly.errors import UsageError
from anomaly.events.decode import decode_lines
from anomaly.events.key import microseconds, received_at
from anomaly.query import read, write
from anomaly.query.deep import READ, texts
from anomaly.query.tree import Amount, And, Edge, Not, Or, Pattern, Period, Span, When, Word, asks_for
from anomaly.redaction import Redactor
from anomaly.rules import pack
from anomaly.store.clusters import ensure_cluster
from anomaly.store.conditions import Conditions, kind_of
from anomaly.store.histogram import histogram
from anomaly.store.reading import weigh
from anomaly.store.search import Asked, count_events, one_event, search_events
from anomaly.store.suggest import suggest
from anomaly.store.tables import finding
from anomaly.store.terms import storable
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from tests.anomaly.query.trees import leaves, trees
from tests.anomaly.store.state import HOUR_US, recorded

ODD = [
    raw_event("pods", "get", name="100%_a\\b", by="A*b@example.com", agent='"quoted" (agent)', at=2),
    raw_event("secrets", "list", by="eve@example.com", code=403, at=4, acting_as="root"),
    raw_event("/healthz/'; DROP TABLE event; --", "get", by="", code=401, at=5, stage="ResponseStarted", agent="\x00\u202e"),
    raw_event("pods/exec", "create", name="web", by="system:serviceaccount:ci:deployer", at=6, address="10.1.2.3",
              uri="/api/v1/pods?labelSelector=a%3Db", groups=["system:masters"]),
]  # fmt: skip
LETTERS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


class Stored(tuple):
    """Two thousand events would make hypothesis' account of an example too long to be made at all."""

    __slots__ = ()

    def __repr__(self):
        return "stored"


@pytest.fixture(scope="module")
def stored(postgres):
    """Some of the recorded log and odd events, in two clusters."""
    with postgres.clone() as database:
        writer = Writer(database.dedicated, pack(), HOUR_US)
        kept = []
        for name, raws in (("prod", recorded(600) + ODD), ("test", recorded(900)[600:])):
            with database.begin() as connection:
                number = ensure_cluster(connection, name)
            decoded = decode_lines(b"\n".join(raws))
            writer.write([Arrival(number, "t", decoded)])
            # What is kept is what redaction leaves.
            left = Redactor().redact(decoded).decoded
            kept += [(name, *one) for one in zip(left.events, left.shapes, left.raws, strict=True)]
        writer.close()
        with database.dedicated(autocommit=True) as connection:
            connection.execute("ANALYZE")
        yield Stored((database, kept))


def values_of(event, shape):
    return {
        "user": storable(shape.identity.username),
        "verb": shape.verb,
        "resource": storable(shape.resource_text),
        "namespace": shape.namespace,
        "name": storable(event.objectRef.name) if event.objectRef else "",
        "agent": storable(shape.agent),
        "address": shape.address,
        "as": shape.impersonated.username if shape.impersonated else "",
        "stage": shape.stage,
        "level": shape.level,
    }


def numbers_of(event, shape, raw):
    stage = event.stageTimestamp or received_at(event)
    latency = microseconds(stage) - microseconds(received_at(event))
    return {"code": shape.code, "latency": max(latency, 0), "size": len(raw)}


def outcomes(shape):
    return {"refused"} if not shape.allowed else {"allowed", "failed" if shape.code >= 400 else "ok"}


def answers(node, one):
    """The language once more, as plainly as it can be said."""
    cluster, event, shape, raw = one
    if isinstance(node, And):
        return all(answers(part, one) for part in node.nodes)
    if isinstance(node, Or):
        return any(answers(part, one) for part in node.nodes)
    if isinstance(node, Not):
        return not answers(node.node, one)
    if isinstance(node, When):
        moment, now = microseconds(received_at(event)), microseconds(START)
        return any(
            (period.low is None or moment >= period.low.at(now))
            and (period.high is None or moment <= period.high.at(now))
            for period in node.periods
        )
    known = values_of(event, shape)
    if isinstance(node, Word):
        place = f"{known['resource']} {known['namespace']}/{known['name']}" if known["name"] else ""
        found = [known[name] for name in ("user", "verb", "resource", "namespace", "agent", "address", "as")]
        wanted = Pattern(
            ("", *(part.replace("\x00", "\u2400").translate(LETTERS) for part in node.parts), "")
        )
        return any(wanted.matches(text.translate(LETTERS)) for text in (*found, place))
    if isinstance(node, Amount):
        return any(span.holds(numbers_of(event, shape, raw)[node.field]) for span in node.spans)
    if node.field == "outcome":
        return any(pattern.parts[0] in outcomes(shape) for pattern in node.patterns)
    if node.field == "kind":
        return any(pattern.parts[0] == shape.identity.kind.value for pattern in node.patterns)
    if node.field == "cluster":
        return any(pattern.matches(cluster) for pattern in node.patterns)
    if node.field == "finding":
        return False
    if node.field in READ:
        return any(
            pattern.matches(text)
            for pattern in node.patterns
            for text in texts(node.field, event, shape, raw)
        )
    return any(pattern.matches(known[node.field]) for pattern in node.patterns)


def pool():
    """Values that occur, whole or in part, for each field: a question that finds nothing tests little."""
    decoded = decode_lines(b"\n".join(recorded(600) + ODD))
    found, moments = {}, []
    for event, shape, raw in zip(decoded.events, decoded.shapes, decoded.raws, strict=True):
        moments.append(microseconds(received_at(event)))
        for name, text in values_of(event, shape).items():
            found.setdefault(name, set()).add(text)
        for name in READ - {"raw"}:
            found.setdefault(name, set()).update(texts(name, event, shape, raw))
    found["cluster"] = {"prod", "test", "nowhere"}
    found["raw"] = {"labelSelector", "kube-system", '"verb":"get"'}

    def some(texts_of_it):
        # A few dozen of each are enough, and more is more than hypothesis likes to describe.
        texts_of_it = sorted(texts_of_it, key=lambda text: (len(text) > 60, text))[:25]
        whole = st.sampled_from(sorted(text for text in texts_of_it if "\x00" not in text))
        part = st.tuples(whole, st.integers(1, 9), st.integers(0, 2)).map(
            lambda made: Pattern(
                [
                    (made[0][: made[1]], ""),
                    ("", made[0][-made[1] :]),
                    ("", made[0][1 : 1 + made[1]] or "x", ""),
                ][made[2]]
            )
        )
        return whole.map(lambda text: Pattern((text,))) | part

    fields = {
        name: some(texts_of_it) for name, texts_of_it in found.items() if name not in ("stage", "level")
    }
    fields["code"] = st.sampled_from(
        [Span(200, 200), Span(400, None), Span(None, 399), Span(403, 404), Span(0, 10**12)]
    )
    fields["latency"] = st.sampled_from([Span(None, 5_000), Span(1_000, 20_000), Span(10**12, None)])
    fields["size"] = st.sampled_from([Span(None, 1_500), Span(1_000, 2_000)])
    edge = st.sampled_from(sorted(moments)[::40]).map(Edge)
    times = st.tuples(edge, edge).map(lambda pair: Period(*sorted(pair, key=lambda one: one.us))) | edge.map(
        Period
    )
    words = st.sampled_from(
        ["secrets", "KUBE", "get", "web", "10.", "eve", "100%", "_a\\", "(agent)", "nobody", "b@E"]
    )
    return leaves(fields, words, times)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(node=trees(pool()), oldest_first=st.booleans(), scope=st.sampled_from([None, frozenset(["test"])]))
def test_answers_are_those_of_a_plain_filter(stored, node, oldest_first, scope):
    database, kept = stored
    asked = Asked(node, START, scope, oldest_first=oldest_first)
    staged = asks_for(node, "stage", "audit", "finding")
    expected = sorted(
        one[3]
        for one in kept
        if answers(node, one) and (staged or one[2].final) and (not scope or one[0] in scope)
    )
    found, cursor = [], None
    with database.read() as connection:
        while True:
            page = search_events(connection, asked, cursor, 90, raw=True)
            found += page.found
            if (cursor := page.cursor) is None:
                break
        assert sorted(one.raw for one in found) == expected, write(node)
        assert count_events(connection, asked) == (len(expected), True)
        bars = histogram(connection, asked, 20)
        if bars is not None and bars.exact:
            assert bars.total == len(expected)
        assert weigh(connection, asked).rows >= 0
    order = [(one.received_at, one.event_key) for one in found]
    assert order == sorted(order, reverse=not oldest_first)


def ask(connection, text, **more):
    return search_events(connection, Asked(read(text), START, **more), None, 100, raw=True)


def test_raw_events_are_read_within_a_bound_and_the_cursor_goes_on(stored, monkeypatch):
    database, kept = stored
    monkeypatch.setattr("anomaly.store.search.MOST_READ", 100)
    asked = Asked(read("group:system:masters"), START)
    expected = sum("system:masters" in shape.user.groups and shape.final for _, _, shape, _ in kept)
    with database.read() as connection:
        page = search_events(connection, asked, None, 1_000)
        assert page.cut and page.read == 100 and page.cursor
        assert count_events(connection, asked, 100)[1] is False
        found = len(page.found)
        while page.cursor:
            page = search_events(connection, asked, page.cursor, 1_000)
            found += len(page.found)
        assert found == expected > 0
        reading = weigh(connection, asked)
    assert (reading.raw, reading.to_read) == (("group",), sum(shape.final for _, _, shape, _ in kept))
    assert "would have to be read" in reading.words()


def test_what_no_index_serves_is_said_with_the_number_of_rows(stored):
    database, kept = stored
    with database.read() as connection:
        said = weigh(connection, Asked(read("resource:secrets code:403"), START))
        assert (said.unindexed, said.rows) == (("resource", "code"), len(kept))
        assert said.words() == f"No index serves resource and code: about {len(kept):,} rows are compared."
        assert weigh(connection, Asked(read("resource:secrets user:eve@example.com"), START)).words() == ""
        assert weigh(connection, Asked(read("user:* verb:get"), START)).rows == len(kept)
        assert weigh(connection, Asked(read(""), START)).words() == ""


def test_what_never_occurred_is_named(stored):
    database, _ = stored
    with database.read() as connection:
        page = ask(connection, "verb:GET user:eve@example.com")
    assert (page.found, page.missing) == ([], (("verb", "GET"),))


def test_the_events_behind_a_finding_are_a_question_too(stored):
    database, _ = stored
    with database.read() as connection:
        number = connection.execute(finding.select().limit(1)).first()
        page = ask(connection, f"finding:{number.id}")
        assert len(page.found) == number._mapping[finding.c.count] > 0
        assert ask(connection, f"finding:{UUID(int=1)}").found == []
        hidden = search_events(connection, Asked(read(f"finding:{number.id}"), START, frozenset()), None, 10)
        assert hidden.found == []


def test_one_event_is_found_by_its_key_within_sight(stored):
    database, _ = stored
    with database.read() as connection:
        (one,) = ask(connection, "user:eve@example.com").found
        assert one_event(connection, one.cluster, one.received_at, one.event_key) == one
        assert one_event(connection, one.cluster, one.received_at, one.event_key, frozenset(["test"])) is None
        assert one_event(connection, "test", one.received_at, one.event_key) is None


@pytest.mark.parametrize("cursor", ["", "x", "1-2-3", "99999999999999999999-" + "0" * 32 + "-1"])
def test_a_cursor_that_is_none_is_refused(stored, cursor):
    database, _ = stored
    with database.read() as connection, pytest.raises(UsageError, match="cursor"):
        search_events(connection, Asked(read(""), START), cursor)


def test_suggestions_come_most_frequent_first_and_only_from_what_may_be_seen(stored):
    database, kept = stored
    users = [storable(shape.identity.username) for _, _, shape, _ in kept]
    with database.read() as connection:
        found = suggest(connection, "user", "", 5)
        assert found[0].value == max(set(users), key=users.count)
        counts = [one.events or 0 for one in found]
        assert counts == sorted(counts, reverse=True) and counts[0] == users.count(found[0].value)
        assert [one.value for one in suggest(connection, "user", "eve")] == ["eve@example.com"]
        assert suggest(connection, "user", "eve", clusters=frozenset(["test"])) == []
        assert [one.value for one in suggest(connection, "as", "ro")] == ["root"]
        assert suggest(connection, "as", "ro", clusters=frozenset(["test"])) == []
        assert "100%_a\\b" in [one.value for one in suggest(connection, "name", "100%_")]
        assert suggest(connection, "name", "100", clusters=frozenset(["prod"])) == []
        assert [one.value for one in suggest(connection, "outcome", "r")] == ["refused"]
        assert [one.value for one in suggest(connection, "cluster", "", clusters=frozenset(["test"]))] == [
            "test"
        ]
        assert {one.value for one in suggest(connection, "ns", "")} >= {"shop", "kube-system"}
        assert suggest(connection, "nothing", "") == suggest(connection, "message", "") == []


def test_a_histogram_has_buckets_people_count_in(stored):
    database, kept = stored
    with database.read() as connection:
        found = histogram(connection, Asked(read("cluster:test"), START), 30)
        assert len(found.counts) <= 30 and found.width in {
            timedelta(seconds=one) for one in (1, 2, 5, 10, 15, 30, 60)
        }
        assert found.total == sum(name == "test" and shape.final for name, _, shape, _ in kept)
        assert histogram(connection, Asked(read("cluster:nowhere time:2001-01-01"), START)) is None
        deep = histogram(connection, Asked(read("group:nobody cluster:test"), START))
    assert (deep.exact, deep.total) == (False, found.total)


def test_the_kind_of_a_caller_follows_from_the_name_that_is_kept(stored):
    database, kept = stored
    for _, _, shape, _ in kept:
        assert kind_of(storable(shape.identity.username)) is shape.identity.kind
    with database.read() as connection:
        assert Conditions(connection, START).missing == []
