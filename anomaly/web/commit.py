"""Group commit: bodies that wait at the same time share one transaction, and nobody hears of it before it is durable.

One thread with its own writer takes what is waiting. While it works more comes, so groups grow by themselves as load does,
and a single body never waits for company. Python runs one thread at a time, and two that take turns stood in each other's
way (measured: 34,000 events/s instead of 40,000); so the second one only steps in when the first is held up in one group, by a
lock or a disk. A long queue is no reason: under a load that the first cannot master, two would master less.

While the writer waits for PostgreSQL, another thread reads what will be in the next group.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Final

import psycopg

from anomaly.door import Door
from anomaly.errors import AnomalyError
from anomaly.events.decode import Decoded
from anomaly.sources.webhook import Body, Limits, unwrap, whole
from anomaly.store.door import NOTHING_LEFT, Left
from anomaly.store.intake import Sent
from anomaly.store.looked import Looked, joined, look
from anomaly.store.writer import NOT_THE_INPUT, Arrival, Receipt, Writer
from anomaly.web.problem import ComeBack
from anomaly.web.shares import shares

log = logging.getLogger(__name__)

GROUP_EVENTS: Final = 14_000
GROUP_BYTES: Final = 32 << 20
PIECE_EVENTS: Final = 20_000
"""Events of one chunk: their places in it must fit 16 bits."""

WRITERS: Final = 2
HELD_UP_SECONDS: Final = 1.5
"""How long the first writer has been at one group when the reserve writer takes what waits: about twice what a full one takes."""

SOURCE: Final = "webhook"


@dataclass(frozen=True, slots=True)
class _Read:
    """What can be said of a body without asking the database."""

    decoded: Decoded
    looked: Looked | None
    size: int
    """Bytes of its events: of a compressed body many times what was sent."""


@dataclass(slots=True)
class _Waiting:
    cluster_id: int
    body: Body
    since: float
    at_us: int
    answer: Future[Receipt] = field(default_factory=Future)
    ahead: Future[_Read] | None = None
    """Set when it is read, or about to be, before a writer has taken it."""


@dataclass(slots=True)
class _Member:
    """A body that is decoded, in the group it will be committed with."""

    waiting: _Waiting
    decoded: Decoded
    looked: Looked | None = None
    left: Left = NOTHING_LEFT
    passed: bool = False
    """Whether it went by the policy at our door."""


@dataclass(frozen=True, slots=True)
class _Pen:
    """What a thread writes with."""

    writer: Writer
    door: Door


class GroupCommit:
    """Takes bodies from the event loop and has threads write them. `close` finishes what was taken."""

    def __init__(self, make_writer: Callable[[], Writer], limits: Limits, writers: int = WRITERS) -> None:
        self._make_writer = make_writer
        self._limits = limits
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._ended = threading.Event()
        self._at_it_since: float | None = None
        """When the first writer took the group it is at."""
        self._threads = [
            threading.Thread(target=self._run, args=(number > 0,), name=f"writer-{number}", daemon=True)
            for number in range(writers)
        ]
        self._threads.append(threading.Thread(target=self._look_ahead, name="reader", daemon=True))

    def start(self) -> None:
        """This will start the threads."""
        for thread in self._threads:
            thread.start()

    def hurry(self) -> None:
        """This will refuse what no writer has begun with, now and from now on: it comes again, here or to another replica."""
        self._begin_to_close()
        self._refuse_the_waiting("The service is stopping.")

    def _begin_to_close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def close(self, within: float) -> None:
        """This will let the threads finish what is waiting and end them; after `within` seconds it waits no longer."""
        self._begin_to_close()
        self._ended.set()
        until = time.monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._refuse_the_waiting("The service is stopping.")

    @property
    def waiting(self) -> int:
        """How many bodies wait for a writer."""
        return len(self._queue)

    def submit(self, cluster_id: int, body: Body) -> asyncio.Future[Receipt]:
        """This will queue a body; the future has the receipt once it is durable.

        It raises ComeBack when nothing of the body was kept and sending it again later will help.
        """
        waiting = _Waiting(cluster_id, body, time.monotonic(), time.time_ns() // 1000)
        with self._changed:
            if self._closing:
                raise ComeBack("The service is stopping.")
            self._queue.append(waiting)
            self._changed.notify_all()
        return asyncio.wrap_future(waiting.answer)

    def _run(self, reserve: bool) -> None:
        writer = self._make_writer()
        pen = _Pen(writer, Door())
        try:
            while (first := self._held_up() if reserve else self._first()) is not None:
                members: list[_Member] = []
                try:
                    self._group(first, members)
                    if members:
                        self._commit(pen, members)
                except Exception as fault:
                    # A thread that ended here would leave every later body waiting.
                    log.exception("a group could not be committed")
                    self._give_up(members, fault)
                if not reserve:
                    self._at_it_since = None
        finally:
            writer.close()

    def _first(self) -> _Waiting | None:
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            if not self._queue:
                return None
            self._at_it_since = time.monotonic()
            self._changed.notify_all()
            return self._queue.popleft()

    def _held_up(self) -> _Waiting | None:
        while not self._ended.wait(HELD_UP_SECONDS / 4):
            since = self._at_it_since
            with self._changed:
                if self._queue and since is not None and time.monotonic() - since >= HELD_UP_SECONDS:
                    return self._queue.popleft()
        with self._changed:
            return self._queue.popleft() if self._queue else None

    def _another(self, room: int) -> _Waiting | None:
        with self._changed:
            return self._queue.popleft() if self._queue and self._queue[0].body.size <= room else None

    def _group(self, first: _Waiting, members: list[_Member]) -> None:
        room, events = GROUP_BYTES, 0
        following: _Waiting | None = first
        while following is not None:
            try:
                read = self._read_of(following)
            except Exception:
                log.exception("a body could not be read", extra={"size": following.body.size})
                _settle(following.answer, ComeBack("The body could not be read now."))
                following = self._another(room)
                continue
            members.append(_Member(following, read.decoded, read.looked))
            room -= max(following.body.size, read.size)
            events += len(read.decoded.events)
            following = self._another(room) if events < GROUP_EVENTS else None

    def _read_of(self, waiting: _Waiting) -> _Read:
        ahead, waiting.ahead = waiting.ahead, None
        if ahead is not None and ahead.exception() is None:
            return ahead.result()
        return self._read(waiting.body)

    def _look_ahead(self) -> None:
        while (waiting := self._next_to_read()) is not None:
            ahead = waiting.ahead
            assert ahead is not None
            try:
                ahead.set_result(self._read(waiting.body))
            except BaseException as fault:
                # A writer waits for it, and reads the body itself.
                ahead.set_exception(fault)

    def _next_to_read(self) -> _Waiting | None:
        """The first that nobody reads, as long as what was read ahead is no more than a group; None at the end."""
        with self._changed:
            while not self._closing:
                if self._at_it_since is not None and (waiting := self._unread()) is not None:
                    waiting.ahead = Future()
                    return waiting
                self._changed.wait()
            return None

    def _unread(self) -> _Waiting | None:
        room, events = GROUP_BYTES, 0
        for waiting in self._queue:
            if room <= 0 or events >= GROUP_EVENTS:
                break
            ahead = waiting.ahead
            if ahead is None:
                return waiting
            if ahead.exception() is None:
                room -= max(waiting.body.size, ahead.result().size)
                events += len(ahead.result().decoded.events)
        return None

    def _read(self, body: Body) -> _Read:
        decoded = self._decode(body)
        size = sum(map(len, decoded.raws))
        try:
            return _Read(decoded, look(decoded), size)
        except Exception:
            # Whoever writes it finds it again, and the body that it is in.
            log.exception("events could not be looked at")
            return _Read(decoded, None, size)

    def _decode(self, body: Body) -> Decoded:
        try:
            return unwrap(body, self._limits)
        except Exception as fault:
            log.exception("a body could not be decoded", extra={"size": body.size})
            return whole(body, f"decoding failed: {type(fault).__name__}: {fault}")

    def _commit(self, pen: _Pen, members: list[_Member], *, again: bool = True) -> None:
        try:
            _pass_the_door(pen, members)
            receipts = _write(pen.writer, members)
        except (*NOT_THE_INPUT, AnomalyError) as fault:
            # A server that was restarted is only noticed by using the dead connection; the writer then makes a new one.
            if again and isinstance(fault, psycopg.OperationalError | psycopg.InterfaceError):
                self._commit(pen, members, again=False)
            else:
                self._give_up(members, fault)
        except Exception as fault:
            self._find_the_culprit(pen, members, fault)
        else:
            for member, receipt in zip(members, receipts, strict=True):
                _settle(member.waiting.answer, receipt)

    def _find_the_culprit(self, pen: _Pen, members: list[_Member], fault: Exception) -> None:
        if len(members) > 1:
            for member in members:
                self._commit(pen, [member])
        elif members[0].decoded.events:
            self._set_apart(pen, members[0], fault)
        else:
            self._give_up(members, fault)

    def _set_apart(self, pen: _Pen, member: _Member, fault: Exception) -> None:
        """A body that cannot be stored would come four times more and then be lost: it is kept in quarantine instead."""
        log.error("a body could not be stored and goes to quarantine", exc_info=fault)
        first = str(fault).split("\n")[0]
        member.decoded = whole(member.waiting.body, f"storing failed: {type(fault).__name__}: {first}")
        member.looked, member.left = None, NOTHING_LEFT
        self._commit(pen, [member])

    def _give_up(self, members: list[_Member], fault: Exception) -> None:
        reason = str(fault).split("\n")[0][:300]
        log.warning("bodies refused for now", extra={"bodies": len(members), "reason": reason})
        for member in members:
            _settle(member.waiting.answer, ComeBack("The database cannot store this now."))
        # The next ones would each find out for themselves, one time-out after the other.
        self._refuse_the_waiting("The database cannot store this now.")

    def _refuse_the_waiting(self, why: str) -> None:
        with self._changed:
            refused = list(self._queue)
            self._queue.clear()
        for waiting in refused:
            _settle(waiting.answer, ComeBack(why))


def _settle(answer: Future[Receipt], outcome: Receipt | Exception) -> None:
    """Answer once; a request that was given up meanwhile, when the service stops, is past answering."""
    if answer.done():
        return
    if isinstance(outcome, Receipt):
        answer.set_result(outcome)
    else:
        answer.set_exception(outcome)


def _write(writer: Writer, members: Sequence[_Member]) -> list[Receipt]:
    """Write the group in one transaction, each cluster's bodies as one; returns a receipt for each body."""
    clusters: dict[int, list[int]] = {}
    for place, member in enumerate(members):
        clusters.setdefault(member.waiting.cluster_id, []).append(place)
    sent = {
        number: tuple(
            Sent(len(members[place].decoded.events), waiting.body.size, waiting.at_us)
            for place in places
            for waiting in (members[place].waiting,)
        )
        for number, places in clusters.items()
    }
    left = {
        number: sum((members[place].left for place in places), NOTHING_LEFT)
        for number, places in clusters.items()
    }
    arrivals = [
        Arrival(number, SOURCE, piece, (), NOTHING_LEFT, looked)
        if part
        else Arrival(number, SOURCE, piece, sent[number], left[number], looked)
        for number, places in clusters.items()
        for part, (piece, looked) in enumerate(_pieces([members[place] for place in places]))
    ]
    totals: dict[int, Receipt] = {}
    for arrival, receipt in zip(arrivals, writer.write(arrivals), strict=True):
        totals[arrival.cluster_id] = totals.get(arrival.cluster_id, Receipt()) + receipt
    receipts = [Receipt()] * len(members)
    for number, places in clusters.items():
        parts = [members[place].decoded for place in places]
        for place, receipt in zip(places, shares(totals[number], parts), strict=True):
            receipts[place] = replace(receipt, dropped=members[place].left.dropped)
    return receipts


def _pass_the_door(pen: _Pen, members: Sequence[_Member]) -> None:
    for member in members:
        if not member.passed:
            pen.door.renew(pen.writer.ask)
            waiting = member.waiting
            passed = pen.door.pass_through(waiting.cluster_id, member.decoded, waiting.at_us)
            if passed.decoded is not member.decoded:
                member.looked = None
            member.decoded, member.left, member.passed = passed.decoded, passed.left, True


def _pieces(members: Sequence[_Member]) -> Iterator[tuple[Decoded, Looked | None]]:
    """All events of these bodies as few inputs of the writer, with what is known of each."""
    decoded = _merge([member.decoded for member in members])
    known = [member.looked for member in members if member.looked is not None]
    if len(known) < len(members):
        yield from ((piece, None) for piece in decoded.split(PIECE_EVENTS))
    else:
        yield from zip(decoded.split(PIECE_EVENTS), joined(known).split(PIECE_EVENTS), strict=True)


def _merge(parts: Sequence[Decoded]) -> Decoded:
    if len(parts) == 1:
        return parts[0]
    merged = Decoded()
    for part in parts:
        merged.events += part.events
        merged.shapes += part.shapes
        merged.raws += part.raws
        merged.rejects += part.rejects
    return merged
