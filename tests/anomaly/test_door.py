"""The policy at our own door: what it writes nothing about is not kept and counted, whichever way it comes."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy

from anomaly.completeness import days_of
from anomaly.doctor import examine
from anomaly.door import OTHERS, Door, Gate
from anomaly.events.decode import decode_lines
from anomaly.pipeline import crew_for, retry_quarantined, take_in
from anomaly.policy.parse import read
from anomaly.rules import pack
from anomaly.settings import Settings
from anomaly.sources.webhook import Limits
from anomaly.store.clusters import add_cluster
from anomaly.store.door import clear_policy, dropped_between, in_force, ledger, set_policy
from anomaly.store.replay import Period, stored_events
from anomaly.store.writer import Writer
from anomaly.testing import raw_event
from anomaly.web.clock import clock
from anomaly.web.commit import GroupCommit
from tests.anomaly.web.running import event_list
from tests.anomaly.web.test_commit import keep

POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ["system:kube-proxy"], verbs: [watch]}
- {level: None, resources: [{group: "", resources: [events]}]}
- {level: Metadata, resources: [{group: "", resources: [secrets, configmaps]}]}
- {level: Request, verbs: [create], omitStages: [ResponseStarted]}
- {level: RequestResponse, userGroups: ["system:masters", "system:authenticated"]}
"""
SPAN = 3_600_000_000
BODY = {"kind": "Pod", "metadata": {"name": "web"}}
ANSWER = {"kind": "Status", "status": "Success"}


def gate(text=POLICY, number=1):
    return Gate(number, read(text.encode(), "p").policy)


def passed(*raws, by=None, at_us=None):
    return (by or gate()).pass_through(decode_lines(b"\n".join(raws)), at_us)


def entries(left):
    return {(one.rule, one.deed, one.username, one.action): one.events for one in left.entries}


@pytest.mark.parametrize(
    ("raw", "deed"),
    [
        pytest.param(raw_event("events", "create", by="kubelet"), (1, "dropped"), id="a resource at None"),
        pytest.param(raw_event("endpoints", "watch", by="system:kube-proxy"), (0, "dropped"), id="a user and verb at None"),
        pytest.param(raw_event("endpoints", "get", by="system:kube-proxy"), None, id="the same user with another verb"),
        pytest.param(raw_event("pods", "get", stage="RequestReceived"), (4, "dropped"), id="a stage"),
        pytest.param(raw_event("pods/exec", "create", stage="ResponseStarted"), (3, "dropped"), id="a stage of a rule"),
        pytest.param(raw_event("pods", "get", groups=["outsiders"]), (-1, "dropped"), id="no rule"),
        pytest.param(raw_event("secrets", "create", body=BODY), (2, "lowered"), id="a body at Metadata"),
        pytest.param(raw_event("pods", "create", body=BODY, answer=ANSWER), (3, "lowered"), id="an answer at Request"),
        pytest.param(raw_event("secrets", "get"), None, id="no body to leave out"),
        pytest.param(raw_event("pods", "update", body=BODY, answer=ANSWER), None, id="written whole"),
        pytest.param(raw_event("configmaps", "get", name="anomaly-canary-0a1b", groups=["outsiders"]), None, id="a canary"),
    ],
)  # fmt: skip
def test_each_event_is_kept_lowered_or_dropped_as_the_policy_says(raw, deed):
    other = raw_event("nodes", "update", by="root", at=9)
    found = passed(raw, other)
    assert found.decoded.raws[-1] == other
    if deed is None:
        assert found.left.entries == () and found.decoded.raws[0] == raw
        return
    (entry,) = found.left.entries
    assert (entry.rule, entry.deed, entry.events, entry.policy_id) == (*deed, 1, 1)
    assert len(found.decoded.events) == (1 if deed[1] == "dropped" else 2)
    assert entry.bytes == len(raw) + len(other) - sum(map(len, found.decoded.raws))
    assert found.left.dropped == (deed[1] == "dropped")
    if deed[1] == "lowered":
        assert "responseObject" not in json.loads(found.decoded.raws[0])
        assert (
            found.decoded.shapes[0].level
            == found.decoded.events[0].level
            == ["Metadata", "Request"][deed[0] - 2]
        )


