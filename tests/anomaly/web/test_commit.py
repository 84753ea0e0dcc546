"""Bodies that wait together are committed together, and each hears of its own."""

import asyncio
import gzip
import logging
import threading
from concurrent.futures import Future

import psycopg
import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from anomaly.events.decode import Decoded, Reject, decode_list
from anomaly.rules import pack
from anomaly.sources.webhook import Body, Limits
from anomaly.store.chunks import unpack_chunk
from anomaly.store.clusters import add_cluster
from anomaly.store.writer import Arrival, Receipt, Writer
from anomaly.web.commit import GroupCommit, _Waiting
from anomaly.web.problem import ComeBack
from anomaly.web.shares import shares
from tests.anomaly.web.running import batch, event_list, fresh_event
from tests.anomaly.web.test_tls import eventually


@pytest.fixture
def cluster(database):
    with database.begin() as connection:
        return add_cluster(connection, "shop")


def body(data):
    return Body(data, len(data))


def keep(commit, *given):
    """Submit (cluster, bytes) while the writers are not started, then start them; returns receipts or errors."""

    async def together():
        waiting = [commit.submit(cluster, body(data)) for cluster, data in given]
        commit.start()
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(together())


def transactions(database):
    with database.begin() as connection:
        return connection.execute(
            sqlalchemy.text("SELECT count(DISTINCT xmin::text) FROM anomaly.event")
        ).scalar_one()


def test_bodies_that_wait_together_share_one_transaction(commit, cluster, database):
    receipts = keep(commit, *[(cluster, batch(10)) for _ in range(6)], (cluster, b"broken"))
    assert receipts == [Receipt(10, 0, 0, 0)] * 6 + [Receipt(0, 0, 1, 0)]
    # The savepoint around the events is the one transaction number that all rows have.
    assert transactions(database) == 1


def test_a_retry_in_the_same_group_is_counted_as_the_duplicate(commit, cluster):
    data = batch(10)
    assert keep(commit, (cluster, data), (cluster, batch(5)), (cluster, data)) == [
        Receipt(10, 0, 0, 0),
        Receipt(5, 0, 0, 0),
        Receipt(0, 10, 0, 0),
    ]


def test_clusters_share_a_transaction_and_keep_their_own_events(commit, cluster, database):
    with database.begin() as connection:
        bank = add_cluster(connection, "bank")
    data = batch(10)
    assert keep(commit, (cluster, data), (bank, data)) == [Receipt(10, 0, 0, 0)] * 2


class BrokenRules:
    """A rule pack with a fault in it: it fails on one kind of event."""

    def plan(self, shape):
        if shape.agent == "poison":
            raise ZeroDivisionError("a fault")
        return pack().plan(shape)


def test_a_body_that_cannot_be_stored_is_set_apart_and_its_neighbours_are_kept(database, cluster, caplog):
    commit = GroupCommit(
        lambda: Writer(database.dedicated, BrokenRules(), 3_600_000_000), Limits(1 << 20, 200), writers=1
    )
    poison = event_list(fresh_event(agent="poison"), fresh_event(at=1))
    with caplog.at_level(logging.CRITICAL):
        receipts = keep(commit, (cluster, batch(10)), (cluster, poison), (cluster, batch(10)))
    commit.close(10)
    assert receipts == [Receipt(10, 0, 0, 0), Receipt(0, 0, 1, 0), Receipt(10, 0, 0, 0)]
    with database.begin() as connection:
        (row,) = connection.execute(sqlalchemy.text("SELECT reason, size FROM anomaly.quarantine")).all()
    assert row.reason == "storing failed: ZeroDivisionError: a fault"
    assert row.size == len(poison)


def test_events_of_an_unbelievable_time_are_counted_as_quarantined(commit, cluster):
    odd = fresh_event().replace(b"2026-03-02T09:00:00.000000Z", b"9999-12-31T23:59:59.999999Z")
    assert keep(commit, (cluster, batch(10)), (cluster, event_list(odd, fresh_event(at=1)))) == [
        Receipt(10, 0, 0, 0),
        Receipt(1, 0, 1, 0),
    ]


def test_an_empty_list_is_nothing(commit, cluster):
    assert keep(commit, (cluster, event_list())) == [Receipt(0, 0, 0, 0)]


def test_a_body_of_more_events_than_a_chunk_holds_is_kept(commit, cluster):
    tiny = b'{"auditID":"%d","stage":"ResponseComplete","stageTimestamp":"2026-03-02T09:00:00Z"}'
    data = event_list(*(tiny % number for number in range(41_000)))
    commit._limits = Limits(1 << 30, 200)
    assert keep(commit, (cluster, data))[0].kept == 41_000


