"""How many events a second `anomaly serve` takes: 400-event bodies from 8 connections, each answered after its commit.

Beside it, in the same run: the same kind of bodies handed to the writer in one process without HTTP, and a bare server of
the same kind that reads a body and answers at once. Then one body of 27 MB. Bar: 25,000 events/s.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import zstandard

from benchmarks.realistic import SAMPLE

EVENTS = 400
BAR = 25_000
_AUDIT_ID = re.compile(rb'"auditID":"[^"]*"')


def events(log: Path) -> list[bytes]:
    """This will read the lines of an audit log, zstd or plain."""
    data = log.read_bytes()
    if log.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
    return [line for line in data.split(b"\n") if line]


def body_of(lines: list[bytes], start: int) -> bytes:
    """This will make a body of 400 events with audit ids that were never used."""
    items = []
    for place in range(start, start + EVENTS):
        fresh = b'"auditID":"%s"' % str(uuid.uuid4()).encode()
        items.append(_AUDIT_ID.sub(fresh, lines[place % len(lines)], count=1))
    return (
        b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
        + b",".join(items)
        + b"]}"
    )


def bodies(lines: list[bytes], count: int) -> list[bytes]:
    """This will make many bodies."""
    return [body_of(lines, number * EVENTS) for number in range(count)]


def big_body(size: int) -> bytes:
    """This will make one body of few events with large objects, as a kube-apiserver does that lists ConfigMaps."""
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/configmaps",
        "verb": "list",
        "user": {"username": "bob", "groups": ["system:authenticated"]},
        "sourceIPs": ["10.0.0.9"],
        "userAgent": "kubectl",
        "objectRef": {"resource": "configmaps", "namespace": "shop", "apiVersion": "v1"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-11-23T10:00:00.000000Z",
        "stageTimestamp": "2026-11-23T10:00:00.100000Z",
    }
    held = {"kind": "ConfigMapList", "items": [{"data": {"blob": os.urandom(size // 18).hex()}}]}
    items = [event | {"auditID": str(uuid.uuid4()), "responseObject": held} for _ in range(9)]
    return json.dumps({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": items}).encode()


def send(port: int, path: str, token: str, queue: list[bytes], took: list[float]) -> None:
    """This will post bodies from a shared list over one connection until none is left, noting seconds each."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    while queue:
        body = queue.pop()
        began = time.perf_counter()
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        took.append(time.perf_counter() - began)
        if answer.status != 200:
            raise SystemExit(f"answer {answer.status}: {text[:300]!r}")


def load(port: int, path: str, token: str, log: Path, count: int, connections: int, out) -> None:
    """This will run in a process of its own: make the bodies, then send them and report."""
    made = bodies(events(log), count + 40)
    warm, rest = made[:40], made[40:]
    took: list[float] = []
    fan_out(port, path, token, warm, [], connections)
    began = time.perf_counter()
    fan_out(port, path, token, rest, took, connections)
    out.send((time.perf_counter() - began, took, time.process_time()))