def test_input_of_which_nothing_is_dropped_is_the_same_object():
    decoded = decode_lines(raw_event("pods", "get") + b"\nbroken")
    found = gate().pass_through(decoded)
    assert found.decoded is decoded and found.left.entries == ()


def test_rejects_pass():
    found = passed(raw_event("events", "create"), b"broken")
    assert len(found.decoded.rejects) == 1 and not found.decoded.events


def test_names_count_where_the_policy_asks_for_them():
    text = POLICY.replace("resources: [events]", "resources: [configmaps], resourceNames: [leader]")
    found = passed(
        *(
            raw_event("configmaps", "get", name=name, at=n)
            for n, name in enumerate(["leader", "other", "leader"])
        ),
        by=gate(text),
    )
    assert (
        entries(found.left) == {(1, "dropped", "alice@example.com", "get configmaps"): 2}
        and len(found.decoded.events) == 1
    )


def test_a_flood_of_users_fills_no_ledger():
    raws = [raw_event("events", "create", by=f"user-{n}", at=n) for n in range(3_000)]
    found = passed(*raws)
    assert found.left.dropped == 3_000
    assert (
        len(entries(found.left)) == 1_001
        and sum(one.events for one in found.left.entries if one.username == OTHERS) == 2_000
    )


def test_what_just_happened_keeps_its_cluster_from_seeming_silent():
    raw = raw_event("events", "create")
    at_us = int(decode_lines(raw).events[0].stageTimestamp.timestamp() * 1e6)
    assert passed(raw, at_us=at_us + 1_000_000).left.live
    assert not passed(raw, at_us=at_us + 3_600_000_000).left.live


@pytest.fixture
def shop(database):
    with database.begin() as connection:
        return add_cluster(connection, "shop")


@pytest.fixture
def door_set(database, shop):
    with database.connection() as connection:
        return set_policy(connection, shop, POLICY, "ann")


def mixed(begin, end):
    """A third is dropped, a third lowered, a third kept."""
    made = []
    for n in range(begin, end):
        made.append(raw_event("events", "create", by=f"kubelet-{n % 2}", at=n))
        made.append(raw_event("secrets", "create", name=f"s{n}", body=BODY, at=n))
        made.append(raw_event("pods", "update", name=f"p{n}", at=n))
    return made


def stored(database, cluster):
    with database.dedicated() as connection:
        return list(stored_events(connection, Period(None, None, cluster)))


def counted(database, cluster):
    with database.connection() as connection:
        lines = ledger(connection, cluster, datetime(2020, 1, 1, tzinfo=UTC))
    return {(one.rule, one.deed, one.username, one.action): one.events for one in lines}


WANTED = {
    (1, "dropped", "kubelet-0", "create events"): 5,
    (1, "dropped", "kubelet-1", "create events"): 5,
    (2, "lowered", "alice@example.com", "create secrets"): 10,
}


def by_webhook(database, shop, raws):
    commit = GroupCommit(lambda: Writer(database.dedicated, pack(), SPAN), Limits(1 << 20, 200), writers=1)
    receipts = keep(commit, (shop, event_list(*raws[:12])), (shop, event_list(*raws[12:])))
    commit.close(10)
    return sum(receipts[1:], receipts[0])


def by_file(database, shop, raws):
    with crew_for(database.dedicated, pack(), SPAN, shop, "t", 1, clock_us=lambda: 0) as crew:
        crew.give(0, b"\n".join(raws))
        ((_, receipt),) = crew.finish()
    return receipt


def by_hand(database, shop, raws):
    writer = Writer(database.dedicated, pack(), SPAN)
    try:
        return take_in(writer, Door(), shop, "t", b"\n".join(raws))
    finally:
        writer.close()


@pytest.mark.parametrize("way", [by_webhook, by_file, by_hand])
def test_by_whichever_way_it_comes_the_same_is_kept_and_counted(database, shop, door_set, way):
    receipt = way(database, shop, mixed(0, 10))
    assert (receipt.kept, receipt.dropped, receipt.quarantined, receipt.duplicates) == (20, 10, 0, 0)
    events = stored(database, shop)
    assert len(events) == 20 and not [one for one, _ in events if one.objectRef.resource == "events"]
    assert not [raw for _, raw in events if b"requestObject" in raw]
    assert counted(database, shop) == WANTED


