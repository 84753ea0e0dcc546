"""How fast a log becomes events, windows, firsts and findings, through the real command into a fresh embedded database.

`python -m benchmarks.bench_ingest [LOG] [--megabytes N]` prints events a second end to end, the processor time of an event and
who spent it, memory of all processes of the command, bytes an event on disk, and beside them, in the same run with the same
rows, what PostgreSQL takes alone: prebuilt binary rows by COPY into a like table, and rows by SQLAlchemy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy

from anomaly.rules import pack
from anomaly.settings import Settings
from anomaly.store.database import Database, open_database
from anomaly.store.embedded import Embedded
from anomaly.store.events import EVENT
from anomaly.store.tables import event
from benchmarks.realistic import SAMPLE, make

BAR: Final = 40_000
GOAL: Final = 60_000
MEMORY_BAR: Final = 400
DISK_BAR: Final = 450
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_COPY_ROWS: Final = 200_000
_SLOW_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run of the command took. `command` and `server` are seconds of processor time, `peak` bytes of memory."""

    events: int
    seconds: float
    command: float
    server: float
    peak: int


def family(pid: int) -> list[int]:
    """This will list a process and all below it."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        try:
            children = Path(f"/proc/{one}/task/{one}/children").read_text().split()
        except OSError:
            continue
        found.append(one)
        waiting += map(int, children)
    return found


def processor_seconds(pid: int) -> float:
    """This will return the processor time of a server: its own, of its living children and of those that ended."""
    total = 0.0
    for one in family(pid):
        try:
            words = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, words[11:15])) / _TICKS
    return total


def memory(pid: int) -> int:
    """This will return the PSS of a process and all below it, in bytes: a page that several share counts once."""
    total = 0
    for one in family(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


def ingest(log: Path, folder: Path, workers: int | None) -> Taken:
    """This will run `anomaly ingest` in processes of its own and watch them."""
    server = Embedded(Settings(data_dir=folder)).status().pid
    assert server is not None
    options = [] if workers is None else ["--workers", str(workers)]
    command = [sys.executable, "-P", "-m", "anomaly", "ingest", str(log), "--output", "json", *options]
    served, used, began = processor_seconds(server), os.times(), time.perf_counter()
    peaks: list[int] = [0]
    with subprocess.Popen(
        command, env=os.environ | {"ANOMALY_DATA_DIR": str(folder)}, stdout=subprocess.PIPE
    ) as process:
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.2):
                peaks.append(memory(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        said = process.communicate()[0]
        seconds = time.perf_counter() - began
        done.set()
        watcher.join()
    if process.returncode:
        raise SystemExit(f"the command failed with {process.returncode}")
    now = os.times()
    mine = now.children_user + now.children_system - used.children_user - used.children_system
    kept = int(json.loads(said)["events kept"])
    return Taken(kept, seconds, mine, processor_seconds(server) - served, max(peaks))


def disk_bytes(database: Database) -> tuple[int, list[tuple[str, int]]]:
    """This will return the size of the database after VACUUM, and of its largest tables, in bytes."""
    asked = (
        "SELECT regexp_replace(relname, '_[0-9]{8}$', ''), sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'anomaly' AND relkind = 'r' GROUP BY 1 ORDER BY 2 DESC LIMIT 6"
    )
    with database.dedicated(autocommit=True) as connection:
        connection.execute("VACUUM")
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        return int(row[0]), [(str(name), int(size)) for name, size in connection.execute(asked)]


def copy_alone(database: Database) -> float:
    """This will copy prebuilt binary rows into a like table with the same indexes; returns rows a second."""
    columns = ", ".join(EVENT.columns)
    with database.dedicated() as connection, connection.cursor() as cursor:
        asked = f"SELECT {columns} FROM anomaly.event ORDER BY chunk_id, ordinal LIMIT {_COPY_ROWS}"
        with cursor.copy(f"COPY ({asked}) TO STDOUT (FORMAT BINARY)".encode()) as copy:
            prebuilt = b"".join(bytes(piece) for piece in copy)
        rows = cursor.rowcount
        cursor.execute("CREATE TABLE anomaly.copied (LIKE anomaly.event INCLUDING ALL)")
        connection.commit()
        began = time.perf_counter()
        with cursor.copy(f"COPY anomaly.copied ({columns}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
            copy.write(prebuilt)
        connection.commit()
        rate = rows / (time.perf_counter() - began)
        cursor.execute("DROP TABLE anomaly.copied")
    return rate


def sqlalchemy_alone(database: Database) -> float:
    """This will insert rows the usual way, a thousand at a time; returns rows a second."""
    table = event.to_metadata(sqlalchemy.MetaData(schema="anomaly"), name="inserted")
    table.dialect_options["postgresql"]["partition_by"] = None
    table.indexes.clear()
    with database.begin() as connection:
        rows = [
            dict(row._mapping) for row in connection.execute(sqlalchemy.select(event).limit(_SLOW_ROWS)).all()
        ]
        connection.execute(
            sqlalchemy.text("CREATE TABLE anomaly.inserted (LIKE anomaly.event INCLUDING ALL)")
        )
    began = time.perf_counter()
    for start in range(0, len(rows), 1_000):
        with database.begin() as connection:
            connection.execute(sqlalchemy.insert(table), rows[start : start + 1_000])
    rate = len(rows) / (time.perf_counter() - began)
    with database.begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE anomaly.inserted"))
    return rate


def report(taken: Taken, copied: float, inserted: float, size: int, tables: list[tuple[str, int]]) -> None:
    """This will print the table."""
    rate, disk, peak = taken.events / taken.seconds, size / taken.events, taken.peak / 1e6
    both = (taken.command + taken.server) / taken.events * 1e6
    print(
        f"{'end to end, the command':44} {rate:>10,.0f} events/s   bar {BAR:,}: {_met(rate >= BAR)}, goal {GOAL:,}: {_met(rate >= GOAL)}"
    )
    print(
        f"{'processor time an event':44} {both:>10.1f} us"
        f"   command {taken.command / taken.events * 1e6:.1f}, server {taken.server / taken.events * 1e6:.1f};"
        f" two cores of their own would do {2e6 / both:,.0f} events/s"
    )
    print(
        f"{'narrow COPY alone, one connection':44} {copied:>10,.0f} rows/s     end to end / COPY {rate / copied:.2f}"
    )
    print(
        f"{'SQLAlchemy insert alone':44} {inserted:>10,.0f} rows/s     end to end / SQLAlchemy {rate / inserted:.1f}"
    )
    print(
        f"{'peak memory of the command (PSS)':44} {peak:>10,.0f} MB         bar {MEMORY_BAR}: {_met(peak < MEMORY_BAR)}"
    )
    print(
        f"{'on disk, all tables and indexes':44} {disk:>10,.0f} B/event    bar {DISK_BAR}: {_met(disk <= DISK_BAR)}"
    )
    print("  of which", ", ".join(f"{name} {bytes_ / taken.events:,.0f}" for name, bytes_ in tables))


def _met(good: bool) -> str:
    return "met" if good else "MISSED"


def main() -> None:
    """This will print the figures."""
    parser = argparse.ArgumentParser(description="Measure ingest from end to end.")
    parser.add_argument(
        "log", type=Path, nargs="?", help="a log to ingest; made from the recorded one unless given"
    )
    parser.add_argument("--megabytes", type=float, default=200.0, help="how much to make, in 10^6 bytes")
    parser.add_argument("--workers", type=int, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        log = chosen.log or folder / "audit.jsonl"
        if chosen.log is None:
            made = make(SAMPLE, log, int(chosen.megabytes * 1e6))
            print(
                f"{made.events:,} events, {made.bytes / 1e6:,.0f} MB, {made.bytes / made.events:,.0f} bytes each",
                flush=True,
            )
        settings = Settings(data_dir=folder / "data")
        try:
            with open_database(settings) as database:
                ran = pack()
                print(
                    f"with the whole pack: {len(ran.rules)} rules and {len(ran.correlations)} correlations on every event",
                    flush=True,
                )
                taken = ingest(log, folder / "data", chosen.workers)
                size, tables = disk_bytes(database)
                report(taken, copy_alone(database), sqlalchemy_alone(database), size, tables)
        finally:
            Embedded(settings).stop()


if __name__ == "__main__":
    main()
