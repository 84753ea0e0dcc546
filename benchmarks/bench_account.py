"""What keeping account of the intake costs: the same batches written with and without it, turn by turn, in processor time.

`python -m benchmarks.bench_account [--batches N] [--events N]` prints the processor time of an event (ours and that of the
database's process) with and without the account, and the ratio with its bar. Turn by turn and in processor time, so that a busy
machine disturbs both alike.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Final
from unittest import mock

from anomaly.events.decode import decode_lines
from anomaly.rules import pack
from anomaly.settings import Settings
from anomaly.store import writer as writing
from anomaly.store.clusters import ensure_cluster
from anomaly.store.database import open_database
from anomaly.store.embedded import Embedded
from anomaly.store.intake import Sent
from benchmarks.realistic import SAMPLE, make

BAR: Final = 1.03
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def backend_seconds(pid: int) -> float:
    """This will return the processor time of one process of the database."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:13])) / _TICKS


def main() -> None:
    """This will print the figures."""
    parser = argparse.ArgumentParser(description="Measure what keeping account costs.")
    parser.add_argument("--batches", type=int, default=120)
    parser.add_argument(
        "--events", type=int, default=400, help="events of a batch, as many as an API server sends"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-account-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        log = folder / "audit.jsonl"
        make(SAMPLE, log, chosen.batches * chosen.events * 2_500)
        lines = log.read_bytes().splitlines()
        settings = Settings(data_dir=folder / "data")
        try:
            measure(settings, lines, chosen.batches, chosen.events)
        finally:
            Embedded(settings).stop()


def measure(settings: Settings, lines: list[bytes], batches: int, events: int) -> None:
    """This will write the batches twice into two clusters, one of them without an account, and print what it took."""
    spent = {True: 0.0, False: 0.0}
    count = 0
    with open_database(settings) as database:
        with database.begin() as session:
            clusters = {kept: ensure_cluster(session, f"account-{int(kept)}") for kept in (True, False)}
        writers = {kept: writing.Writer(database.dedicated, pack(), 3_600_000_000) for kept in (True, False)}
        pids = {kept: writer._opened().info.backend_pid for kept, writer in writers.items()}
        for turn in range(min(batches, len(lines) // events)):
            part = lines[turn * events : (turn + 1) * events]
            for kept in (True, False) if turn % 2 else (False, True):
                decoded = decode_lines(b"\n".join(part))
                sent = (Sent(len(decoded.events), sum(map(len, part)), time.time_ns() // 1000),)
                arrival = writing.Arrival(clusters[kept], "webhook", decoded, sent)
                began = time.process_time() + backend_seconds(pids[kept])
                if kept:
                    writers[kept].write([arrival])
                else:
                    with mock.patch.object(writing, "keep_account"):
                        writers[kept].write([arrival])
                # The first turns fill the caches of both.
                if turn >= 10:
                    spent[kept] += time.process_time() + backend_seconds(pids[kept]) - began
                    count += len(part) if kept else 0
        for writer in writers.values():
            writer.close()
    for kept, seconds in spent.items():
        print(f"{'with' if kept else 'without'} account: {seconds / count * 1e6:.1f} us an event")
    ratio = spent[True] / spent[False]
    print(f"ratio {ratio:.3f} (bar {BAR}) {'ok' if ratio <= BAR else 'MISSED'}")


if __name__ == "__main__":
    main()