def test_another_cluster_and_a_cleared_policy_drop_nothing(database, shop, door_set):
    with database.begin() as connection:
        bank = add_cluster(connection, "bank")
    assert by_hand(database, bank, mixed(0, 10)).kept == 30
    with database.connection() as connection:
        assert clear_policy(connection, shop, "bob") and not clear_policy(connection, shop, "bob")
        assert in_force(connection) == []
    assert by_hand(database, shop, mixed(0, 10)).kept == 30
    assert counted(database, shop) == {}


def test_a_policy_is_heeded_within_seconds_and_not_asked_for_at_each_batch(database, shop):
    now, asked = [100.0], []
    door = Door(lambda: now[0])
    writer = Writer(database.dedicated, pack(), SPAN)

    def ask(question):
        asked.append(question)
        return writer.ask(question)

    try:
        decoded = decode_lines(b"\n".join(mixed(0, 2)))
        door.renew(ask)
        assert door.pass_through(shop, decoded).decoded is decoded
        with database.connection() as connection:
            first = set_policy(connection, shop, POLICY, "ann")
            second = set_policy(connection, shop, POLICY, "ann")
            assert [one.id for one in in_force(connection, shop)] == [second.id] and second.id > first.id
        now[0] += 4
        door.renew(ask)
        assert door.pass_through(shop, decoded).decoded is decoded and len(asked) == 1
        now[0] += 2
        door.renew(ask)
        assert door.pass_through(shop, decoded).left.dropped == 2 and len(asked) == 2
    finally:
        writer.close()


def test_what_comes_out_of_quarantine_passes_the_door_too(database, shop, door_set):
    broken = b'[{"log":' + json.dumps(raw_event("events", "create").decode()).encode()
    writer = Writer(database.dedicated, pack(), SPAN)
    take_in(writer, Door(), shop, "t", broken)
    writer.close()
    with database.begin() as connection:
        (number,) = connection.execute(sqlalchemy.text("SELECT id FROM anomaly.quarantine")).one()
        connection.execute(
            sqlalchemy.text("UPDATE anomaly.quarantine SET data = :d"),
            {"d": packed(raw_event("events", "create"))},
        )
    receipt = retry_quarantined(database.dedicated, pack(), timedelta(hours=1), number)
    assert (receipt.kept, receipt.dropped) == (0, 1) and not stored(database, shop)


def packed(raw):
    import zstandard

    return zstandard.compress(raw)


def test_a_transaction_that_fails_counts_nothing(database, shop, door_set):
    writer = Writer(database.dedicated, pack(), SPAN)
    door = Door()
    door.renew(writer.ask)

    def fail(transaction, receipts):
        raise ZeroDivisionError

    from anomaly.store.writer import Arrival

    found = door.pass_through(shop, decode_lines(b"\n".join(mixed(0, 10))))
    with pytest.raises(ZeroDivisionError):
        writer.write([Arrival(shop, "t", found.decoded, left=found.left)], also=fail)
    assert counted(database, shop) == {}
    writer.write([Arrival(shop, "t", found.decoded, left=found.left)])
    writer.close()
    assert counted(database, shop) == WANTED


def test_writers_side_by_side_lose_no_count(database, shop, door_set):
    threads = [
        threading.Thread(target=by_hand, args=(database, shop, mixed(n * 10, n * 10 + 10))) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted(database, shop) == {line: 4 * events for line, events in WANTED.items()}
    assert len(stored(database, shop)) == 80


def test_completeness_and_the_doctor_say_what_was_dropped(database, shop, door_set):
    raws = mixed(0, 10)
    by_hand(database, shop, raws)
    now = clock()
    at = decode_lines(raws[0]).events[0].stageTimestamp
    with database.connection() as connection:
        today = days_of(connection, shop, now, 2)[0]
        assert (today.tally.kept, today.dropped, today.lowered) == (20, 10, 10)
        within = dropped_between(
            connection, shop, at - timedelta(hours=1), at + timedelta(hours=1), timedelta(minutes=1)
        )
        assert within == (10, 0)
        assert dropped_between(
            connection, shop, at - timedelta(hours=2), at - timedelta(hours=1), timedelta(minutes=1)
        ) == (0, 0)
    (patient,) = examine(database, Settings(), [], now).clusters
    (check,) = [check for check in patient.checks if check.name == "door"]
    assert "dropped 10 events" in check.says and "bodies of 10" in check.says and "set by ann" in check.says
