"""Correlations in the store: the same findings as `correlate` over everything, whatever came when, from whom, how cut."""

import random
import threading
import uuid
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomaly.events.decode import decode_lines
from anomaly.events.key import event_key, microseconds, received_at
from anomaly.findings import episodes
from anomaly.findings.episodes import told
from anomaly.rules.document import read_text
from anomaly.rules.pack import parse_all, rule_set
from anomaly.store.clusters import ensure_cluster
from anomaly.store.findings import Wanted, list_findings
from anomaly.store.partitions import drop_before
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from tests.anomaly.store.state import HOUR_US, stored_findings

RULES = """
title: Refused request
name: refused
detection: {s: {refused: true}, condition: s}
---
title: Secret read
name: secret-read
detection: {s: {resource: secrets, verb: get, allowed: true}, condition: s}
"""
HEAD = """
---
title: Together
name: together
level: high
correlation:
  type: %s
  rules: [%s]
  group-by: [%s]
  timespan: 10m
"""
KINDS = {
    "count": HEAD % ("event_count", "refused", "entity.username") + "  condition: {gte: 3}\n",
    "exactly": HEAD % ("event_count", "refused", "entity.username") + "  condition: {eq: 2}\n",
    "values": HEAD % ("value_count", "refused", "entity.username")
    + "  condition: {field: objectRef.namespace, gte: 2}\n",
    "both": HEAD % ("temporal", "refused, secret-read", "entity.username"),
    "order": HEAD % ("temporal_ordered", "refused, secret-read", "entity.username"),
    "everybody": HEAD % ("event_count", "refused", "objectRef.namespace") + "  condition: {gt: 3}\n",
}


def ruleset(kind):
    found, problems = parse_all(read_text(RULES + KINDS[kind], "t.yml"))
    assert not problems
    return rule_set(found)


def write(writer, cluster, raws):
    (receipt,) = writer.write([Arrival(cluster, "t", decode_lines(b"\n".join(raws)))])
    return receipt


def expected(rules, cluster, raws):
    """{id: (start, end, event keys)} by the pure function over everything."""
    (correlation,) = rules.correlations
    decoded = decode_lines(b"\n".join(raws))
    groups = {}
    for event, shape in zip(decoded.events, decoded.shapes, strict=True):
        for rule in rules.matches(event, shape):
            at = microseconds(received_at(event))
            key = event_key(event, shape.user.username, at, microseconds(event.stageTimestamp)).hex()
            match = correlation.capture(rule, event, shape, key=key, time=at)
            if match is not None:
                groups.setdefault(match.group, []).append(match)
    return {
        one.id: (one.start_us, one.end_us, {match.key for match in one.members})
        for group, matches in groups.items()
        for one in told(cluster, correlation, group, matches)
    }


def stored(database):
    with database.dedicated() as connection:
        rows = connection.execute(
            "SELECT f.id, f.start_at, f.end_at, f.count, array_agg(e.event_key) FROM anomaly.finding f"
            " LEFT JOIN anomaly.evidence e ON e.finding_id = f.id WHERE f.name = 'together' GROUP BY f.id"
        ).fetchall()
    for row in rows:
        assert row[3] == len(row[4])
    return {row[0]: (microseconds(row[1]), microseconds(row[2]), {key.hex for key in row[4]}) for row in rows}


def happenings():
    """Refusals and reads of three people over three hours, minutes apart, often in one microsecond."""
    one = st.tuples(
        st.integers(0, 180), st.sampled_from("abc"), st.booleans(), st.sampled_from(["shop", "web", ""])
    )
    return st.lists(one, max_size=40, unique=True)


def raw(minute, who, refused, namespace):
    return raw_event(
        "secrets",
        "get",
        by=f"{who}@example.com",
        name="db",
        namespace=namespace,
        code=403 if refused else 200,
        at=minute * 60,
    )


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(found=happenings(), seed=st.integers(0, 99), size=st.integers(1, 12))
def test_any_order_and_any_split_give_what_all_together_give(database, kind, found, seed, size):
    rules, raws = ruleset(kind), [raw(*one) for one in found]
    random.Random(seed).shuffle(raws)
    with database.begin() as connection:
        cluster = ensure_cluster(connection, f"c{uuid.uuid4().hex}")
    with database.dedicated(autocommit=True) as connection:
        connection.execute("TRUNCATE anomaly.finding, anomaly.evidence CASCADE")
    writer = Writer(database.dedicated, rules, HOUR_US)
    for start in range(0, len(raws), size):
        write(writer, cluster, raws[start : start + size])
        write(writer, cluster, raws[max(0, start - 2) : start + 1])
    writer.close()
    assert stored(database) == expected(rules, cluster, raws)


