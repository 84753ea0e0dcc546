"""Replay: the same findings as if the rules had been there, with as little decoded as the columns and words allow."""

import random
from datetime import timedelta

import pytest

from anomaly.events.decode import decode_lines
from anomaly.rules import RuleSet, pack
from anomaly.rules.document import read_text
from anomaly.rules.pack import parse_all, rule_set
from anomaly.sources.files import open_source
from anomaly.store.clusters import ensure_cluster
from anomaly.store.findings import Wanted, list_findings
from anomaly.store.replay import Period, replay, stored_events
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from benchmarks.realistic import SAMPLE
from tests.anomaly.store.state import HOUR_US

CORRELATION = """
---
title: Burst
name: burst
correlation: {type: event_count, rules: [%s], group-by: [entity.username], timespan: 10m, condition: {gte: 2}, generate: true}
"""


def rules(*selections):
    text = "---\n".join(
        f"title: r{place}\nname: r{place}\ndetection:\n  s:\n    {lines}\n  condition: s\n"
        for place, lines in enumerate(selections)
    )
    found, problems = parse_all(read_text(text + CORRELATION % "r0", "t.yml"))
    assert not problems
    return rule_set(found)


def store(database, chosen, raws, cluster="prod"):
    with database.begin() as connection:
        number = ensure_cluster(connection, cluster)
    writer = Writer(database.dedicated, chosen, HOUR_US)
    for start in range(0, len(raws), 500):
        writer.write([Arrival(number, "t", decode_lines(b"\n".join(raws[start : start + 500])))])
    writer.close()
    return number


def some_events():
    """All sorts: verbs, people, refusals, bodies, paths, escapes, letters beyond ASCII, impersonation, nobody at all."""
    chance = random.Random(4)
    made = []
    for number in range(400):
        who = chance.choice(
            ["eve@example.com", "bob", "system:serviceaccount:shop:web", "", "system:anonymous"]
        )
        body = chance.choice(
            [
                None,
                {"spec": {"containers": [{"image": "evil/x", "securityContext": {"privileged": True}}]}},
                {"a": "KELVIN-\u212aelvin"},
            ]
        )
        made.append(
            raw_event(
                chance.choice(
                    [
                        "pods",
                        "pods/exec",
                        "secrets",
                        "apps/deployments",
                        "example.com/widgets",
                        "/healthz",
                        "foo/bar",
                    ]
                ),
                chance.choice(["get", "list", "create", "delete"]),
                by=who,
                groups=chance.choice([("dev",), ("root-like", "dev"), ()]),
                namespace=chance.choice(["shop", "", "kube-system"]),
                name=chance.choice(["", "web-0", "db", "Ärger"]),
                code=chance.choice([200, 201, 403, 401, 404, 500]),
                stage=chance.choice(
                    ["ResponseComplete", "ResponseComplete", "ResponseStarted", "RequestReceived", "Panic"]
                ),
                at=number * 20,
                body=body,
                agent=chance.choice(["kubectl/v1.33", "curl/8", ""]),
                acting_as=chance.choice(["", "", "system:admin"]),
            )
        )
    return [
        raw.replace(b'"evil/x"', b'"\\u0065vil/x"') if number % 3 else raw for number, raw in enumerate(made)
    ]


SELECTIONS = {
    "columns": ["resource: secrets\n    verb: list", "objectRef.resource: bar", "objectRef.subresource: exec\n    stage: ResponseStarted"],
    "people": ["user.username: bob", "entity.kind: anonymous", "user.username|exists: false", "impersonated: true"],
    "names": ["objectRef.name: web-0", "objectRef.name|exists: false", "objectRef.name|contains: rger"],
    "bodies": ["pod.containers[].image|startswith: evil", "requestObject.a|contains: kelvin-k", "pod.containers[].securityContext.privileged: true"],
    "groups": ["user.groups: root-like", "codeClass: 5xx", "refused: true", "interactive: true"],
    "words": ["user.groups: [root-like, other-like]"],
    "nothing": ["user.groups: nobody-is-in-it"],
    "path": ["path: /healthz", "decision: forbid", "responseStatus.code|gte: 404"],
    "namespace": ["objectRef.namespace: kube-system", "objectRef.namespace|exists: false\n    objectRef.apiGroup: example.com"],
}  # fmt: skip


