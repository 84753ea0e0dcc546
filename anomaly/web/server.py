"""Starting and stopping the service: the socket, TLS, the threads around the app, a stop that loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import psycopg
import uvicorn
from fastapi import FastAPI

from anomaly.accounts import invite_first_admin
from anomaly.bootstrap import open_database, redactor_of
from anomaly.errors import AnomalyError
from anomaly.readers.keeper import Keeper, Tools
from anomaly.rules import RuleSet
from anomaly.settings import ServeSettings, Settings
from anomaly.sources.webhook import Limits
from anomaly.store.database import Database
from anomaly.store.intake import add_refusals
from anomaly.store.people import has_admin
from anomaly.store.windows import claim_span
from anomaly.store.writer import Writer
from anomaly.web.access import Doorkeeper
from anomaly.web.app import Shared, load, make_app
from anomaly.web.body import Pending
from anomaly.web.commit import SOURCE, GroupCommit
from anomaly.web.jobs_beside import JobsBeside
from anomaly.web.log import AccessLog, start_logging
from anomaly.web.metrics import Measured
from anomaly.web.protocol import PatientProtocol
from anomaly.web.refusals import Refusals
from anomaly.web.tls import Certificates
from anomaly.web.tracing import start_tracing
from anomaly.web.upkeep import Upkeep

log = logging.getLogger(__name__)

STOP_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 5
_HURRY_SECONDS: Final = 3.0
"""After which bodies that still wait for a writer are refused: under load there may be more of them than the time lets be written."""
_CONNECT: Final = timedelta(seconds=3)
IDLE_SECONDS: Final = 120
"""How long an idle connection is kept: longer than the 90 s of Go's clients, so that they close first and lose no request."""


def run(settings: Settings, rules: RuleSet, say: Callable[[str], None]) -> None:
    """This will serve until SIGTERM or SIGINT, then stop within 10 s: requests that were read are answered first.

    Raises DatabaseUnavailable or SchemaOutdated when there is no database to begin with, SettingsInvalid when its windows are
    of another length or TLS files cannot be used, AnomalyError when the address cannot be had.
    """
    start_logging(settings.log)
    load()
    # At the start there is time to wait for a database; later a sender is told within seconds to come back.
    with open_database(settings, say) as database, database.dedicated() as connection:
        claim_span(connection, span_us(settings))
    haste = min(settings.database.connect_timeout, _CONNECT)
    hasty = settings.database.model_copy(update={"connect_timeout": haste})
    with (
        open_database(settings.model_copy(update={"database": hasty})) as database,
        JobsBeside(settings) if settings.jobs.enabled else contextlib.nullcontext(),
    ):
        serve(settings, database, rules, say)


def serve(
    settings: Settings, database: Database, rules: RuleSet, say: Callable[[str], None] | None = None
) -> None:
    """This will serve on an open database until SIGTERM or SIGINT. Raises as `run` does for TLS and the address."""
    options = settings.serve
    tracing = start_tracing(settings.tracing)
    listening = bind(options)
    with listening:
        commit = GroupCommit(
            lambda: Writer(database.dedicated, rules, span_us(settings), redactor_of(settings)),
            Limits(options.max_body, settings.ingest.max_expansion),
        )
        shared = Shared(
            settings=settings,
            database=database,
            doorkeeper=Doorkeeper(database, clock, settings.access),
            # One body always fits, or it would be refused for ever.
            pending=Pending(max(options.max_pending, options.max_body)),
            commit=commit,
            telemetry=tracing.telemetry,
        )
        shared.meter.watch(shared.pending, lambda: commit.waiting, database)
        certificates = Certificates(options) if options.tls_cert else None
        app = make_app(shared)
        server = _Server(_configuration(app, shared, certificates))
        server.certificates = certificates
        server.hurry = commit.hurry
        upkeep = Upkeep(database.dedicated, clock, [partial(write_refusals, shared.refusals)])
        keeper = Keeper(settings.sources, _tools(settings, database, rules))
        _tune_the_interpreter()
        commit.start()
        keeper.start()
        upkeep.start()
        shared.doorkeeper.record.start()
        url = _announce(options, listening)
        # Beside the service: who comes first should not wait for what all need.
        threading.Thread(target=app.state.desk.warm, name="warm", daemon=True).start()
        welcome_first_admin(database, options.public_url or url, say if sys.stderr.isatty() else None)
        _run(server, listening)
        app.state.desk.close(1.0)
        shared.doorkeeper.record.close(1.0)
        _stop(server, commit, upkeep, keeper)
        tracing.close()