def crowds():
    """Many of them: cells of ten minutes hold far more than is asked for."""
    one = st.tuples(
        st.integers(0, 25), st.sampled_from("ab"), st.booleans(), st.sampled_from(["shop", "web", ""])
    )
    return st.lists(one, min_size=40, max_size=120, unique=True)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(found=crowds(), seed=st.integers(0, 99), size=st.integers(1, 30))
def test_a_crowd_that_is_thinned_has_the_findings_of_the_whole(database, kind, found, seed, size):
    rules, raws = ruleset(kind), [raw(*one) for one in found]
    random.Random(seed).shuffle(raws)
    with database.begin() as connection:
        cluster = ensure_cluster(connection, f"c{uuid.uuid4().hex}")
    with database.dedicated(autocommit=True) as connection:
        connection.execute("TRUNCATE anomaly.finding, anomaly.evidence CASCADE")
    writer = Writer(database.dedicated, rules, HOUR_US)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(episodes, "_KEPT", 1)
        for start in range(0, len(raws), size):
            write(writer, cluster, raws[start : start + size])
    writer.close()
    have, due = stored(database), expected(rules, cluster, raws)
    if kind in {"count", "everybody", "exactly"}:
        assert have == due
    else:
        assert have.keys() == due.keys()


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_flood_of_one_group_leaves_few_rows_to_read_and_an_exact_finding(database, prod, shuffled):
    rules = ruleset("count")
    raws = [raw(place / 4_000, "eve", True, "shop") for place in range(20_000)]
    due = expected(rules, prod, raws)
    if shuffled:
        random.Random(5).shuffle(raws)
    writer = Writer(database.dedicated, rules, HOUR_US)
    with database.dedicated(autocommit=True) as connection:
        for start in range(0, len(raws), 2_000):
            write(writer, prod, raws[start : start + 2_000])
            (rows,) = connection.execute("SELECT count(*) FROM anomaly.rule_match").fetchone()
            # All there is of the group: no batch can read more. Five minutes lie in one cell of ten.
            assert rows == 200
    writer.close()
    assert stored(database) == due
    assert [len(keys) for _, _, keys in due.values()] == [20_000]


def test_after_a_flood_of_one_value_another_value_still_makes_the_finding(database, prod):
    writer = Writer(database.dedicated, ruleset("values"), HOUR_US)
    flood = [raw(place / 400, "eve", True, "shop") for place in range(2_000)]
    for start in range(0, len(flood), 500):
        write(writer, prod, flood[start : start + 500])
    assert stored(database) == {}
    write(writer, prod, [raw(2.501, "eve", True, "web")])
    writer.close()
    ((_, _, keys),) = stored(database).values()
    assert 100 < len(keys) < 300


