"""A real `anomaly serve` with rules, windows, firsts, a trained model and all jobs on, under a load that does not wait for it.

Bars: 20,000 events/s for two minutes with every body acknowledged in time; from an event being sent to its finding being there
for a reader, p99 of 5 s, for rules and for behaviour; memory flat; at three times the load nothing acknowledged is lost, the rest
is refused with a Retry-After, and afterwards it recovers by itself. Beside it, in the same run, what the writer alone does.
"""

from __future__ import annotations

import argparse
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
from collections import Counter
from pathlib import Path

from anomaly.settings import Settings
from anomaly.store.database import open_database
from anomaly.store.embedded import Embedded
from benchmarks.bench_webhook import writer_alone
from benchmarks.load_needles import PATH, Needles
from benchmarks.load_sender import EVENTS, send
from benchmarks.realistic import SAMPLE

VISIBLE_BAR = 5.0


class Memory:
    """Resident memory of the service and its children in MB, once a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.samples: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        began = time.monotonic()
        while not self._over.wait(1.0):
            self.samples.append((time.monotonic() - began, sum(map(resident, family(self._pid)))))

    def slope(self, skip: float) -> float:
        """MB a minute over everything after the first `skip` seconds, by least squares."""
        kept = [(at, size) for at, size in self.samples if at >= skip]
        if len(kept) < 3:
            return 0.0
        return statistics.linear_regression(*zip(*kept, strict=True)).slope * 60


def family(pid: int) -> list[int]:
    """This will return a process and its children that are ours: the embedded database is detached, but a child all the same."""
    try:
        children = " ".join(one.read_text() for one in Path(f"/proc/{pid}/task").glob("*/children")).split()
        return [pid] + [
            int(child)
            for child in children
            if not {b"postgres", b"resource_tracker"}
            & set(re.findall(rb"[a-z_]+", Path(f"/proc/{child}/cmdline").read_bytes()))
        ]
    except OSError:
        return [pid]


def resident(pid: int) -> float:
    """This will return the resident memory of a process in MB."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def processor(pid: int) -> float:
    """This will return the processor seconds a process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def quantiles(values: list[float]) -> str:
    """This will return p50, p99 and the longest as text."""
    if not values:
        return "none"
    ordered = sorted(values)
    return (
        f"p50 {statistics.median(ordered):.2f} s  p99 {ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]:.2f} s"
        f"  max {ordered[-1]:.2f} s"
    )


def start(folder: Path, sample: Path) -> tuple[subprocess.Popen[bytes], int, str]:
    """This will take in the recorded log, train a model of it, and start the service; returns process, port and token."""
    environment = os.environ | {
        "ANOMALY_DATA_DIR": str(folder),
        "ANOMALY_LOG__FORMAT": "json",
        "ANOMALY_WINDOWS__SPAN": "1m",
        # A day of 24 minutes is a short history: with the usual ten a day nothing that a stranger does within a second stands out.
        "ANOMALY_SCORING__FINDINGS_PER_DAY": "40",
    }
    command = [sys.executable, "-P", "-m", "anomaly"]

    def do(*words: str) -> str:
        done = subprocess.run(
            [*command, *words], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{words}: {done.stderr}")
        return done.stdout

    token = json.loads(do("cluster", "add", "bench", "-o", "json"))["token"]
    do("ingest", str(sample), "--cluster", "bench")
    do("train", "--cluster", "bench", "--time-scale", "60")
    log = open(folder / "serve.log", "wb")  # noqa: SIM115 -- the service writes to it
    process = subprocess.Popen([*command, "serve", "--port", "0"], env=environment, stderr=log)
    for _ in range(600):
        for line in (folder / "serve.log").read_bytes().splitlines():
            if b'"listening"' in line:
                return process, int(json.loads(line)["url"].rpartition(":")[2]), token
        time.sleep(0.1)
    raise SystemExit("the service did not start")


def lost(database, reports) -> tuple[int, int, int]:
    """This will return (acknowledged bodies of which events are missing, events stored more often than sent, events stored)."""
    with database.dedicated() as connection:
        rows = connection.execute(
            "SELECT received_at, count(*) FROM anomaly.event WHERE received_at >= %s GROUP BY 1",
            [min(report[0] for report in reports)],
        ).fetchall()
    stored = {at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"): number for at, number in rows}
    missing = sum(stored.get(report[0], 0) < EVENTS for report in reports if report[1] == "acknowledged")
    over = sum(max(0, stored.get(report[0], 0) - EVENTS) for report in reports)
    return missing, over, sum(stored.get(report[0], 0) for report in reports)


def steady(pipe, process, needles, rate: float, seconds: float) -> tuple[list, bool]:
    """This will send at the rate, say what came of it, and return the reports and whether the bars are met."""
    with Memory(process.pid) as memory, needles:
        used, began = {pid: processor(pid) for pid in family(process.pid)}, time.monotonic()
        pipe.send((rate, seconds))
        reports = pipe.recv()
        took = time.monotonic() - began
        cores = [(processor(pid) - before) / took for pid, before in used.items()]
    done = [report for report in reports if report[1] == "acknowledged"]
    # From the first to the last: how long each took is said for itself, and in a short phase would look like a lower rate.
    ended = [report[4] for report in done]
    achieved = (len(done) - 1) * EVENTS / (max(ended) - min(ended))
    refused = sum(len(report[2]) - 1 for report in reports)
    slope = memory.slope(skip=seconds / 4)
    print(
        f"{f'{rate:,.0f} events/s for {seconds:g} s':34} {achieved:>10,.0f} events/s acknowledged, {refused} refused or failed tries, {len(reports) - len(done)} dropped"
    )
    print(f"{'  from due to acknowledged':34} {quantiles([report[3] for report in done])}")
    for kind, times in needles.seconds.items():
        print(f"{f'  {kind}: from sent to visible':34} {quantiles(times)}   {len(times)} planted and found")
    missing = needles.missing
    if missing:
        print(f"  NOT FOUND within a minute: {', '.join(who for _, who in missing[:8])}")
        print(f"    of these held back by a pause: {needles.held_back() or 'none'}")
    sizes = [size for _, size in memory.samples]
    print(
        f"{'  memory':34} {sizes[0]:,.0f} MB first, {max(sizes):,.0f} MB most, {sizes[-1]:,.0f} MB last; {slope:+.1f} MB a minute after warming up"
    )
    print(f"{'  cores used by each process':34} {', '.join(f'{one:.2f}' for one in cores)}", flush=True)
    late = [
        sorted(times)[min(len(times) - 1, int(len(times) * 0.99))] if times else 99.0
        for times in needles.seconds.values()
    ]
    good = not missing and achieved > 0.97 * rate and max(late) <= VISIBLE_BAR and len(done) == len(reports)
    return reports, good


def overload(pipe, process, rate: float, seconds: float) -> list:
    """This will send at a rate that cannot be kept up with, and say what was refused and when all was well again."""
    with Memory(process.pid) as memory:
        pipe.send((rate, seconds))
        reports = pipe.recv()
    answers = Counter(str(one) for report in reports for one in report[2])
    acknowledged = [report for report in reports if report[1] == "acknowledged"]
    within = sum(report[4] <= seconds for report in acknowledged) * EVENTS / seconds
    print(
        f"{f'{rate:,.0f} events/s for {seconds:g} s':34} {within:>10,.0f} events/s acknowledged meanwhile; answers {dict(answers)}"
    )
    print(
        f"{'  bodies':34} {len(acknowledged)} acknowledged, {len(reports) - len(acknowledged)} given up by the sender"
    )
    print(
        f"{'  last one acknowledged':34} {max(report[4] for report in acknowledged) - seconds:,.1f} s after the overload"
    )
    print(
        f"{'  memory':34} {max(size for _, size in memory.samples):,.0f} MB most, {memory.samples[-1][1]:,.0f} MB last",
        flush=True,
    )
    return reports


def main() -> None:
    """Run it all and print the table; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=20_000)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--overload", type=float, default=3.0, help="times the rate; 0 leaves it out")
    parser.add_argument("--overload-seconds", type=float, default=30)
    parser.add_argument(
        "--distinct", type=int, default=200_000, help="events before the names in them repeat"
    )
    parser.add_argument("--sample", type=Path, default=SAMPLE)
    parser.add_argument("--keep-log", type=Path, default=None, help="where to leave the log of the service")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="bench-load-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        settings = Settings(data_dir=folder)
        process, port, token = start(folder, arguments.sample)
        ours, theirs = context.Pipe()
        sender = context.Process(
            target=send,
            args=(port, PATH, token, arguments.sample, folder, arguments.distinct, theirs),
            daemon=True,
        )
        sender.start()
        theirs.close()  # so that a sender that dies ends the waiting for it
        try:
            with open_database(settings) as database:
                assert ours.recv() == "ready"
                ours.send((arguments.rate / 2, 5))  # the first events teach the writer names
                reports = ours.recv()
                more, good = steady(
                    ours, process, Needles(port, token, database), arguments.rate, arguments.seconds
                )
                reports += more
                if arguments.overload:
                    reports += overload(
                        ours, process, arguments.rate * arguments.overload, arguments.overload_seconds
                    )
                    quiet, well = steady(
                        ours, process, Needles(port, token, database, "second"), arguments.rate, 15
                    )
                    reports += quiet
                    print(f"{'  after the overload':34} {'as before' if well else 'NOT as before'}")
                    good &= well
                missing, over, stored = lost(database, reports)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            status = process.wait(30)
            print(
                f"{'stored':34} {stored:>10,} events; {missing} acknowledged bodies with events missing, {over} events doubled"
            )
            print(f"{'stopped':34} status {status} after {time.monotonic() - began:.1f} s", flush=True)
            alone = argparse.Namespace(log=arguments.sample, bodies=300)
            limit = writer_alone(folder, alone, 8, span_us=60_000_000)
            good &= not missing and not over and status == 0
        finally:
            ours.send(None)
            process.kill()
            if arguments.keep_log:
                arguments.keep_log.write_bytes((folder / "serve.log").read_bytes())
            Embedded(settings).stop()
    print(f"rate / writer alone {arguments.rate / limit:.2f}; bars {'met' if good else 'MISSED'}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