def _tools(settings: Settings, database: Database, rules: RuleSet) -> Tools:
    return Tools(database, rules, span_us(settings), redactor_of(settings), lambda: time.time_ns() // 1000)


def write_refusals(refusals: Refusals, connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """This will write down the refusals counted in memory, and commit; what could not be written is counted on."""
    if not (taken := refusals.take()):
        return
    try:
        add_refusals(connection, {number: one.bodies for number, one in taken.items()}, SOURCE)
    except BaseException:
        refusals.give_back(taken)
        raise


def _tune_the_interpreter() -> None:
    """Spare the collector and the threads: figures in `benchmarks/bench_webhook.py`."""
    # A writer that comes back from PostgreSQL waits this long for Python, a dozen times a transaction; 5 ms is the default.
    sys.setswitchinterval(0.0005)
    # What is loaded now stays and need not be scanned again; decoded events are not tracked, so scans would find little.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def span_us(settings: Settings) -> int:
    """This will return the length of a window in microseconds."""
    return settings.windows.span // timedelta(microseconds=1)


def clock() -> datetime:
    """This will return the present time."""
    return datetime.now(UTC)  # noqa: TID251 -- web reads the clock


def bind(options: ServeSettings) -> socket.socket:
    """This will return a socket that listens where the settings say. Raises AnomalyError when it cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as refused:
        raise AnomalyError(
            f"{options.host} port {options.port} cannot be listened on: {refused.strerror or refused}.",
            hint="Set ANOMALY_SERVE__HOST and ANOMALY_SERVE__PORT to an address of this machine and a free port.",
        ) from refused
    made.setblocking(False)
    return made


class _Server(uvicorn.Server):
    """uvicorn raises the signal again once it has stopped, which would end the process before the writers are done."""

    stopping_since: float | None = None
    hurry: Callable[[], None] | None = None
    certificates: Certificates | None = None

    async def on_tick(self, counter: int) -> bool:
        """This will look after the TLS files as well, ten times a second at most."""
        if self.certificates is not None:
            self.certificates.renew()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """This will have SIGTERM and SIGINT stop the server while it runs."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _: object) -> None:
        if self.stopping_since is None:
            self.stopping_since = time.monotonic()
            log.info("stopping", extra={"signal": signal.Signals(number).name})
            if self.hurry is not None:
                later = threading.Timer(_HURRY_SECONDS, self.hurry)
                later.daemon = True
                later.start()
        self.should_exit = True


def _configuration(app: FastAPI, shared: Shared, certificates: Certificates | None) -> uvicorn.Config:
    config = uvicorn.Config(
        AccessLog(Measured(app, shared.meter)),
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=_ANSWER_SECONDS,
        ssl_context_factory=(lambda _config, _default: certificates.context) if certificates else None,
    )
    config.load()
    return config


def _run(server: _Server, listening: socket.socket) -> None:
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.serve([listening]))


def _stop(server: _Server, commit: GroupCommit, upkeep: Upkeep, keeper: Keeper) -> None:
    since = server.stopping_since or time.monotonic()
    keeper.close(1.5)
    commit.close(max(1.0, STOP_SECONDS - 1.5 - (time.monotonic() - since)))
    upkeep.close(max(0.3, STOP_SECONDS - 0.5 - (time.monotonic() - since)))
    log.info("stopped", extra={"seconds": round(time.monotonic() - since, 1)})


def welcome_first_admin(database: Database, url: str, say: Callable[[str], None] | None) -> None:
    """This will say how the first admin signs in, as long as there is none.

    A person at a terminal is shown the link. Elsewhere what is said goes to a collector of logs, where a link that opens
    everything must not lie; there the command is named that makes one.
    """
    with database.begin() as connection:
        if has_admin(connection):
            return
        if say is not None:
            link = invite_first_admin(connection, "anomaly serve", clock())
            say(
                f"Nobody can sign in yet. The first admin chooses a password here, once, within an hour:"
                f"\n\n    {url}/invite/{link.code}\n"
            )
            return
    log.warning("nobody can sign in yet; `anomaly account invite --first-admin` makes the first link")


def _announce(options: ServeSettings, listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if options.tls_cert else "http"
    url = f"{scheme}://{shown}:{port}"
    log.info("listening", extra={"url": url})
    if not options.tls_cert and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        log.warning(
            "listening without TLS on an address that others can reach: tokens and events cross the network readable;"
            " set serve.tls_cert and serve.tls_key"
        )
    return url