@pytest.mark.parametrize("kind", ["count", "exactly", "values", "everybody"])
def test_two_writers_at_once_miss_nothing(database, kind):
    rules = ruleset(kind)
    raws = [
        raw(minute, who, True, space)
        for minute in range(0, 90, 3)
        for who in "ab"
        for space in ("shop", "web")
    ]
    with database.begin() as connection:
        cluster = ensure_cluster(connection, "prod")
    faults = []

    def run(part):
        writer = Writer(database.dedicated, rules, HOUR_US)
        try:
            for start in range(0, len(part), 4):
                write(writer, cluster, part[start : start + 4])
        except BaseException as fault:
            faults.append(fault)
        finally:
            writer.close()

    random.Random(3).shuffle(raws)
    threads = [threading.Thread(target=run, args=(raws[place::3],)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults
    found = expected(rules, cluster, raws)
    assert found
    assert stored(database) == found


@pytest.fixture
def prod(database):
    with database.begin() as connection:
        return ensure_cluster(connection, "prod")


def test_a_restart_between_the_matches_changes_nothing_and_the_finding_says_why(database, prod):
    rules = ruleset("count")
    for minute in (0, 4, 8):
        writer = Writer(database.dedicated, rules, HOUR_US)
        write(writer, prod, [raw(minute, "eve", True, "shop")])
        writer.close()
    with database.read() as connection:
        (finding,) = [one for one in list_findings(connection, Wanted()) if one.name == "together"]
    assert (finding.entity, finding.count, finding.severity) == ("eve@example.com", 3, "high")
    assert finding.start == START and finding.end == START + timedelta(minutes=8)
    assert finding.reason == "Together: at least 3 events of refused within 10 min for eve@example.com."
    assert finding.details["entity.username"] == "eve@example.com"


def test_two_matches_of_three_stay_quiet_and_a_late_third_makes_the_finding(database, prod):
    rules = ruleset("count")
    writer = Writer(database.dedicated, rules, HOUR_US)
    write(writer, prod, [raw(0, "eve", True, "shop"), raw(9, "eve", True, "web")])
    assert stored(database) == {}
    write(writer, prod, [raw(5, "bob", True, "shop"), raw(5, "eve", False, "shop")])
    assert stored(database) == {}
    write(writer, prod, [raw(5, "eve", True, "shop")])
    writer.close()
    assert [len(keys) for _, _, keys in stored(database).values()] == [3]


def test_episodes_that_a_late_event_joins_are_one_finding(database, prod):
    rules = ruleset("count")
    early = [raw(minute, "eve", True, "shop") for minute in (0, 1, 2)]
    later = [raw(minute, "eve", True, "shop") for minute in (20, 21, 22)]
    writer = Writer(database.dedicated, rules, HOUR_US)
    write(writer, prod, early + later)
    assert len(stored(database)) == 1
    between = [raw(minute, "eve", True, "shop") for minute in (8, 9, 15)]
    write(writer, prod, between)
    writer.close()
    assert stored(database) == expected(rules, prod, early + between + later)
    assert [len(keys) for _, _, keys in stored(database).values()] == [9]


def test_what_is_exactly_so_often_vanishes_when_one_more_comes(database, prod):
    rules = ruleset("exactly")
    writer = Writer(database.dedicated, rules, HOUR_US)
    write(writer, prod, [raw(0, "eve", True, "shop"), raw(5, "eve", True, "web")])
    assert len(stored(database)) == 1
    write(writer, prod, [raw(-1, "eve", True, "shop"), raw(4, "eve", True, "shop")])
    writer.close()
    assert stored(database) == expected(
        rules,
        prod,
        [
            raw(0, "eve", True, "shop"),
            raw(5, "eve", True, "web"),
            raw(-1, "eve", True, "shop"),
            raw(4, "eve", True, "shop"),
        ],
    )


def test_a_silent_rule_makes_no_finding_of_its_own_and_rules_that_feed_nothing_are_not_stored(database, prod):
    writer = Writer(database.dedicated, ruleset("count"), HOUR_US)
    receipt = write(writer, prod, [raw(0, "eve", True, "shop"), raw(1, "eve", False, "shop")])
    writer.close()
    assert receipt.matches == 1
    with database.dedicated() as connection:
        assert connection.execute("SELECT rule FROM anomaly.rule_match").fetchall() == [("refused",)]
    assert {one[3] for one in stored_findings(database).values()} == {"secret-read"}


def test_one_group_in_two_clusters_is_two_groups(database, prod):
    rules = ruleset("count")
    with database.begin() as connection:
        other = ensure_cluster(connection, "other")
    writer = Writer(database.dedicated, rules, HOUR_US)
    write(writer, prod, [raw(minute, "eve", True, "shop") for minute in (0, 1)])
    write(writer, other, [raw(minute, "eve", True, "shop") for minute in (2, 3)])
    assert stored(database) == {}
    writer.write([Arrival(place, "t", decode_lines(raw(4, "eve", True, "shop"))) for place in (other, prod)])
    writer.close()
    assert sorted(len(keys) for _, _, keys in stored(database).values()) == [3, 3]


def test_matches_leave_with_their_day(database, prod):
    writer = Writer(database.dedicated, ruleset("count"), HOUR_US)
    write(writer, prod, [raw(0, "eve", True, "shop"), raw(60 * 24, "eve", True, "shop")])
    writer.close()
    with database.dedicated() as connection:
        drop_before(connection, (START + timedelta(days=1)).date())
        assert connection.execute("SELECT count(*) FROM anomaly.rule_match").fetchone() == (1,)
