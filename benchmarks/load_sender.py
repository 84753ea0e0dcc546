"""The load of `bench_load`: API servers that send 400-event bodies at a rate, whether or not the last one was answered.

Bodies are never held: number n is the same bytes whenever it is made, so that a minute of refusals costs the sender no memory.
Every event of a body says that it was received in the same microsecond, which no other body says: what is stored of a body can
be counted by it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.realistic import make
from tests.acceptance.faults.apiserver import Apiserver, Batch, Flags

EVENTS = 400
_CHANGES = re.compile(
    rb'(?<="auditID":")[^"]*|(?<="requestReceivedTimestamp":")[^"]*|(?<="stageTimestamp":")[^"]*'
)
_HEAD = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['


@dataclass(frozen=True, slots=True)
class Phase:
    """So many bodies, numbered from `first`, at a rate of events a second, from `begins` (seconds of the monotonic clock)."""

    first: int
    count: int
    rate: float
    begins: float

    def due(self, number: int) -> float:
        """This will return when a body is due."""
        return self.begins + (number - self.first) * EVENTS / self.rate


class Bodies:
    """Makes bodies of realistic events, a given number always the same; `epoch` is when number 0 says that it was received."""

    def __init__(self, sample: Path, events: int, scratch: Path, epoch: datetime) -> None:
        made = scratch / "load.jsonl"
        make(sample, made, 1 << 40, events_wanted=events)
        lines = made.read_bytes().split(b"\n")[:-1]
        made.unlink()
        self._epoch = epoch
        self._templates = [
            _taken_apart(_HEAD + b",".join(lines[start : start + EVENTS]) + b"]}")
            for start in range(0, len(lines) - EVENTS + 1, EVENTS)
        ]

    def received(self, number: int, at: float) -> bytes:
        """This will return the moment that a body says, for `at` seconds after the epoch; the number makes it unique."""
        moment = self._epoch + timedelta(seconds=round(at, 1), microseconds=number % 100_000)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()

    def render(self, number: int, at: float) -> bytes:
        """This will return the bytes of a body."""
        texts, kinds = self._templates[number % len(self._templates)]
        stamp = self.received(number, at)
        digits = hashlib.shake_128(b"%d" % number).hexdigest(kinds.count(0) * 16).encode()
        fresh = iter(range(0, len(digits), 32))
        parts = [b""] * (2 * len(texts) - 1)
        parts[::2] = texts
        parts[1::2] = [_uuid(digits, next(fresh)) if kind == 0 else stamp for kind in kinds]
        return b"".join(parts)


def _uuid(digits: bytes, at: int) -> bytes:
    part = digits[at : at + 32]
    return b"%s-%s-4%s-a%s-%s" % (part[:8], part[8:12], part[13:16], part[17:20], part[20:])


def _taken_apart(body: bytes) -> tuple[list[bytes], list[int]]:
    texts, kinds, end = [], [], 0
    for match in _CHANGES.finditer(body):
        texts.append(body[end : match.start()])
        kinds.append(0 if body.endswith(b'"auditID":"', 0, match.start()) else 1)
        end = match.end()
    texts.append(body[end:])
    return texts, kinds


class Loader(Apiserver):
    """An API server whose bodies are numbers until they are sent."""

    def __init__(self, bodies: Bodies, at, *given, **named) -> None:
        super().__init__(*given, **named)
        self._bodies, self._at = bodies, at

    async def _post(self, batch):
        body = self._bodies.render(batch.number, self._at(batch.number))
        return await super()._post(replace(batch, body=body))

    async def play(self, phase: Phase, told) -> None:
        """Send the bodies of a phase when they are due, and return once every one is acknowledged or given up."""
        tasks = []
        for number in range(phase.first, phase.first + phase.count):
            if (early := phase.due(number) - time.monotonic()) > 0:
                await asyncio.sleep(early)
            batch = Batch(number, (), number)
            self.batches.append(batch)
            task = asyncio.create_task(self._deliver(batch))
            task.add_done_callback(lambda _, batch=batch: told(batch))
            tasks.append(task)
        await asyncio.gather(*tasks)


def send(port: int, path: str, token: str, sample: Path, scratch: Path, distinct: int, pipe) -> None:
    """This will be a process of its own: it takes (rate, seconds) from the pipe and answers with what became of each body."""
    epoch = datetime.fromtimestamp(time.time(), UTC)
    bodies = Bodies(sample, distinct, scratch, epoch)
    started, due = time.monotonic(), {}
    loader = Loader(bodies, due.__getitem__, [("127.0.0.1", port)], path, token, flags=Flags())
    pipe.send("ready")
    number = 0
    while (wanted := pipe.recv()) is not None:
        rate, seconds = wanted
        phase = Phase(number, int(rate * seconds / EVENTS), rate, time.monotonic() + 0.2)
        number += phase.count
        for one in range(phase.first, number):
            due[one] = phase.due(one) - started
        pipe.send([_report(bodies, due, batch, phase) for batch in asyncio.run(_play(loader, phase))])


async def _play(loader: Loader, phase: Phase) -> list[Batch]:
    # Connections belong to the loop of their phase.
    loader._idle.clear()
    before = len(loader.batches)
    await loader.play(phase, lambda batch: None)
    return loader.batches[before:]


def _report(bodies, due, batch, phase):
    """(moment its events say, outcome, tries, seconds from due to done, when done after the phase began)."""
    return (
        bodies.received(batch.number, due[batch.number]).decode(),
        batch.outcome,
        batch.tries,
        batch.ended - phase.due(batch.number),
        batch.ended - phase.begins,
    )
