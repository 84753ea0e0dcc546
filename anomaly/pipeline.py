"""An event's way, first of the three stories: bytes come in, are decoded, kept, windowed and judged by rules, at once.

    bytes --unwrap--> native events --decode--> typed events, shapes, rejects
          --write---> one transaction: events, raw bytes, window parts, firsts, findings of rules, quarantine

Only when the transaction is durable does anybody hear that the events are kept. What arrives twice is kept once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import psycopg

from anomaly.door import Door
from anomaly.errors import NotFound
from anomaly.events.decode import Decoded, Reject, decode_lines
from anomaly.redaction import Redactor
from anomaly.rules import RuleSet
from anomaly.sources.block import Block, Oversized, Position
from anomaly.sources.files import LogFile
from anomaly.sources.unwrap import normalise, unwrap
from anomaly.store.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from anomaly.store.door import NOTHING_LEFT
from anomaly.store.intake import Sent
from anomaly.store.quarantine import raw_of, release
from anomaly.store.writer import NOT_THE_INPUT, Arrival, Receipt, Writer
from anomaly.workers import Crew, Work

Connection = psycopg.Connection[tuple[object, ...]]
Connect = Callable[[], Connection]
Note = Callable[[Connection, Receipt, bool], None]

MAX_BATCH_EVENTS: Final = 20_000
"""Events in one transaction: their places in a chunk must fit 16 bits."""
BLOCK_BYTES: Final = 6 << 20
_OVERSIZED: Final = b"\x00oversized "


class _StillNoEvent(Exception):
    """What was in quarantine would go there again: nothing is changed."""


def take_in(writer: Writer, door: Door, cluster_id: int, source: str, data: bytes) -> Receipt:
    """This will keep every event in `data`: native JSON lines or any shape that `anomaly.sources` knows.

    Returns once all of it is durable. What is no event, or cannot be stored, goes to quarantine with the reason.
    """
    door.renew(writer.ask)
    passed = door.pass_through(cluster_id, decode_lines(normalise(data)))
    return keep(writer, Arrival(cluster_id, source, passed.decoded, left=passed.left))


def keep(writer: Writer, arrival: Arrival, note: Note | None = None) -> Receipt:
    """This will keep decoded input of any size, in transactions of at most `MAX_BATCH_EVENTS` events.

    `note` is called in each of them with its receipt and whether it is the last.
    """
    pieces = list(arrival.decoded.split(MAX_BATCH_EVENTS))
    return _keep_all(writer, _pieces(arrival, pieces), len(pieces), note, last=True)


def _keep_all(
    writer: Writer, pieces: Iterable[Arrival], count: int, note: Note | None, *, last: bool
) -> Receipt:
    kept = (
        _keep(writer, one, note, last=last and place == count) for place, one in enumerate(pieces, start=1)
    )
    return sum(kept, Receipt())


def _pieces(arrival: Arrival, pieces: Iterable[Decoded]) -> Iterator[Arrival]:
    """The account and the ledger count what was sent once: with the first piece."""
    for place, piece in enumerate(pieces):
        yield (
            replace(arrival, decoded=piece, sent=(), left=NOTHING_LEFT)
            if place
            else replace(arrival, decoded=piece)
        )


def _keep(writer: Writer, arrival: Arrival, note: Note | None, *, last: bool) -> Receipt:
    try:
        return writer.write([arrival], also=_noting(note, last=last))[0]
    except NOT_THE_INPUT:
        raise
    except Exception as fault:  # one event that nobody thought of must not keep a file from ever being read
        return _set_apart(writer, arrival, fault, note, last=last)


def _noting(note: Note | None, *, last: bool) -> Callable[[Connection, Sequence[Receipt]], None] | None:
    if note is None:
        return None
    return lambda transaction, receipts: note(transaction, receipts[0], last)


def _set_apart(
    writer: Writer, arrival: Arrival, fault: Exception, note: Note | None, *, last: bool
) -> Receipt:
    """Halve until the event is alone that cannot be stored: it goes to quarantine, the others are kept."""
    decoded = arrival.decoded
    if len(decoded.events) > 1:
        halves = decoded.split((len(decoded.events) + 1) // 2)
        return _keep_all(writer, _pieces(arrival, halves), 2, note, last=last)
    if not decoded.events:
        raise fault
    first = str(fault).partition("\n")[0][:400]
    reject = Reject(decoded.raws[0], f"storing failed: {type(fault).__name__}: {first}")
    alone = replace(arrival, decoded=Decoded(rejects=[*decoded.rejects, reject]))
    return writer.write([alone], also=_noting(note, last=last))[0]


def _decode_block(data: bytes) -> Decoded:
    """What `_bytes_of` made of a block: lines of any shape, or the note of an event too large to hold."""
    if data.startswith(_OVERSIZED):
        length, _, head = data[len(_OVERSIZED) :].partition(b"\n")
        reason = f"the event is {int(length):,} bytes long; only its first {len(head):,} bytes are kept"
        return Decoded(rejects=[Reject(head, reason, int(length))])
    return decode_lines(normalise(data))


def take_block(
    writer: Writer,
    door: Door,
    cluster_id: int,
    source: str,
    block: Block | Oversized,
    at_us: int,
    note: Note | None = None,
) -> Receipt:
    """This will keep what a block of a file holds, `at_us` microseconds after 1970; `note` as for `keep`."""
    data = _bytes_of(block)
    return keep(writer, _arrival(writer, door, cluster_id, source, data, at_us), note)


def _arrival(
    writer: Writer, door: Door, cluster_id: int, source: str, data: bytes, at_us: int | None
) -> Arrival:
    door.renew(writer.ask)
    passed = door.pass_through(cluster_id, _decode_block(data), at_us)
    sent = () if at_us is None else (Sent(len(passed.decoded.events), len(data), at_us),)
    return Arrival(cluster_id, source, passed.decoded, sent, passed.left)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reading of a file is. `read` and `size` are bytes on disk, `size` 0 when unknown."""

    receipt: Receipt
    read: int
    size: int
    resumed: bool = False


