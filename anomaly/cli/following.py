"""`anomaly ingest --follow`: a log read as it grows, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anomaly.cli.invocation import current
from anomaly.cli.output import Format, write_details

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from anomaly.rules import RuleSet
    from anomaly.settings import Settings
    from anomaly.store.database import Database
    from anomaly.store.writer import Receipt


def follow_log(
    database: Database, settings: Settings, rules: RuleSet, cluster: str, path: Path, output: Format
) -> None:
    """This will read a log as it grows until Ctrl-C or SIGTERM, then say what came. The next time it goes on where it stopped.

    Raises UsageError when another process reads it already, SourceUnavailable when it cannot be read.
    """
    from anomaly.bootstrap import redactor_of
    from anomaly.cli.moment import clock_us
    from anomaly.errors import UsageError
    from anomaly.pipeline import microseconds_in
    from anomaly.readers.keeper import Tools, read_source
    from anomaly.readers.named import Named
    from anomaly.store.writer import Receipt as Empty

    total = Empty()

    def heard(receipt: Receipt) -> None:
        nonlocal total
        total += receipt

    began = time.monotonic()
    tools = Tools(
        database, rules, microseconds_in(settings.windows.span), redactor_of(settings), clock_us, heard
    )
    one = Named(cluster, "follow", str(path.absolute()))
    with _until_told() as stop:
        current().say(f"Following {one.path}; Ctrl-C stops.")
        if not read_source(one, settings.sources, tools, stop):
            raise UsageError(
                f"{one.path} is read by another process.", hint="`anomaly sources list` says by which."
            )
    details: dict[str, object] = {
        "cluster": cluster,
        "log": one.path,
        "events kept": total.kept,
        "duplicates": total.duplicates,
        "quarantined": total.quarantined,
        "dropped by policy": total.dropped,
        "rule matches": total.matches,
        "seconds": round(time.monotonic() - began, 1),
    }
    write_details(details, output=output)


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
