"""`anomaly ingest`: audit logs from disk or standard input into the store."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Format, Output, visible, write_details

if TYPE_CHECKING:
    from types import FrameType

    from anomaly.errors import SourceUnavailable
    from anomaly.pipeline import Progress
    from anomaly.rules import RuleSet
    from anomaly.settings import Settings
    from anomaly.store.database import Database
    from anomaly.store.writer import Receipt

app = App(name="ingest", help="Read audit logs: JSON lines, EventLists, gz, zst, cloud exports.")

INTERRUPTED = 130
_SILENCE_SECONDS = 1.0


@app.default
def ingest(
    path: Annotated[
        str, Parameter(help="A file, a directory, or - for standard input.", allow_leading_hyphen=True)
    ],
    *,
    cluster: str = "default",
    again: Annotated[bool, Parameter(negative="")] = False,
    follow: Annotated[bool, Parameter(negative="")] = False,
    workers: int | None = None,
    output: Output = Format.TABLE,
) -> int:
    """Read audit logs into a cluster. Ctrl-C stops cleanly; the same command goes on where it stopped.

    Parameters
    ----------
    cluster
        The cluster the events are of; made when there is none of that name.
    again
        Read files from the beginning even if they were read before; no event is kept twice.
    follow
        Read one log as it grows and is rotated, until Ctrl-C, as `sources.follow` has `anomaly serve` do.
    workers
        Processes that decode and write side by side; as many as cores unless said, 0 for none besides this one.
    """
    from anomaly.bootstrap import load_rules
    from anomaly.errors import SourceUnavailable
    from anomaly.sources.files import open_source
    from anomaly.sources.folder import find_logs
    from anomaly.store.windows import fold_all

    settings = current().settings()
    if follow:
        return _follow(settings, path, cluster, output)
    files = [None] if path == "-" else (find_logs(Path(path)) if Path(path).is_dir() else [Path(path)])
    if len(files) == 1 and files[0] is not None and not files[0].is_fifo():
        # A wrong path is said at once, not after a database was started for it. A pipe can be opened only once.
        open_source(files[0]).close()
    rules = load_rules(settings)
    with current().database(settings) as database, _interruptible() as interrupted:
        cluster_id = _cluster(database, cluster)
        report = _Report(time.monotonic())
        for file in files:
            if interrupted.by_user:
                break
            report.files += 1
            try:
                _read(database, settings, rules, cluster_id, file, again, workers, interrupted, report)
            except _Stopped:
                break
            except SourceUnavailable as failure:
                # What was whole in it is kept; the other files are still worth reading.
                report.failed.append(failure)
        with database.dedicated(autocommit=True) as connection:
            fold_all(connection)
        write_details(report.details(cluster), output=output)
    if interrupted.by_user:
        current().say("Stopped. The same command goes on from here.")
        return INTERRUPTED
    report.complain()
    return 0


def _follow(settings: Settings, path: str, cluster: str, output: Format) -> int:
    from anomaly.bootstrap import load_rules
    from anomaly.cli.following import follow_log
    from anomaly.errors import UsageError

    if path == "-" or Path(path).is_dir():
        raise UsageError(
            "--follow takes one log file.",
            hint="A pipe is read as it comes; a folder is one of `sources.folder`.",
        )
    rules = load_rules(settings)
    with current().database(settings) as database:
        follow_log(database, settings, rules, cluster, Path(path), output)
    return 0


class _Stopped(Exception):
    """Raised inside the reading of a file: it may be in the middle of a line that never ends."""


@dataclass(slots=True)
class _Interrupted:
    by_user: bool = False

    def watch(self, name: str) -> Callable[[bool], None]:
        """Make what is called while a file is read and waited for: it ends the reading, and says what is waited for."""
        began: float | None = time.monotonic()

        def look(waiting: bool) -> None:
            nonlocal began
            if self.by_user:
                raise _Stopped
            if waiting and began is not None and time.monotonic() - began >= _SILENCE_SECONDS:
                current().say(f"Waiting for {name} to be written to.")
                began = None

        return look


@dataclass(slots=True)
class _Report:
    began: float
    files: int = 0
    already: int = 0
    total: Receipt | None = None
    failed: list[SourceUnavailable] = field(default_factory=list)

    def add(self, receipt: Receipt, *, resumed: bool) -> None:
        self.total = receipt if self.total is None else self.total + receipt
        self.already += resumed and not any((receipt.kept, receipt.duplicates, receipt.quarantined))

    def complain(self) -> None:
        """Raise what kept files from being read whole, after everything else was read."""
        from anomaly.errors import SourceUnavailable

        if len(self.failed) == 1:
            raise self.failed[0]
        for failure in self.failed:
            current().say(f"{failure}.")
        if self.failed:
            raise SourceUnavailable(
                f"{len(self.failed)} of {self.files} files could not be read whole.", hint=self.failed[0].hint
            )

    def details(self, cluster: str) -> dict[str, object]:
        from anomaly.store.writer import Receipt

        total = self.total or Receipt()
        seconds = time.monotonic() - self.began
        read = total.kept + total.duplicates
        return {
            "cluster": cluster,
            "files": self.files,
            "files read before": self.already,
            "events kept": total.kept,
            "duplicates": total.duplicates,
            "quarantined": total.quarantined,
            "dropped by policy": total.dropped,
            "rule matches": total.matches,
            "seconds": round(seconds, 1),
            "events a second": round(read / seconds) if seconds > 0 else 0,
        }


def _cluster(database: Database, name: str) -> int:
    from anomaly.errors import NotFound
    from anomaly.store.clusters import cluster_id, ensure_cluster

    with database.begin() as connection:
        try:
            return cluster_id(connection, name)
        except NotFound:
            made = ensure_cluster(connection, name)
    current().say(f"Cluster {name} is new.")
    return made


def _read(
    database: Database,
    settings: Settings,
    rules: RuleSet,
    cluster_id: int,
    path: Path | None,
    again: bool,
    workers: int | None,
    interrupted: _Interrupted,
    report: _Report,
) -> None:
    from anomaly.bootstrap import redactor_of
    from anomaly.cli.moment import clock_us
    from anomaly.pipeline import Reading, crew_for, microseconds_in, name_of
    from anomaly.sources.files import open_source

    watch = interrupted.watch(str(path) if path is not None else "standard input")
    file = open_source(path if path is not None else "-", watch)
    count = workers if workers is not None else min(os.cpu_count() or 1, 8)
    # A small file is read before a second process would be up.
    if workers is None and 0 < file.size < 1 << 20:
        count = 0
    span_us = microseconds_in(settings.windows.span)
    with (
        file,
        crew_for(
            database.dedicated,
            rules,
            span_us,
            cluster_id,
            name_of(path),
            count,
            redactor_of(settings),
            clock_us,
        ) as crew,
        database.dedicated() as connection,
        _display(name_of(path)) as show,
    ):
        reading = Reading(cluster_id, file, connection, again)
        resumed = False
        try:
            # Closed here and not by the garbage collector, so that a failure in what is in hand is heard.
            with closing(reading.run(crew)) as steps:
                for reached in steps:
                    resumed = reached.resumed
                    show(reached)
                    if interrupted.by_user:
                        break
        finally:
            report.add(reading.total, resumed=resumed)


@contextmanager
def _interruptible() -> Iterator[_Interrupted]:
    """The first Ctrl-C (or SIGTERM) asks to stop after the blocks in hand; the second ends the process at once."""
    state = _Interrupted()

    def ask(number: int, frame: FrameType | None) -> None:
        if state.by_user:
            raise KeyboardInterrupt
        state.by_user = True
        if not current().quiet:
            # Past the buffer of sys.stderr: the signal may have come in the middle of a write to it.
            os.write(2, b"Stopping after what is in hand; Ctrl-C again stops at once.\n")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield state
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _display(name: str) -> Iterator[Callable[[Progress], None]]:
    """A bar with rate and time left on standard error; nothing when that is no terminal."""
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.DownloadColumn(binary_units=True),
        bars.TextColumn("{task.fields[rate]}", markup=False),
        bars.TimeRemainingColumn(),
    )
    began = time.monotonic()
    quiet = current().quiet or not console.is_terminal
    with bars.Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task(visible(name), total=None, rate="")

        def show(reached: Progress) -> None:
            events = reached.receipt.kept + reached.receipt.duplicates
            rate = f"{events / max(time.monotonic() - began, 0.001):,.0f} events/s"
            bar.update(task, completed=reached.read, total=reached.size or None, rate=rate)

        yield show