def test_a_database_that_does_not_answer_refuses_everything_that_waits(cluster):
    commit = GroupCommit(lambda: Writer(_refusing, None, 3_600_000_000), Limits(1 << 20, 200), writers=1)
    outcomes = keep(commit, *[(cluster, batch(2)) for _ in range(3)])
    commit.close(5)
    assert [type(outcome) for outcome in outcomes] == [ComeBack] * 3


def _refusing():
    return psycopg.connect("host=127.0.0.1 port=1 connect_timeout=1")


def test_a_writer_that_is_held_up_does_not_hold_up_the_others(database, cluster):
    commit = GroupCommit(
        lambda: Writer(database.dedicated, pack(), 3_600_000_000), Limits(1 << 20, 200), writers=2
    )
    held, free = batch(3), batch(4)
    with database.begin() as connection:
        bank = add_cluster(connection, "bank")
    other = Writer(database.dedicated, pack(), 3_600_000_000)
    written, release = threading.Event(), threading.Event()

    def hold(_connection, _receipts):
        written.set()
        release.wait(60)

    async def both():
        # The same events, written and not committed elsewhere: whoever sends them has to wait for the outcome.
        elsewhere = asyncio.create_task(
            asyncio.to_thread(other.write, [Arrival(cluster, "test", decode_list(held))], hold)
        )
        await asyncio.to_thread(written.wait, 30)
        commit.start()
        first = commit.submit(cluster, body(held))
        await asyncio.sleep(0.3)
        second = commit.submit(bank, body(free))
        await asyncio.wait([second], timeout=30)
        overtaken = second.done() and not first.done()
        release.set()
        await elsewhere
        return await first, await second, overtaken

    assert asyncio.run(both()) == (Receipt(0, 3, 0, 0), Receipt(4, 0, 0, 0), True)
    commit.close(10)
    other.close()


def test_what_waits_is_read_while_the_writer_is_at_work(database, cluster):
    begun, release = threading.Event(), threading.Event()

    class Held(Writer):
        def write(self, *given, **named):
            begun.set()
            release.wait(60)
            return super().write(*given, **named)

    commit = GroupCommit(
        lambda: Held(database.dedicated, pack(), 3_600_000_000), Limits(1 << 20, 200), writers=1
    )
    key = "AKIA" + "A1B2C3D4E5F6G7H8"

    async def queue_up():
        commit.start()
        first = commit.submit(cluster, body(batch(2)))
        await asyncio.to_thread(begun.wait, 30)
        leaking = event_list(fresh_event(at=1), fresh_event(at=2, uri=f"/api/v1/pods?aws={key}"))
        rest = [commit.submit(cluster, body(one)) for one in (leaking, b"broken", batch(3))]
        await asyncio.to_thread(eventually, lambda: all(waiting.ahead for waiting in commit._queue))
        read = [waiting.ahead.result(30) for waiting in commit._queue]
        release.set()
        return read, await asyncio.gather(first, *rest)

    read, receipts = asyncio.run(queue_up())
    commit.close(10)
    assert [(len(one.decoded.events), one.looked.suspects) for one in read] == [(2, [1]), (0, []), (3, [])]
    assert receipts == [
        Receipt(2, 0, 0, 0),
        Receipt(2, 0, 0, 0),
        Receipt(0, 0, 1, 0),
        Receipt(3, 0, 0, 0),
    ]
    with database.dedicated() as connection:
        chunks = connection.execute("SELECT data FROM anomaly.chunk").fetchall()
    raws = b"".join(raw for (data,) in chunks for raw in unpack_chunk(data))
    assert b"REDACTED" in raws and key.encode() not in raws


def waiting_for(cluster, data, ahead=None):
    return _Waiting(cluster, body(data), 0.0, 0, ahead=ahead)


@pytest.fixture
def idle(database):
    """One whose threads were never started, while its writer seems to be at work."""
    commit = GroupCommit(
        lambda: Writer(database.dedicated, pack(), 3_600_000_000), Limits(1 << 20, 200), writers=1
    )
    commit._at_it_since = 0.0
    return commit


def read_all(commit):
    """Read ahead as far as it goes; returns how many bodies that were."""
    number = 0
    while (waiting := commit._unread()) is not None:
        waiting.ahead = Future()
        waiting.ahead.set_result(commit._read(waiting.body))
        number += 1
    return number


def test_reading_ahead_ends_where_a_group_would(idle, cluster, monkeypatch):
    idle._queue.extend(waiting_for(cluster, batch(10)) for _ in range(6))
    monkeypatch.setattr("anomaly.web.commit.GROUP_EVENTS", 25)
    assert read_all(idle) == 3
    monkeypatch.setattr("anomaly.web.commit.GROUP_EVENTS", 1_000)
    monkeypatch.setattr("anomaly.web.commit.GROUP_BYTES", 3 * len(batch(10)) + 10)
    assert read_all(idle) == 1
    idle._closing = True
    assert idle._next_to_read() is None


