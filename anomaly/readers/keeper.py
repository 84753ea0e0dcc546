"""The threads that read the sources of the settings: one each, by one replica each, again after whatever went wrong."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from anomaly.door import Door
from anomaly.errors import AnomalyError, NotFound, SourceUnavailable
from anomaly.pipeline import crew_for
from anomaly.readers.followed import read_followed
from anomaly.readers.holding import Held, Pace, held
from anomaly.readers.looked import read_folder
from anomaly.readers.named import Named, named_in
from anomaly.redaction import Redactor
from anomaly.rules import RuleSet
from anomaly.settings import SourceSettings
from anomaly.store.clusters import cluster_id as cluster_id_of
from anomaly.store.clusters import ensure_cluster
from anomaly.store.database import Database
from anomaly.store.writer import Receipt, Writer

log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 5.0
"""After which a source that failed, or that another replica reads, is tried again."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What reading takes: where events go, and how they are judged and redacted on the way. `span_us` as of the windows."""

    database: Database
    rules: RuleSet
    span_us: int
    redactor: Redactor
    clock_us: Callable[[], int]
    heard: Callable[[Receipt], None] = lambda receipt: None


class Keeper:
    """Reads every source of the settings while it runs. A source that another replica reads is asked for again and again."""

    def __init__(self, settings: SourceSettings, tools: Tools, again: float = AGAIN_SECONDS) -> None:
        self._settings = settings
        self._tools = tools
        self._again = again
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(one,), name=f"source-{place}", daemon=True)
            for place, one in enumerate(named_in(settings))
        ]

    @property
    def threads(self) -> Sequence[threading.Thread]:
        """One for each source."""
        return self._threads

    def start(self) -> None:
        """This will begin to read."""
        for thread in self._threads:
            thread.start()

    def close(self, within: float) -> None:
        """This will stop behind the blocks in hand, waiting at most `within` seconds."""
        self._stop.set()
        for thread in self._threads:
            thread.join(within / len(self._threads))

    def _run(self, one: Named) -> None:
        while not self._stop.is_set():
            try:
                read_source(one, self._settings, self._tools, self._stop)
            except (AnomalyError, psycopg.Error, OSError) as fault:
                first = str(fault).split("\n")[0][:300]
                log.warning(
                    "a source will be tried again",
                    extra={"cluster": one.cluster, "source": one.source, "reason": first},
                )
            except Exception:
                # A thread that ended here would leave the source unread until somebody looks.
                log.exception("a source failed", extra={"cluster": one.cluster, "source": one.source})
            self._stop.wait(self._again)


def read_source(one: Named, settings: SourceSettings, tools: Tools, stop: threading.Event) -> bool:
    """This will read a source until told to stop, unless another replica does: then it returns False at once.

    Raises SourceUnavailable, which is noted at the source as well, and what the database raises.
    """
    cluster_id = _cluster(tools.database, one.cluster)
    reader = f"{socket.gethostname()}:{os.getpid()}"
    with held(tools.database.dedicated, cluster_id, one.kind, one.path, reader) as ours:
        if ours is None:
            return False
        log.info("reads a source", extra={"cluster": one.cluster, "source": one.source})
        try:
            _read(one, settings, tools, stop, ours, cluster_id)
        except SourceUnavailable as unavailable:
            ours.failed(str(unavailable))
            raise
        return True


def _cluster(database: Database, name: str) -> int:
    # Asked for again and again: only a cluster that is not there yet may cost a number.
    with database.begin() as connection:
        try:
            return cluster_id_of(connection, name)
        except NotFound:
            return ensure_cluster(connection, name)


def _read(
    one: Named, settings: SourceSettings, tools: Tools, stop: threading.Event, ours: Held, cluster_id: int
) -> None:
    connect, path = tools.database.dedicated, Path(one.path)
    if one.kind == "follow":
        pace = Pace(stop, settings.follow_every.total_seconds())
        with closing(Writer(connect, tools.rules, tools.span_us, tools.redactor)) as writer:
            read_followed(
                ours, writer, Door(), cluster_id, one.source, path, pace, tools.clock_us, tools.heard
            )
        return
    pace = Pace(stop, settings.look_every.total_seconds())
    with crew_for(
        connect, tools.rules, tools.span_us, cluster_id, one.source, 0, tools.redactor, tools.clock_us
    ) as crew:
        read_folder(ours, crew, cluster_id, path, pace, tools.heard)
