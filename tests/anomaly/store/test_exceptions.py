"""Exceptions and pauses in the store: what they hold back, that it is counted, and that nothing else changes."""

from datetime import timedelta

import pytest

from anomaly.errors import NotFound
from anomaly.events.decode import decode_lines
from anomaly.findings.exceptions import RuleException
from anomaly.findings.pausing import MOST_AN_HOUR, most
from anomaly.rules.document import read_text
from anomaly.rules.pack import parse_all, rule_set
from anomaly.store.clusters import ensure_cluster
from anomaly.store.exceptions import add_exception, end_exception, list_exceptions, preview
from anomaly.store.findings import Wanted, list_findings, with_evidence
from anomaly.store.pauses import list_held, list_pauses, resume
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from tests.anomaly.store.state import HOUR_US

RULES = """
title: Refused
name: refused
detection: {s: {refused: true}, condition: s}
---
title: Secret
name: secret
detection: {s: {resource: secrets, verb: get, allowed: true}, condition: s}
---
title: Burst
name: burst
correlation: {type: event_count, rules: [secret], group-by: [entity.username], timespan: 10m, condition: {gte: 2},
  generate: true}
"""


@pytest.fixture
def rules():
    found, problems = parse_all(read_text(RULES, "t.yml"))
    assert not problems
    return rule_set(found)


@pytest.fixture
def cluster(database):
    with database.begin() as connection:
        return ensure_cluster(connection, "prod")


@pytest.fixture
def writer(database, rules):
    writer = Writer(database.dedicated, rules, HOUR_US)
    yield writer
    writer.close()


def write(writer, cluster, *raws):
    (receipt,) = writer.write([Arrival(cluster, "t", decode_lines(b"\n".join(raws)))])
    return receipt


def refused(who="eve", at=0, **fields):
    return raw_event("pods", "list", by=f"{who}@example.com", code=403, at=at, **fields)


def secret(who="eve", at=0, name="db", **fields):
    return raw_event("secrets", "get", by=f"{who}@example.com", name=name, at=at, **fields)


def add(database, rule="refused", days=30, **scope):
    made = RuleException(rule, "ops", "known", START + timedelta(days=days), **scope)
    with database.begin() as connection:
        return add_exception(connection, made)


def findings(database):
    with database.read() as connection:
        return list_findings(connection, Wanted(limit=1_000))


def test_what_is_excepted_makes_no_finding_and_is_counted_and_listed(database, writer, cluster):
    number = add(database, entity="eve@*")
    receipt = write(writer, cluster, refused(), refused(at=5), refused("bob"))
    assert receipt.matches == 3
    assert [one.entity for one in findings(database)] == ["bob@example.com"]
    write(writer, cluster, refused(at=9))
    with database.read() as connection:
        (listed,) = list_exceptions(connection)
        (held,) = list_held(connection, "exception", number, 10)
    assert (listed.findings, listed.silenced) == (1, 3)
    assert (held.rule, held.entity, held.count) == ("refused", "eve@example.com", 3)
    assert (held.start, held.end) == (START, START + timedelta(seconds=9))


@pytest.mark.parametrize(
    "scope", [{"rule": "secret"}, {"namespace": "web"}, {"cluster": "test"}, {"name": "x"}]
)
def test_what_is_out_of_scope_stays_a_finding(database, writer, cluster, scope):
    add(database, **scope)
    write(writer, cluster, refused())
    assert [one.name for one in findings(database)] == ["refused"]


def test_an_exception_ends_by_the_time_of_the_event(database, writer, cluster):
    add(database, days=1, entity="*")
    write(writer, cluster, refused(at=2 * 86_400), refused("bob", at=86_400), refused("late", at=86_399))
    assert {one.entity for one in findings(database)} == {"eve@example.com", "bob@example.com"}


def test_an_exception_that_was_ended_no_longer_holds_and_cannot_be_ended_twice(database, writer, cluster):
    number = add(database)
    with database.begin() as connection:
        end_exception(connection, number, START)
    write(writer, cluster, refused())
    assert len(findings(database)) == 1
    with database.begin() as connection, pytest.raises(NotFound):
        end_exception(connection, number, START)
    with database.read() as connection:
        assert [one.exception.id for one in list_exceptions(connection)] == [number]
        assert list_exceptions(connection, START) == []


@pytest.mark.parametrize("rule", ["secret", "burst"])
def test_what_is_excepted_feeds_no_correlation(database, writer, cluster, rule):
    add(database, rule=rule, name="db")
    write(writer, cluster, secret(), secret(at=1), secret("bob", name="tls"), secret("bob", at=1, name="tls"))
    burst = [one.entity for one in findings(database) if one.name == "burst"]
    assert burst == ["bob@example.com"]