def test_what_is_read_ahead_is_counted_as_it_is_unpacked(idle, cluster, monkeypatch):
    plain = event_list(*(fresh_event(at=place, name="x" * 2_000) for place in range(50)))
    packed = gzip.compress(plain)
    assert len(packed) < len(plain) / 10
    # A little more than the events of one: a second is begun with, and no third.
    monkeypatch.setattr("anomaly.web.commit.GROUP_BYTES", len(plain))
    for _ in range(6):
        idle._queue.append(_Waiting(cluster, Body(packed, len(packed), "gzip"), 0.0, 0))
    assert read_all(idle) == 2


def test_a_body_that_could_not_be_read_ahead_is_read_by_the_writer(idle, cluster):
    failed = Future()
    failed.set_exception(MemoryError())
    idle._queue.append(waiting_for(cluster, batch(4), failed))

    async def both():
        sent = asyncio.wrap_future(idle._queue[0].answer)
        idle.start()
        return await asyncio.gather(sent, idle.submit(cluster, body(batch(2))))

    assert asyncio.run(both()) == [Receipt(4, 0, 0, 0), Receipt(2, 0, 0, 0)]
    idle.close(10)


def test_the_reader_goes_on_after_a_body_that_it_cannot_read(idle, cluster, monkeypatch):
    real, failing = idle._read, [MemoryError()]

    def read(given):
        if failing:
            raise failing.pop()
        return real(given)

    monkeypatch.setattr(idle, "_read", read)
    idle._queue.extend(waiting_for(cluster, batch(2)) for _ in range(2))
    reader = threading.Thread(target=idle._look_ahead, daemon=True)
    reader.start()
    assert eventually(lambda: all(waiting.ahead and waiting.ahead.done() for waiting in idle._queue))
    first, second = idle._queue
    assert isinstance(first.ahead.exception(), MemoryError)
    assert len(second.ahead.result().decoded.events) == 2
    idle._begin_to_close()
    reader.join(10)
    assert not reader.is_alive()


def test_a_long_queue_alone_does_not_bring_the_reserve_in(database, cluster, monkeypatch):
    monkeypatch.setattr("anomaly.web.commit.HELD_UP_SECONDS", 0.4)
    monkeypatch.setattr("anomaly.web.commit.GROUP_EVENTS", 1)
    wrote = []

    class Slow(Writer):
        def write(self, *given, **named):
            wrote.append(threading.current_thread().name)
            threading.Event().wait(0.1)
            return super().write(*given, **named)

    commit = GroupCommit(
        lambda: Slow(database.dedicated, pack(), 3_600_000_000), Limits(1 << 20, 200), writers=2
    )
    # The last of them waits three times as long as a writer may be held up.
    assert keep(commit, *[(cluster, batch(1)) for _ in range(12)]) == [Receipt(1, 0, 0, 0)] * 12
    commit.close(10)
    assert set(wrote) == {"writer-0"}


def test_what_was_taken_is_finished_when_closing_and_nothing_more_is_taken(commit, cluster):
    async def closing():
        waiting = [commit.submit(cluster, body(batch(10))) for _ in range(3)]
        commit.start()
        await asyncio.to_thread(commit.close, 10)
        with pytest.raises(ComeBack):
            commit.submit(cluster, body(batch(1)))
        return await asyncio.gather(*waiting)

    assert asyncio.run(closing()) == [Receipt(10, 0, 0, 0)] * 3


@st.composite
def groups(draw):
    sizes = draw(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), min_size=1, max_size=8))
    total = sum(events for events, _ in sizes)
    kept = draw(st.integers(0, total))
    refused = draw(st.integers(0, total - kept))
    matches = draw(st.integers(0, 3 * kept)) if kept else 0
    rejects = sum(rejects for _, rejects in sizes)
    return sizes, Receipt(kept, total - kept - refused, rejects + refused, matches)


@given(groups())
def test_the_shares_add_up_to_the_whole_and_none_has_more_than_it_sent(group):
    sizes, total = group
    parts = [Decoded([None] * events, [], [], [Reject(b"", "")] * rejects) for events, rejects in sizes]
    receipts = shares(total, parts)
    assert sum(receipts, Receipt()) == total
    for receipt, (events, rejects) in zip(receipts, sizes, strict=True):
        assert receipt.kept + receipt.duplicates + receipt.quarantined == events + rejects
        assert receipt.quarantined >= rejects
        assert min(receipt.kept, receipt.duplicates, receipt.matches) >= 0