def kept(database):
    with database.read() as connection:
        return {
            (one.id, one.name, one.start, one.end, one.count)
            for one in list_findings(connection, Wanted(limit=10_000))
        }


def told(made):
    at = lambda us: START + timedelta(microseconds=us - int(START.timestamp() * 1e6))  # noqa: E731
    return {(one.id, one.rule, at(one.start_us), at(one.end_us), one.count) for one in made.findings}


@pytest.mark.parametrize("sort", SELECTIONS)
@pytest.mark.parametrize("workers", [1, 2])
def test_replay_finds_what_the_service_would_have_found(database, monkeypatch, sort, workers):
    monkeypatch.setattr("anomaly.store.replay._FEW", 100)
    chosen = rules(*SELECTIONS[sort])
    store(database, chosen, some_events())
    before = kept(database)
    made = replay(database.dedicated, chosen, Period(), workers)
    assert made.events == 400
    assert told(made) == before
    assert before or sort == "nothing"
    assert kept(database) == before


def test_the_pack_over_the_sample_log_finds_what_the_service_found(database):
    with open_source(SAMPLE) as file:
        raws = b"".join(block.data for block in file.blocks()).split(b"\n")[:6_000]
    store(database, pack(), raws)
    made = replay(database.dedicated, pack(), Period(), 1)
    paused = {one for one in kept(database) if one[1] == "rule_paused"}
    assert not paused
    assert told(made) == kept(database)


def test_columns_spare_the_decoding_of_what_cannot_match(database):
    raws = [raw_event("pods", "get", name=f"p{number}", at=number) for number in range(200)]
    store(database, pack(), [*raws, raw_event("secrets", "list", at=300)])
    made = replay(database.dedicated, rules("resource: secrets\n    verb: list"), Period(), 1)
    assert (made.events, made.candidates, made.decoded, len(made.findings)) == (201, 1, 1, 1)
    nothing = replay(database.dedicated, rules("resource: nodes"), Period(), 1)
    assert (nothing.events, nothing.candidates, nothing.findings) == (201, 0, [])


def test_words_spare_the_decoding_of_what_columns_leave_open(database):
    raws = [raw_event("pods", "get", name=f"p{number}", at=number) for number in range(50)]
    store(database, pack(), [*raws, raw_event("pods", "get", at=300, groups=["root-like"])])
    made = replay(database.dedicated, rules("user.groups: root-like"), Period(), 1)
    assert (made.events, made.candidates, made.decoded, len(made.findings)) == (51, 51, 1, 1)


def test_period_and_cluster_narrow_what_is_read(database):
    raws = [raw_event("secrets", "list", at=hour * 3600) for hour in range(48)]
    number = store(database, pack(), raws)
    store(database, pack(), raws[:5], "other")
    chosen = rules("resource: secrets")
    period = Period(START + timedelta(hours=10), START + timedelta(hours=30), number)
    made = replay(database.dedicated, chosen, period, 1)
    assert (made.events, len([one for one in made.findings if one.rule == "r0"])) == (20, 20)
    with database.dedicated() as connection:
        assert sorted(raw for _, raw in stored_events(connection, period)) == sorted(raws[10:30])
        assert len(list(stored_events(connection, Period()))) == 53


def test_examples_are_the_earliest_with_who_and_why(database):
    store(
        database,
        pack(),
        [raw_event("secrets", "list", by="eve", at=at, audit_id=f"a{at}") for at in (9, 3, 5, 1)],
    )
    made = replay(database.dedicated, RuleSet(rules("resource: secrets").rules), Period(), 1)
    (one,) = made.findings
    assert [example.audit_id for example in one.examples] == ["a1", "a3", "a5"]
    assert one.count == 4 and one.examples[0].entity == "eve" and "secrets" in one.examples[0].why


def test_a_worker_that_fails_is_heard(database, monkeypatch):
    monkeypatch.setattr("anomaly.store.replay._FEW", 1)
    store(database, pack(), [raw_event("secrets", "list", at=at) for at in range(5)])
    calls = []

    def connect():
        calls.append(1)
        if len(calls) > 1:
            raise OSError("no more connections")
        return database.dedicated()

    with pytest.raises(Exception, match="no more connections"):
        replay(connect, rules("resource: secrets"), Period(), 2)