def test_a_preview_says_what_would_have_been_silenced_and_saves_nothing(database, writer, cluster):
    write(
        writer,
        cluster,
        *(refused(), refused(namespace="web"), refused("bob"), secret(), secret(at=3)),
        refused(at=86_400),
    )

    def tried(**scope):
        made = RuleException(scope.pop("rule", "refused"), "o", "r", START, **scope)
        with database.read() as connection:
            return preview(connection, made, ("refused", "secret", "burst"), START, START + timedelta(days=2))

    found = tried(entity="eve@*")
    assert (found.findings, found.partly, found.events, found.fed) == (2, 0, 3, 0)
    assert list(found.by_day.values()) == [1, 1]
    assert [example[2] for example in found.examples] == ["eve@example.com"] * 2
    part = tried(namespace="web")
    assert (part.findings, part.partly, part.events) == (0, 1, 1)
    assert tried(rule="secret", name="db").fed == 2
    assert tried(entity="nobody").events == tried(rule="secret", name="x").fed == 0
    with database.read() as connection:
        assert list_exceptions(connection) == []


def people(count, at=0.0):
    return [refused(f"u{number:03}", at=at + number) for number in range(count)]


def paused(database):
    with database.read() as connection:
        return list_pauses(connection)


def test_fifty_findings_an_hour_are_not_too_many(database, writer, cluster):
    write(writer, cluster, *people(MOST_AN_HOUR))
    assert len(findings(database)) == MOST_AN_HOUR and paused(database) == []


@pytest.mark.parametrize("size", [7, 80])
def test_a_rule_that_explodes_is_paused_with_a_finding_that_says_so(database, writer, cluster, size):
    raws = people(80)
    for start in range(0, 80, size):
        write(writer, cluster, *raws[start : start + size])
    found = findings(database)
    assert len([one for one in found if one.name == "refused"]) == MOST_AN_HOUR
    (said,) = [one for one in found if one.name == "rule_paused"]
    assert (
        said.severity == "medium" and said.kind == "rule" and "`anomaly rules resume refused`" in said.reason
    )
    with database.read() as connection:
        (said,) = with_evidence(connection, [said])
        (pause,) = list_pauses(connection)
        held = list_held(connection, "pause", pause.id, 100)
    assert said.evidence and len(said.evidence) == said.count
    assert (pause.rule, pause.cluster, pause.held, pause.held_events) == ("refused", "prod", 30, 30)
    assert len(held) == 30


def test_a_paused_rule_goes_on_with_findings_there_are_and_other_rules_go_on_anyway(
    database, writer, cluster
):
    write(writer, cluster, *people(60))
    write(writer, cluster, refused("u000", at=90), refused("new", at=91), secret("other"))
    found = {one.entity: one for one in findings(database) if one.name == "refused"}
    assert found["u000@example.com"].count == 2 and "new@example.com" not in found
    assert "secret" in {one.name for one in findings(database)}


def test_a_burst_of_one_is_one_finding_and_pauses_nothing(database, writer, cluster):
    write(writer, cluster, *(refused(at=number) for number in range(500)))
    assert len(findings(database)) == 1 and paused(database) == []


def test_a_pause_is_of_one_cluster(database, writer, cluster):
    with database.begin() as connection:
        other = ensure_cluster(connection, "other")
    write(writer, cluster, *people(60))
    write(writer, other, *people(10))
    assert len([one for one in findings(database) if one.cluster == "other"]) == 10


def test_a_resumed_rule_makes_findings_again_and_is_not_paused_for_what_was_looked_at(
    database, writer, cluster
):
    write(writer, cluster, *people(60))
    with database.begin() as connection:
        assert resume(connection, "refused", "prod", START + timedelta(minutes=30)) == 1
        assert resume(connection, "refused", None, START) == 0
    write(writer, cluster, *people(70))
    assert paused(database) == []
    assert len([one for one in findings(database) if one.name == "refused"]) == 60
    write(writer, cluster, *people(80, at=3 * 3600))
    assert [one.rule for one in paused(database)] == ["refused"]


def test_what_is_usual_raises_the_limit(database, writer, cluster):
    assert most(0) == MOST_AN_HOUR and most(7 * 24 * 8) == 80
    for hour in range(1, 25):
        write(writer, cluster, *people(50, at=-3600 * hour))
    write(writer, cluster, *people(60))
    assert paused(database) == []
    write(writer, cluster, *people(100))
    (pause,) = paused(database)
    assert pause.usual == pytest.approx(24 * 50 / 168)
    hour = [one for one in findings(database) if one.name == "refused" and one.start >= START]
    assert len(hour) == most(24 * 50) == 72