@dataclass(slots=True)
class Reading:
    """Reads one file into one cluster, from where an earlier reading stopped, with a crew of workers.

    The checkpoint follows the blocks that are durable without a gap: a crash costs at most the reading of a few blocks again,
    and their events are recognised as duplicates. `total` is what became of the input, also after a failure.
    """

    cluster_id: int
    file: LogFile
    connection: Connection
    again: bool = False
    total: Receipt = Receipt()  # noqa: RUF009  frozen

    def run(self, crew: Crew) -> Generator[Progress, None, None]:
        """This will read to the end, yielding progress after each block. Stopping the iteration early keeps what is done.

        Raises SourceUnavailable when the file cannot be read on, after keeping everything that was whole in it.
        """
        source = self.file.fingerprint.content
        done = (
            load_checkpoint(self.connection, self.cluster_id, source)
            if source and not self.again
            else Checkpoint()
        )
        # Only now: the connection must not sit in a transaction while a file is read.
        self.connection.commit()
        ledger = _Ledger(done)
        try:
            for number, block in enumerate(self.file.blocks(Position(done.position, done.mark), BLOCK_BYTES)):
                ledger.handed_out(number, block)
                crew.give(number, _bytes_of(block))
                self._account(ledger, crew.done(), source)
                yield self._progress(done)
            ledger.ended()
        finally:
            self._account(ledger, crew.finish(), source)
        yield self._progress(done)

    def _progress(self, done: Checkpoint) -> Progress:
        return Progress(self.total, self.file.read_bytes, self.file.size, done.position > 0)

    def _account(self, ledger: _Ledger, finished: Iterator[tuple[int, Receipt]], source: str) -> None:
        try:
            for number, receipt in finished:
                self.total += receipt
                ledger.durable(number)
        finally:
            if source and ledger.moved:
                save_checkpoint(self.connection, self.cluster_id, source, self.file.name, ledger.reached())


