"""The doctor's look at the sources that the service reads by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import psycopg

from anomaly.intake.diagnosis import Check, Grade
from anomaly.readers.named import named_in
from anomaly.settings import SourceSettings
from anomaly.store.sources import FAILED, STOPPED, WAITING, Source, list_sources

_BEHIND: Final = 256 << 20
"""Bytes behind from which it is worth a word; some 100,000 events."""
_STUCK: Final = timedelta(minutes=5)


def sources_of(
    connection: psycopg.Connection[tuple[object, ...]], cluster: str, settings: SourceSettings, now: datetime
) -> Iterator[Check]:
    """This will yield what is worth saying of each source of a cluster."""
    wanted = {(one.kind, one.path) for one in named_in(settings) if one.cluster == cluster}
    known = list_sources(connection, [cluster])
    for one in known:
        yield from _look(one, (one.kind, one.path) in wanted, now)
    for kind, path in sorted(wanted - {(one.kind, one.path) for one in known}):
        yield Check(
            f"source {path}",
            Grade.WARNING,
            f"The settings name this {kind} source, and nobody has ever read it.",
            "Start `anomaly serve` with these settings on a machine that has the file.",
        )


def _look(one: Source, wanted: bool, now: datetime) -> Iterator[Check]:
    name = f"source {one.path}"
    if one.state == FAILED:
        yield Check(
            name,
            Grade.BROKEN,
            f"It cannot be read: {one.says}",
            "Let the user of the service read it, or take it out of `sources`.",
        )
    elif one.state == STOPPED and wanted:
        yield Check(
            name,
            Grade.WARNING,
            f"Nobody reads it; {one.reader or 'nobody'} was the last to.",
            "Look whether `anomaly serve` runs on the machine that has it.",
        )
    elif one.state == WAITING:
        yield Check(
            name, Grade.WARNING, f"Nothing can be read: {one.says}.", "Correct the path in `sources`."
        )
    elif one.state != STOPPED and now - one.looked_at > _STUCK:
        yield Check(
            name,
            Grade.WARNING,
            f"Its reader {one.reader} holds it and has not looked at it since {one.looked_at:%Y-%m-%d %H:%M:%S} UTC.",
            "Restart that replica; another one takes the source over.",
        )
    elif one.state != STOPPED:
        late = f", {one.behind >> 20:,} MiB behind" if one.behind >= _BEHIND else ""
        yield Check(name, Grade.NOTE if late else Grade.WELL, f"Read by {one.reader}{late}.")
    if one.failed_files:
        yield Check(
            name,
            Grade.WARNING,
            f"{one.failed_files:,} of its files could not be read whole.",
            "See the log of the service for which; copy them again in full.",
        )
