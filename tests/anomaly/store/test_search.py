"""Questions about stored events, held against a plain filter over the same events in Python."""

import ipaddress
import itertools
import random
import re
from datetime import timedelta
from zlib import crc32

import pytest

from anomaly.events.decode import decode_lines
from anomaly.events.key import microseconds, received_at
from anomaly.query import QueryInvalid, read
from anomaly.query.fields import OUTCOMES
from anomaly.query.tree import Amount, Edge, Pattern, Period, Span, Text, When, all_of
from anomaly.redaction import Redactor
from anomaly.rules import pack
from anomaly.store.clusters import ensure_cluster
from anomaly.store.search import Asked, count_events, search_events
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from tests.anomaly.store.state import HOUR_US, recorded

WILD = [
    raw_event("pods", "get", name=name, by=f"{name}@example.com", agent=f"agent {name}", at=number)
    for number, name in enumerate(
        ("a_b", "axb", "a%b", "aab", "a\\b", "a\\\\b", "a*b", "a b/c", "c", "x" * 600, "", "é")
    )
]
MANY = 2_000


@pytest.fixture(scope="module")
def stored(postgres):
    """The first events of the recorded log, and strange ones, in one cluster; some in another."""
    raws = recorded(MANY) + WILD
    with postgres.clone() as database:
        with database.begin() as connection:
            clusters = {name: ensure_cluster(connection, name) for name in ("prod", "test")}
        writer = Writer(database.dedicated, pack(), HOUR_US)
        for name, chosen in (("prod", raws), ("test", raws[:50])):
            writer.write([Arrival(clusters[name], "t", decode_lines(b"\n".join(chosen)))])
        writer.close()
        # What is kept is what redaction leaves.
        decoded = Redactor().redact(decode_lines(b"\n".join(raws))).decoded
        events = list(zip(decoded.events, decoded.shapes, decoded.raws, strict=True))
        assert len(events) > MANY
        yield database, events


def like(text, pattern):
    """`*` stands for anything but nothing at all: --acting-as '*' asks for those who acted as somebody."""
    return (
        bool(text)
        and re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None
    )


def outcome(shape):
    if not shape.allowed:
        return {"refused"}
    return {"allowed", "failed" if shape.code >= 400 else "ok"}


READERS = {
    "users": lambda event, shape: shape.identity.username,
    "acting_as": lambda event, shape: shape.impersonated.username if shape.impersonated else "",
    "verbs": lambda event, shape: shape.verb,
    "resources": lambda event, shape: shape.resource_text,
    "namespaces": lambda event, shape: shape.namespace,
    "names": lambda event, shape: event.objectRef.name if event.objectRef else "",
    "agents": lambda event, shape: shape.agent,
    "addresses": lambda event, shape: shape.address,
}


FIELD = {name: name.removesuffix("s") for name in READERS} | {"acting_as": "as", "addresses": "address"}


def asked_for(cluster="prod", oldest_first=False, final_only=False, **wanted):
    """The question as a tree."""
    nodes = [Text("cluster", (Pattern((cluster,)),))] if cluster else []
    nodes += [Text(FIELD[name], tuple(map(Pattern.of, wanted[name]))) for name in READERS if name in wanted]
    if "codes" in wanted:
        nodes.append(Amount("code", tuple(Span(code, code) for code in wanted["codes"])))
    if "outcome" in wanted:
        nodes.append(Text("outcome", (Pattern((wanted["outcome"],)),)))
    if "audit_id" in wanted:
        nodes.append(Text("audit", (Pattern((wanted["audit_id"],)),)))
    if "since" in wanted or "until" in wanted:
        low = Edge(microseconds(wanted["since"])) if "since" in wanted else None
        high = Edge(microseconds(wanted["until"]) - 1) if "until" in wanted else None
        nodes.append(When((Period(low, high),)))
    return Asked(all_of(nodes), START, None, not final_only, oldest_first)


def search(connection, question, limit=100_000):
    """Every page of the answer, small ones, so that cursors are followed too."""
    found, cursor = [], None
    while True:
        page = search_events(connection, question, cursor, min(limit, 700), raw=True)
        found += page.found
        cursor = page.cursor
        if cursor is None or len(found) >= limit:
            return found[:limit]


def count(connection, question):
    total, whole = count_events(connection, question)
    assert whole
    return total


