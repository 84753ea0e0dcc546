"""Starting and stopping the service: the socket, TLS, the threads around the app, a stop that loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import uvicorn

from anomaly.bootstrap import open_database
from anomaly.errors import AnomalyError, SettingsInvalid
from anomaly.jobs.runner import run_jobs
from anomaly.rules import RuleSet
from anomaly.settings import ServeSettings, Settings
from anomaly.sources.webhook import Limits
from anomaly.store.database import Database
from anomaly.store.windows import claim_span
from anomaly.store.writer import Writer
from anomaly.web.access import Doorkeeper
from anomaly.web.app import Shared, make_app
from anomaly.web.body import Pending
from anomaly.web.commit import GroupCommit
from anomaly.web.log import AccessLog, start_logging
from anomaly.web.protocol import PatientProtocol
from anomaly.web.upkeep import Upkeep

log = logging.getLogger(__name__)

STOP_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 7
_JOBS_STOP_SECONDS: Final = 2
_CONNECT: Final = timedelta(seconds=3)
IDLE_SECONDS: Final = 120
"""How long an idle connection is kept: longer than the 90 s of Go's clients, so that they close first and lose no request."""


def run(settings: Settings, rules: RuleSet, say: Callable[[str], None]) -> None:
    """This will serve until SIGTERM or SIGINT, then stop within 10 s: requests that were read are answered first.

    Raises DatabaseUnavailable or SchemaOutdated when there is no database to begin with, SettingsInvalid when its windows are
    of another length or TLS files cannot be used, AnomalyError when the address cannot be had.
    """
    start_logging(settings.log)
    # At the start there is time to wait for a database; later a sender is told within seconds to come back.
    with open_database(settings, say) as database, database.dedicated() as connection:
        claim_span(connection, span_us(settings))
    haste = min(settings.database.connect_timeout, _CONNECT)
    hasty = settings.database.model_copy(update={"connect_timeout": haste})
    with (
        open_database(settings.model_copy(update={"database": hasty})) as database,
        _jobs_beside(settings),
    ):
        serve(settings, database, rules)


@contextlib.contextmanager
def _jobs_beside(settings: Settings) -> Iterator[None]:
    """Run the jobs in a thread while the service runs; `jobs.enabled` off leaves them to `anomaly jobs serve`."""
    if not settings.jobs.enabled:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=run_jobs, args=(settings, stop), name="jobs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        # A training in hand ends with its next step; one that is cut off is taken again by whoever leads next.
        thread.join(_JOBS_STOP_SECONDS)


def serve(settings: Settings, database: Database, rules: RuleSet) -> None:
    """This will serve on an open database until SIGTERM or SIGINT. Raises as `run` does for TLS and the address."""
    options = settings.serve
    listening = bind(options)
    with listening:
        commit = GroupCommit(
            lambda: Writer(database.dedicated, rules, span_us(settings)),
            Limits(options.max_body, settings.ingest.max_expansion),
        )
        shared = Shared(
            settings=settings,
            database=database,
            doorkeeper=Doorkeeper(database, clock),
            # One body always fits, or it would be refused for ever.
            pending=Pending(max(options.max_pending, options.max_body)),
            commit=commit,
        )
        server = _Server(_configuration(shared))
        upkeep = Upkeep(database.dedicated, clock)
        _tune_the_interpreter()
        commit.start()
        upkeep.start()
        _announce(options, listening)
        _run(server, listening)
        _stop(server, commit, upkeep)


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
        self.should_exit = True


def _configuration(shared: Shared) -> uvicorn.Config:
    options = shared.settings.serve
    config = uvicorn.Config(
        AccessLog(make_app(shared)),
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
        ssl_context_factory=(lambda _config, _default: tls_context(options)) if options.tls_cert else None,
    )
    config.load()
    return config


def tls_context(options: ServeSettings) -> ssl.SSLContext:
    """This will make the TLS side of the service, from version 1.2 on. Raises SettingsInvalid when a file cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    setting, file = "serve.tls_cert or serve.tls_key", options.tls_cert
    try:
        assert options.tls_cert is not None
        # Without a password given, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(options.tls_cert, options.tls_key, password="")
        if options.tls_client_ca is not None:
            setting, file = "serve.tls_client_ca", options.tls_client_ca
            context.load_verify_locations(options.tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, OSError, ValueError) as unusable:
        raise SettingsInvalid(
            f"{setting} ({file}) cannot be used: {getattr(unusable, 'strerror', None) or unusable}.",
            hint="All three are PEM files; the certificate comes with its chain, the key without a password.",
        ) from unusable
    return context


def _run(server: _Server, listening: socket.socket) -> None:
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.serve([listening]))


def _stop(server: _Server, commit: GroupCommit, upkeep: Upkeep) -> None:
    since = server.stopping_since or time.monotonic()
    commit.close(max(1.0, STOP_SECONDS - 1.5 - (time.monotonic() - since)))
    upkeep.close(max(0.3, STOP_SECONDS - 0.5 - (time.monotonic() - since)))
    log.info("stopped", extra={"seconds": round(time.monotonic() - since, 1)})


def _announce(options: ServeSettings, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if options.tls_cert else "http"
    log.info("listening", extra={"url": f"{scheme}://{shown}:{port}"})
    if not options.tls_cert and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        log.warning(
            "listening without TLS on an address that others can reach: tokens and events cross the network readable;"
            " set serve.tls_cert and serve.tls_key"
        )