def fan_out(
    port: int, path: str, token: str, queue: list[bytes], took: list[float], connections: int
) -> None:
    """This will send from several connections at once."""
    threads = [
        threading.Thread(target=send, args=(port, path, token, queue, took)) for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure(label: str, port: int, path: str, token: str, arguments) -> float:
    """This will run the load generator against a server and print what it saw."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=load, args=(port, path, token, arguments.log, arguments.bodies, arguments.connections, theirs)
    )
    process.start()
    while not ours.poll(1):
        if process.exitcode:
            raise SystemExit("the load generator failed")
    seconds, took, _ = ours.recv()
    process.join()
    rate = arguments.bodies * EVENTS / seconds
    took.sort()
    p50, p99 = statistics.median(took) * 1000, took[int(len(took) * 0.99) - 1] * 1000
    print(f"{label:44} {rate:>10,.0f} events/s   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms", flush=True)
    return rate


def start_service(folder: Path) -> tuple[subprocess.Popen[bytes], int, str]:
    """This will start `anomaly serve` on an embedded database of its own; returns process, port and token."""
    environment = os.environ | {
        "ANOMALY_DATA_DIR": str(folder),
        "ANOMALY_LOG__FORMAT": "json",
    }
    command = [sys.executable, "-P", "-m", "anomaly"]
    added = subprocess.run(
        [*command, "cluster", "add", "bench", "-o", "json"], env=environment, check=True, capture_output=True
    )
    process = subprocess.Popen([*command, "serve", "--port", "0"], env=environment, stderr=subprocess.PIPE)
    assert process.stderr is not None
    for line in process.stderr:
        said = json.loads(line) if line.startswith(b"{") else {}
        if said.get("message") == "listening":
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, int(said["url"].rpartition(":")[2]), json.loads(added.stdout)["token"]
    raise SystemExit("the service did not start")


def bare_server(out) -> None:
    """This will serve an app on the same HTTP server that only reads the body: what HTTP alone costs."""
    import socket

    import uvicorn

    async def app(scope, receive, send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    listening = socket.create_server(("127.0.0.1", 0))
    out.send(listening.getsockname()[1])
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", loop="uvloop")).run(
        [listening]
    )


def writer_alone(folder: Path, arguments, together: int, span_us: int = 3_600_000_000) -> float:
    """This will write bodies through the writer in this process, `together` of them a transaction."""
    from anomaly.events.decode import Decoded, decode_list
    from anomaly.rules import pack
    from anomaly.settings import Settings
    from anomaly.store.clusters import ensure_cluster
    from anomaly.store.database import open_database
    from anomaly.store.writer import Arrival, Writer

    made = bodies(events(arguments.log), arguments.bodies + 40)
    with open_database(Settings(data_dir=folder)) as database:
        with database.begin() as connection:
            cluster = ensure_cluster(connection, "writer-alone")
        writer = Writer(database.dedicated, pack(), span_us)
        began = 0.0
        for start in range(0, len(made), together):
            if start >= 40 and not began:
                began = time.perf_counter()
            merged = Decoded()
            for body in made[start : start + together]:
                part = decode_list(body)
                merged.events += part.events
                merged.shapes += part.shapes
                merged.raws += part.raws
            writer.write([Arrival(cluster, "bench", merged)])
        rate = arguments.bodies * EVENTS / (time.perf_counter() - began)
        writer.close()
    print(f"{f'writer alone, {together} bodies a transaction':44} {rate:>10,.0f} events/s", flush=True)
    return rate


def main() -> None:
    """Run it all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "log", type=Path, nargs="?", default=SAMPLE, help="an audit log, JSON lines, plain or zstd"
    )
    parser.add_argument("--bodies", type=int, default=400)
    parser.add_argument("--connections", type=int, default=8)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    bare = context.Process(target=bare_server, args=(theirs,), daemon=True)
    bare.start()
    limit = measure("bare server, reads the body only", ours.recv(), "/", "none", arguments)
    bare.kill()
    with tempfile.TemporaryDirectory(prefix="bench-webhook-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        process, port, token = start_service(folder)
        try:
            path = "/v1/clusters/bench/audit?timeout=30s"
            rate = measure("anomaly serve, committed before the 200", port, path, token, arguments)
            one = big_body(27_000_000)
            took: list[float] = []
            send(port, path, token, [one], took)
            print(f"{f'one body of {len(one):,} bytes':44} {took[0]:>10.2f} s", flush=True)
            print(f"{'resident memory of the service':44} {_peak(process.pid):>10,.0f} MB peak", flush=True)
            process.send_signal(signal.SIGTERM)
            process.wait(15)
            alone = writer_alone(folder, arguments, 4)
        finally:
            process.kill()
            from anomaly.settings import Settings
            from anomaly.store.embedded import Embedded

            Embedded(Settings(data_dir=folder)).stop()
    print(
        f"serve / bare {rate / limit:.2f}, serve / writer alone {rate / alone:.2f}, bar {BAR:,}: {'met' if rate >= BAR else 'MISSED'}"
    )


def _peak(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