def answers(question, events):
    """The raw bytes of the events that answer it."""
    for event, shape, raw in events:
        moment = received_at(event)
        if (
            all(
                field not in question or any(like(tell(event, shape), text) for text in question[field])
                for field, tell in READERS.items()
            )
            and ("codes" not in question or shape.code in question["codes"])
            and ("outcome" not in question or question["outcome"] in outcome(shape))
            and ("audit_id" not in question or question["audit_id"] == event.auditID)
            and ("since" not in question or moment >= question["since"])
            and ("until" not in question or moment < question["until"])
            and (not question.get("final_only") or shape.final)
        ):
            yield raw


def ask(stored, **asked):
    database, events = stored
    question = asked_for(**asked)
    with database.read() as connection:
        found = search(connection, question)
        assert count(connection, question) == len(found)
    expected = list(answers(asked, events))
    assert sorted(one.raw for one in found) == sorted(expected)
    assert [one.received_at for one in found] == sorted(
        (one.received_at for one in found), reverse=not question.oldest_first
    )
    return found


def questions():
    """Some hundred: every field by itself with real values and patterns, and random pairs and triples of them."""
    decoded = decode_lines(b"\n".join(recorded(MANY)))
    events = list(zip(decoded.events, decoded.shapes, strict=True))
    rng = random.Random(7)
    single = [{"outcome": one} for one in OUTCOMES] + [
        {"codes": (200, 201)},
        {"codes": (404,)},
        {"final_only": True},
    ]
    for field, tell in READERS.items():
        values = sorted({tell(event, shape) for event, shape in events} - {""})
        chosen = rng.sample(values, min(4, len(values)))
        single += [{field: (value,)} for value in chosen] + [{field: (f"{value[:4]}*",)} for value in chosen]
        single += [
            {field: ("*",)},
            {field: ("nobody has this",)},
            {field: (*chosen, "nobody")},
            {field: (f"*{chosen[0][-3:]}" if chosen else "x*",)},
        ]
    times = sorted(received_at(event) for event, _ in events)
    single += [{"since": times[700]}, {"until": times[700]}, {"since": times[100], "until": times[900]}]
    mixed = ([*rng.sample(single, 2 + number % 2)] for number in range(80))
    return single + [dict(itertools.chain.from_iterable(map(dict.items, parts))) for parts in mixed]


@pytest.mark.parametrize(
    "few", [pytest.param(200, id="few numbers one by one"), pytest.param(1, id="many numbers hashed")]
)
def test_answers_are_those_of_a_plain_filter(stored, monkeypatch, few):
    monkeypatch.setattr("anomaly.store.conditions._FEW", few)
    asked = questions()
    sizes = [len(ask(stored, **one)) for one in asked if one != {"users": ("*",)}]
    assert len(sizes) > 120
    # Neither all of them empty nor all of them everything.
    assert sum(0 < size < MANY for size in sizes) > 60


def test_what_means_anything_elsewhere_means_itself_here(stored):
    for text in ("a_b", "a%b", "a\\b", "a\\\\b", "c", "a b/c", "x" * 600, "é"):
        for field, value in (
            ("names", text if len(text) < 400 else f"{text[:300]}*"),
            ("users", f"{text}@example.com"),
            ("agents", f"agent {text}"),
        ):
            (found,) = ask(stored, **{field: (value,)})
            assert found.event().userAgent == f"agent {text}"
    assert {one.name for one in ask(stored, names=("a*b",))} == {
        "a_b",
        "axb",
        "a%b",
        "aab",
        "a\\b",
        "a\\\\b",
        "a*b",
    }
    assert [one.name for one in ask(stored, names=("a_*",))] == ["a_b"]


def test_an_empty_pattern_finds_nothing_it_should_not(stored):
    assert ask(stored, users=("",)) == []


def test_an_address_may_be_a_network(stored):
    database, events = stored
    addresses = sorted({shape.address for _, shape, _ in events} - {""})
    assert len(addresses) > 1
    some = addresses[0]
    wide = f"{some}/{8 if ':' not in some else 16}"
    network = ipaddress.ip_network(wide, strict=False)
    expected = sum(
        bool(shape.address) and ipaddress.ip_address(shape.address) in network for _, shape, _ in events
    )
    with database.read() as connection:
        assert count(connection, asked_for(addresses=(wide,))) == expected > 0
        assert count(connection, asked_for(addresses=("198.18.0.0/24",))) == 0
        everywhere = asked_for(addresses=("0.0.0.0/0", "::/0"))
        assert count(connection, everywhere) == sum(bool(shape.address) for _, shape, _ in events)
    with pytest.raises(QueryInvalid, match="no network"):
        read("address:10.0.0.0/99")


