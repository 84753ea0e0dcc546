"""A sender that behaves as kube-apiserver's batching webhook backend does, measured on a running v1.36.2, and keeps a ledger.

Imitated: the buffer of 10,000 events that drops silently when full; batches of at most 400 events, flushed after a wait, 10 a
second with bursts of 15, sent side by side without a limit; `POST <path>?timeout=30s` with Go's headers in Go's order, never
chunked nor compressed, over kept-alive HTTP/1.1 connections; five attempts for whatever is not 2xx, 1.5 times longer apart each
time with jitter, and within each attempt up to ten repeats of a 429 or 503 that says Retry-After, as long as the 30 s of the
attempt last; bodies that are the same bytes every time; a batch that is out of attempts is dropped for good.

Not imitated: HTTP/2, redirects, truncation. `pace` below 1 shortens every wait alike, so that a suite needs minutes and not hours.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time
from collections import deque
from dataclasses import dataclass, field

BUFFER = 10_000
MOST_ITEMS = 400
QPS, BURST = 10.0, 15
ATTEMPTS = 5
REPEATS = 10
FACTOR, JITTER = 1.5, 0.2
TIMEOUT = 30.0
IDLE_CONNECTIONS = 25


@dataclass(slots=True)
class Batch:
    """One body and what became of it. `tries` are answers in order: a status, or the name of what went wrong."""

    number: int
    audit_ids: tuple[str, ...]
    body: bytes
    began: float = 0.0
    ended: float = 0.0
    tries: list[int | str] = field(default_factory=list)
    outcome: str = "under way"


@dataclass(frozen=True, slots=True)
class Flags:
    """What an operator sets on the command line of kube-apiserver, in seconds; the defaults are its own."""

    initial_backoff: float = 10.0
    max_wait: float = 30.0
    max_size: int = MOST_ITEMS
    qps: float = QPS
    burst: int = BURST


class Apiserver:
    """One API server. `event` puts an audit event into its buffer; the ledger is `batches` and `overflowed`."""

    def __init__(
        self, addresses, path, token=None, *, tls=None, flags=None, pace=1.0, impatience=0.0, seed=0
    ):
        """`addresses` are (host, port) of replicas, one chosen for each new connection. `impatience` is the share of tries in
        which the connection is lost after the body was sent: the answer is never read. Which tries they are depends on the
        seed, the batch and the number of the try alone: however the batches interleave, a seed loses the same ones."""
        self.addresses, self.path, self.token, self.tls = list(addresses), path, token, tls
        self.flags = flags or Flags()
        self.pace, self.impatience = pace, impatience
        self.batches: list[Batch] = []
        self.overflowed: list[str] = []
        self.retry_afters: list[str | None] = []
        self._seed, self._random = seed, random.Random(seed)
        self._buffer: deque[tuple[str, bytes]] = deque()
        self._more = asyncio.Event()
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._stopping = False

    # The ledger

    def acknowledged(self):
        """Audit ids of events that were answered 2xx."""
        return {one for batch in self.batches if batch.outcome == "acknowledged" for one in batch.audit_ids}

    def dropped(self):
        """Audit ids of events in batches that ran out of attempts: the sink may have them all the same."""
        return {one for batch in self.batches if batch.outcome == "dropped" for one in batch.audit_ids}

    def tries(self):
        """How many POSTs there were."""
        return sum(len(batch.tries) for batch in self.batches)

    # The backend

    def event(self, audit_id, raw):
        """Buffer an event; when the buffer is full it is dropped, and nobody but the ledger knows."""
        if len(self._buffer) >= BUFFER:
            self.overflowed.append(audit_id)
            return
        self._buffer.append((audit_id, raw))
        self._more.set()

    async def run(self):
        """Send batches until `stop`; then flush the buffer, wait for what is under way, close."""
        tokens, refilled = float(self.flags.burst), time.monotonic()
        while batch := await self._collect():
            while True:
                now = time.monotonic()
                tokens = min(
                    self.flags.burst, tokens + (now - refilled) * self.flags.qps / min(self.pace, 1.0)
                )
                refilled = now
                if tokens >= 1.0:
                    break
                await asyncio.sleep((1.0 - tokens) / self.flags.qps * self.pace)
            tokens -= 1.0
            task = asyncio.create_task(self._deliver(batch))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        if self._sending:
            await asyncio.gather(*self._sending)
        await self.close()

    async def close(self):
        """Let go of all connections; those of TLS need a moment for it."""
        for _, writer in self._idle:
            writer.transport.abort()
        self._idle.clear()
        await asyncio.sleep(0.1)

    def stop(self):
        """SIGTERM: what is buffered is still sent."""
        self._stopping = True
        self._more.set()

    async def _collect(self):
        deadline = None
        while len(self._buffer) < self.flags.max_size and not self._stopping:
            if self._buffer and deadline is None:
                deadline = time.monotonic() + self.flags.max_wait * self.pace
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            self._more.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._more.wait(), left)
        if not self._buffer:
            return None
        taken = [self._buffer.popleft() for _ in range(min(self.flags.max_size, len(self._buffer)))]
        body = (
            b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
            + b",".join(raw for _, raw in taken)
            + b"]}"
        )
        batch = Batch(len(self.batches), tuple(audit_id for audit_id, _ in taken), body)
        self.batches.append(batch)
        return batch

    async def _deliver(self, batch):
        batch.began = time.monotonic()
        wait = self.flags.initial_backoff
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(wait * (1 + self._random.random() * JITTER) * self.pace)
                wait *= FACTOR
            if await self._attempt(batch):
                batch.outcome = "acknowledged"
                break
        else:
            batch.outcome = "dropped"
        batch.ended = time.monotonic()

    async def _attempt(self, batch):
        """One `Do()` of client-go: repeats what says Retry-After, within the time-out of the whole."""
        deadline = time.monotonic() + TIMEOUT * self.pace
        for repeat in range(REPEATS + 1):
            # The time-out of a try is not paced: a loaded machine answers no sooner for it.
            try:
                status, headers = await asyncio.wait_for(self._post(batch), TIMEOUT)
            except (OSError, EOFError, TimeoutError, ValueError, ssl.SSLError) as failure:
                batch.tries.append(type(failure).__name__)
                return False
            batch.tries.append(status)
            if 200 <= status < 300:
                return True
            after = headers.get("retry-after")
            if status in {429, 503}:
                self.retry_afters.append(after)
            if status not in {429, 503} or after is None or not after.isdigit() or repeat == REPEATS:
                return False
            if time.monotonic() + int(after) * self.pace > deadline:
                await asyncio.sleep(max(0.0, deadline - time.monotonic()))
                return False
            await asyncio.sleep(int(after) * self.pace)
        return False

    def _loses(self, batch):
        chance = random.Random(f"{self._seed} {batch.number} {len(batch.tries)}").random()
        return chance < self.impatience

    async def _post(self, batch):
        reader, writer = await self._connection()
        kept = False
        try:
            writer.write(self._head(len(batch.body)))
            writer.write(batch.body)
            await writer.drain()
            if self._loses(batch):
                await asyncio.sleep(self._random.random() * 0.05)
                raise ConnectionAbortedError
            status, headers = await _answer(reader)
            kept = headers.get("connection", "").lower() != "close" and len(self._idle) < IDLE_CONNECTIONS
            return status, headers
        finally:
            if kept:
                self._idle.append((reader, writer))
            else:
                writer.transport.abort()

    def _head(self, length):
        host, port = self.addresses[0]
        authorization = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        return (
            f"POST {self.path}?timeout=30s HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: Go-http-client/1.1\r\n"
            f"Content-Length: {length}\r\nAccept: application/json, */*\r\n{authorization}"
            "Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
        ).encode()

    async def _connection(self):
        while self._idle:
            reader, writer = self._idle.pop()
            # Go's transport notices an idle connection that the server closed, and does not use it.
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.transport.abort()
        # Go's dialer goes on to the next address of a name when one refuses.
        first, *others = self._random.sample(self.addresses, len(self.addresses))
        for host, port in (first, *others)[:-1]:
            with contextlib.suppress(ConnectionRefusedError):
                return await asyncio.open_connection(host, port, ssl=self.tls)
        host, port = others[-1] if others else first
        return await asyncio.open_connection(host, port, ssl=self.tls)


async def _answer(reader):
    status_line = await reader.readuntil(b"\r\n")
    version, status, *_ = status_line.split(b" ", 2)
    if not version.startswith(b"HTTP/1."):
        raise ValueError("no HTTP")
    headers = {}
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    await reader.readexactly(int(headers.get("content-length", "0")))
    return int(status), headers