class _Ledger:
    """Which blocks are handed out and which are durable; the checkpoint is the end of the unbroken run of durable ones."""

    def __init__(self, done: Checkpoint) -> None:
        self._done = self._last = done
        self._ends: dict[int, Checkpoint] = {}
        self._durable: set[int] = set()
        self._next = 0
        self.moved = False
        self.at_end = False

    def handed_out(self, number: int, block: Block | Oversized) -> None:
        position = block.position
        # A last line without its newline may still be written on: it is kept, and read again next time.
        unfinished = isinstance(block, Block) and block.partial
        # A position without a mark would fit any file that begins alike: it is not gone on from.
        if not unfinished and position.mark:
            self._last = Checkpoint(position.offset, position.mark)
        self._ends[number] = self._last

    def ended(self) -> None:
        self.at_end = True
        self.moved = self.moved or not self._done.finished

    def durable(self, number: int) -> None:
        self._durable.add(number)
        while self._next in self._durable:
            self._done = self._ends.pop(self._next)
            self._durable.discard(self._next)
            self._next += 1
            self.moved = True

    def reached(self) -> Checkpoint:
        self.moved = False
        return replace(self._done, finished=self.at_end and not self._ends)


def _bytes_of(block: Block | Oversized) -> bytes:
    if isinstance(block, Oversized):
        return _OVERSIZED + f"{block.length}\n".encode() + block.head
    # Whatever a file holds, only we write notes: an empty line before makes it a line like any other.
    return b"\n" + block.data if block.data.startswith(_OVERSIZED) else block.data


def crew_for(
    connect: Connect,
    rules: RuleSet,
    span_us: int,
    cluster_id: int,
    source: str,
    count: int,
    redactor: Redactor | None = None,
    clock_us: Callable[[], int] | None = None,
) -> Crew:
    """This will start a crew whose workers take blocks of one source into one cluster, each through its own connection.

    With a clock (microseconds since 1970) it is noted how late events come.
    """

    @contextmanager
    def start() -> Iterator[Work]:
        door = Door()
        with closing(Writer(connect, rules, span_us, redactor)) as writer:

            def take(block: bytes) -> Receipt:
                at_us = None if clock_us is None else clock_us()
                return keep(writer, _arrival(writer, door, cluster_id, source, block, at_us))

            yield take

    return Crew(start, count)


def name_of(path: Path | None) -> str:
    """This will return how a source is called in quarantine: the file's name, or "stdin"."""
    return path.name if path is not None else "stdin"


def retry_quarantined(
    connect: Connect, rules: RuleSet, span: timedelta, number: int, redactor: Redactor | None = None
) -> Receipt:
    """This will decode one quarantined input again; if all of it is events now, they are kept and it is released.

    Raises NotFound when there is no such input.
    """
    writer = Writer(connect, rules, microseconds_in(span), redactor)
    try:
        with connect() as connection:
            found = raw_of(connection, number)
        if found is None:
            raise NotFound(
                f"There is no input {number} in quarantine.", hint="`anomaly quarantine list` shows them."
            )
        cluster_id, source, raw = found
        decoded = decode_lines(b"\n".join(unwrap(raw)))
        if decoded.rejects or not decoded.events:
            return Receipt(quarantined=1)
        door = Door()
        door.renew(writer.ask)
        passed = door.pass_through(cluster_id, decoded)

        def let_go(transaction: Connection, receipts: Sequence[Receipt]) -> None:
            if any(receipt.quarantined for receipt in receipts):
                raise _StillNoEvent
            release(transaction, number)

        arrival = Arrival(cluster_id, source, passed.decoded, left=passed.left)
        arrivals = list(_pieces(arrival, passed.decoded.split(MAX_BATCH_EVENTS)))
        return sum(writer.write(arrivals, also=let_go), Receipt())
    except _StillNoEvent:
        return Receipt(quarantined=1)
    finally:
        writer.close()


def microseconds_in(span: timedelta) -> int:
    """This will return a length of time in whole microseconds."""
    return span // timedelta(microseconds=1)