def test_an_empty_namespace_asks_for_what_is_in_none(stored):
    database, events = stored
    none = sum(not shape.namespace for _, shape, _ in events)
    shop = sum(shape.namespace == "kube-system" for _, shape, _ in events)
    assert none and shop
    with database.read() as connection:
        assert count(connection, asked_for(namespaces=("",))) == none
        assert count(connection, asked_for(namespaces=("", "kube-system"))) == none + shop


def test_each_answer_says_what_its_event_says(stored):
    _, events = stored
    by_raw = {raw: (event, shape) for event, shape, raw in events}
    for one in ask(stored, final_only=False)[:400]:
        event, shape = by_raw[one.raw]
        assert (one.verb, one.resource, one.namespace) == (shape.verb, shape.resource_text, shape.namespace)
        assert (one.user, one.code, one.allowed) == (shape.identity.username, shape.code, shape.allowed)
        assert (one.stage, one.level, one.address) == (shape.stage, shape.level, shape.address)
        assert one.name == (
            event.objectRef.name if event.objectRef and len(event.objectRef.name) < 400 else one.name
        )
        assert (one.audit_id, one.received_at, one.cluster) == (event.auditID, received_at(event), "prod")


def test_limits_order_and_clusters(stored):
    database, events = stored
    with database.read() as connection:
        newest = search(connection, asked_for(), 5)
        oldest = search(connection, asked_for(oldest_first=True), 5)
        everything = search(connection, asked_for(None))
        assert count(connection, asked_for("test")) == 50
        assert search(connection, asked_for("nowhere")) == []
        assert count(connection, asked_for("nowhere")) == 0
    times = sorted(received_at(event) for event, _, _ in events)
    assert [one.received_at for one in newest] == times[:-6:-1]
    assert [one.received_at for one in oldest] == times[:5]
    assert len(everything) == len(events) + 50


def test_forged_ids_with_the_same_checksum_hide_nothing(database):
    """CRC-32 is no secret: an attacker can send as many ids with the checksum of another as a page holds."""
    wanted = "wanted-0"
    target = crc32(wanted.encode())
    same = [_forge(f"forged-{head}-".encode(), target) for head in range(3)]
    raws = [raw_event(audit_id=one, at=10 + number) for number, one in enumerate(same)] + [
        raw_event(audit_id=wanted, at=0)
    ]
    with database.begin() as connection:
        cluster = ensure_cluster(connection, "prod")
    writer = Writer(database.dedicated, pack(), HOUR_US)
    writer.write([Arrival(cluster, "t", decode_lines(b"\n".join(raws)))])
    writer.close()
    with database.read() as connection:
        (found,) = search(connection, asked_for(None, audit_id=wanted))
        assert (found.audit_id, found.received_at) == (wanted, START)
        assert count(connection, asked_for(None, audit_id=wanted)) == 1
        assert count(connection, asked_for(None, since=START, until=START + timedelta(days=1))) == 4


def _forge(head, target):
    """An ASCII text that begins with `head` and has the CRC-32 `target`: CRC is linear, so it is solved for, not searched."""
    bits = 48
    base = crc32(head + bytes([0x40]) * bits)
    rows = []
    for place in range(bits):
        text = bytearray([0x40]) * bits
        text[place] ^= 1
        rows.append((crc32(head + bytes(text)) ^ base, 1 << place))
    need, chosen = target ^ base, 0
    for bit in range(32):
        pivot = next((row for row in rows if row[0] >> bit & 1), None)
        assert pivot is not None
        rows = [
            (row[0] ^ pivot[0], row[1] ^ pivot[1]) if row[0] >> bit & 1 else row
            for row in rows
            if row is not pivot
        ]
        if need >> bit & 1:
            need, chosen = need ^ pivot[0], chosen ^ pivot[1]
    tail = bytes(0x40 ^ (chosen >> place & 1) for place in range(bits))
    assert crc32(head + tail) == target
    return (head + tail).decode()
