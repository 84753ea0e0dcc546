"""How long `POST .../score` takes for one window with its explanation, at 200 requests a second, whatever the answers take.

A real server in a process of its own with its embedded database, the demonstration's log and model in it; an open loop over kept
connections: a request goes out when its time has come, and its latency counts from that time. Beside it, in the same run, a bare
route of the same server at the same rate. Sender, server and database share the cores. Bars: p50 <= 5 ms, p99 <= 25 ms on two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import uvloop

RATE = 200
SECONDS = 15
CONNECTIONS = 32
P50_BAR, P99_BAR = 5.0, 25.0


def demonstration(folder: Path) -> Path:
    """This will take the demonstration in, with its model, and return its configuration."""
    environment = os.environ | {"ANOMALY_DATA_DIR": str(folder)}
    command = [sys.executable, "-P", "-m", "anomaly", "--quiet", "demo", "--output", "json"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return folder / "demo" / "demo.toml"


def token_and_windows(config: Path, most: int) -> tuple[str, list[bytes]]:
    """This will make a token that may score, and bodies of real windows, each as a caller would send it."""
    from datetime import timedelta

    from anomaly.bootstrap import open_database, read_settings
    from anomaly.events.key import EPOCH
    from anomaly.rights import Right
    from anomaly.store.entities import all_entities
    from anomaly.store.tokens import Grant, make
    from anomaly.store.windows import Span, read_windows

    settings = read_settings(config).settings
    with open_database(settings) as database:
        with database.begin() as session:
            token = make(session, Grant("bench", frozenset({Right.SCORE}), None))[1]
        with database.connection() as connection:
            windows = read_windows(connection, Span(), settings.windows.span // timedelta(microseconds=1))
            names = {one.id: one.identity.username for one in all_entities(connection)}
    bodies = []
    for index in np.random.default_rng(0).permutation(windows.n)[:most].tolist():
        counts: dict[str, dict[str, int]] = {}
        for (dimension, text), count in windows.histogram(index).items():
            counts.setdefault(dimension.name.lower(), {})[text] = int(count)
        start = EPOCH + timedelta(microseconds=int(windows.start[index]))
        told = {"entity": names[int(windows.entity[index])], "start": start.isoformat(), "counts": counts}
        bodies.append(json.dumps({"window": told}).encode())
    return token, bodies


def serve(config: Path) -> tuple[subprocess.Popen[str], int]:
    """This will start the service and return it with its port."""
    environment = os.environ | {"ANOMALY_LOG__FORMAT": "json", "ANOMALY_LOG__LEVEL": "info"}
    command = [sys.executable, "-P", "-m", "anomaly", "--config", str(config), "serve", "--port", "0"]
    # A file, not a pipe: one that nobody reads would fill, and stop the service.
    log = config.parent / "bench-serve.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, env=environment, stderr=out, text=True)
    for _ in range(600):
        if (found := re.search(r'"url": "http://[^"]*:(\d+)"', log.read_text())) is not None:
            return process, int(found[1])
        time.sleep(0.1)
    process.kill()
    raise SystemExit(f"the service did not start: {log.read_text()[-2000:]}")


class Client:
    """Kept connections, one request at a time on each."""

    def __init__(self, port: int, connections: int) -> None:
        self._port, self._count = port, connections
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def connect(self) -> None:
        """This will open all connections."""
        for _ in range(self._count):
            await self._free.put(await asyncio.open_connection("127.0.0.1", self._port))

    async def ask(self, request: bytes) -> int:
        """This will send a request on the next free connection and return the status of its answer."""
        reader, writer = await self._free.get()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        await reader.readexactly(int(found[1]) if found else 0)
        await self._free.put((reader, writer))
        return int(head[9:12])


async def open_loop(client: Client, requests: list[bytes], rate: float, seconds: float) -> list[float]:
    """This will send requests at a steady rate and return milliseconds from when each was due to its answer."""
    took: list[float] = []
    began = time.perf_counter() + 0.05
    tasks: set[asyncio.Task[None]] = set()

    async def one(due: float, request: bytes) -> None:
        status = await client.ask(request)
        if status != 200:
            raise SystemExit(f"answered {status}")
        took.append((time.perf_counter() - due) * 1e3)

    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(due, requests[number % len(requests)]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return took


def line(what: str, took: list[float], bars: tuple[float, float] | None = None) -> bool:
    """This will print one row of figures and return whether it held its bars."""
    p50, p75, p90, p95, p99, last = np.percentile(took, [50, 75, 90, 95, 99, 99.9])
    held = bars is None or (p50 <= bars[0] and p99 <= bars[1])
    said = "" if bars is None else f"{'ok    ' if held else 'MISSED'} p50 <= {bars[0]:g}, p99 <= {bars[1]:g}"
    print(
        f"{what:32s} p50 {p50:6.2f}  p75 {p75:6.2f}  p90 {p90:6.2f}  p95 {p95:6.2f}  p99 {p99:6.2f}  p99.9 {last:6.2f}"
        f"  max {max(took):6.2f} ms  {said}",
        flush=True,
    )
    return held


def cpu_seconds(process: int) -> float:
    """This will return the processor time that a process has used, 0 where the system does not tell."""
    try:
        told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


async def measure(
    server: int, port: int, token: str, bodies: list[bytes], rate: float, seconds: float
) -> bool:
    """This will measure the bare route and the scores, and print both."""
    client = Client(port, CONNECTIONS)
    await client.connect()
    head = f"Host: localhost\r\nAuthorization: Bearer {token}\r\n"
    scores = [
        f"POST /v1/clusters/demo/score HTTP/1.1\r\n{head}Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
        for body in bodies
    ]
    bare = [f"GET /healthz HTTP/1.1\r\n{head}\r\n".encode()]
    await open_loop(client, scores, 20, 5)
    line(f"bare route, {rate:g}/s", await open_loop(client, bare, rate, seconds / 3))
    alone = []
    for score in scores[:100]:
        began = time.perf_counter()
        await client.ask(score)
        alone.append((time.perf_counter() - began) * 1e3)
    line("score, one after the other", alone)
    before = cpu_seconds(server)
    took = await open_loop(client, scores, rate, seconds)
    used = (cpu_seconds(server) - before) / len(took) * 1e3
    print(f"{'processor time of the server':32s} {used:.2f} ms a request", flush=True)
    return line(f"score with explanation, {rate:g}/s", took, (P50_BAR, P99_BAR))


def main() -> int:
    """This will print the figures; the exit status is 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description="Measure POST /v1/clusters/{cluster}/score.")
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--config", type=Path, help="a demonstration that is there already (demo.toml)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="anomaly-bench-") as folder:
        config = chosen.config or demonstration(Path(folder))
        token, bodies = token_and_windows(config, 500)
        process, port = serve(config)
        try:
            held = uvloop.run(measure(process.pid, port, token, bodies, chosen.rate, chosen.seconds))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)
            if chosen.config is None:
                subprocess.run(
                    [sys.executable, "-P", "-m", "anomaly", "--config", str(config), "db", "stop"],
                    check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
