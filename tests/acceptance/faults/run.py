"""One run of the fault suite: senders with their ledgers, replicas, a database, and N kills at random moments under load."""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import time
import uuid
from dataclasses import asdict, dataclass

from tests.acceptance.faults.apiserver import Apiserver, Flags
from tests.acceptance.faults.stage import Stage
from tests.acceptance.faults.verdict import judge
from tests.anomaly.store.state import recorded

CLUSTERS = ("north", "south", "south")
"""Three API servers; two of them are of one cluster, as where the control plane is highly available."""
POISON_EVERY = 150
_AUDIT_ID = re.compile(rb'"auditID":"[^"]*"')
_LINES = 4_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: how many kills, how far apart at most in seconds, events a second of each API server, and the seed of it all."""

    kills: int
    seed: int
    replicas: int = 2
    embedded: bool = False
    rate: float = 60.0
    apart: float = 4.0
    pace: float = 0.15


class Load:
    """Audit events as a real control plane wrote them, under new audit ids; now and then an item that is no event."""

    def __init__(self, stub, rate, seed):
        self.stub, self.rate = stub, rate
        self._random = random.Random(seed)
        self._lines = recorded(_LINES)
        self._made = self._random.randrange(_LINES)
        self.poison = 0

    async def run(self, stop):
        """Give the API server events at the rate until told to stop."""
        began, given = time.monotonic(), 0
        while not stop.is_set():
            for _ in range(int((time.monotonic() - began) * self.rate) - given):
                self._one()
                given += 1
            await asyncio.sleep(0.02)

    def _one(self):
        audit_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        line = self._lines[self._made % len(self._lines)]
        raw = _AUDIT_ID.sub(b'"auditID":"%s"' % audit_id.encode(), line, count=1)
        self._made += 1
        if self._made % POISON_EVERY == 0:
            # Two items in the place of one: they reach the buffer, and a body, together.
            raw += b',{"kind":"Event","auditID":%d}' % self._random.getrandbits(60)
            self.poison += 1
        self.stub.event(audit_id, raw)


def run(plan, folder, say=print):
    """Run it all; returns (verdict, report). The report is what the ledgers and the stage counted."""
    with Stage(folder, plan.replicas, embedded=plan.embedded, seed=plan.seed) as stage:
        tokens = {name: stage.cluster(name)[1] for name in dict.fromkeys(CLUSTERS)}
        addresses = [("127.0.0.1", service.port) for service in stage.services]
        stubs = [
            Apiserver(
                addresses, f"/v1/clusters/{name}/audit", tokens[name],
                flags=Flags(max_wait=0.3), pace=plan.pace, impatience=0.01, seed=plan.seed + place,
            )
            for place, name in enumerate(CLUSTERS)
        ]  # fmt: skip
        began = time.monotonic()
        busy = asyncio.run(_act(plan, stage, stubs, say))
        seconds = time.monotonic() - began
        stops = [service.terminate() for service in stage.services]
        senders = list(zip(CLUSTERS, stubs, strict=True))
        verdict = judge(stage.database, senders, folder / "clean")
        report = _report(plan, stage, stubs, busy, seconds, stops)
    return verdict, report


async def _act(plan, stage, stubs, say):
    stop = asyncio.Event()
    sending = [asyncio.create_task(stub.run()) for stub in stubs]
    loads = [
        asyncio.create_task(Load(stub, plan.rate, f"{plan.seed}:{place}").run(stop))
        for place, stub in enumerate(stubs)
    ]
    chance, busy = random.Random(f"{plan.seed}:kills"), []
    while len(busy) < plan.kills:
        await _something_is_kept(stubs)
        await asyncio.sleep(chance.random() * plan.apart)
        under_way = sum(batch.outcome == "under way" for stub in stubs for batch in stub.batches)
        if what := await asyncio.to_thread(stage.kill):
            busy.append(under_way)
            say(f"kill {len(busy):>4}  {what:<15} {under_way:>3} batches under way")
    await asyncio.to_thread(stage.whole)
    stop.set()
    await asyncio.gather(*loads)
    for stub in stubs:
        stub.stop()
    await asyncio.gather(*sending)
    return busy


async def _something_is_kept(stubs, within=30.0):
    """A kill shall interrupt work: without this, on a slow machine, most would hit what has not come back from the last one."""
    kept, deadline = _acknowledged(stubs), time.monotonic() + within
    while time.monotonic() < deadline and _acknowledged(stubs) - kept < 5:  # noqa: ASYNC110 -- counts are looked at
        await asyncio.sleep(0.05)


def _acknowledged(stubs):
    return sum(batch.outcome == "acknowledged" for stub in stubs for batch in stub.batches)


def _report(plan, stage, stubs, busy, seconds, stops):
    tries = [one for stub in stubs for batch in stub.batches for one in batch.tries]
    waits = sorted(
        batch.ended - batch.began
        for stub in stubs
        for batch in stub.batches
        if batch.outcome == "acknowledged"
    )
    afters = [after for stub in stubs for after in stub.retry_afters]
    return {
        "plan": asdict(plan),
        "seconds": round(seconds, 1),
        "killed": dict(stage.killed),
        "kills with batches under way": sum(one > 0 for one in busy),
        "batches": sum(len(stub.batches) for stub in stubs),
        "posts": len(tries),
        "answers": {str(one): tries.count(one) for one in sorted(set(tries), key=str)},
        "events acknowledged": sum(len(stub.acknowledged()) for stub in stubs),
        "events dropped by senders": sum(len(stub.dropped()) for stub in stubs),
        "events that overflowed senders": sum(len(stub.overflowed) for stub in stubs),
        "refusals without Retry-After of 5 to 15 s": sum(
            after is None or not 5 <= int(after) <= 15 for after in afters
        ),
        "seconds to acknowledgement p50": round(statistics.median(waits), 2) if waits else None,
        "seconds to acknowledgement max": round(waits[-1], 2) if waits else None,
        "starts that found no database": len(stage.mishaps),
        "seconds to stop": [round(took, 1) for _, took in stops],
        "stopped with status": [status for status, _ in stops],
    }
