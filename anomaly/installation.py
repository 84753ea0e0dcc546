"""The doctor's look at the installation itself: database, schema, clock, disk, jobs, certificate."""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg

from anomaly.errors import AnomalyError
from anomaly.intake.diagnosis import Check, Grade
from anomaly.jobs.job import all_jobs
from anomaly.settings import ServeSettings, Settings
from anomaly.store import migrate
from anomaly.store.condition import server_state, unfinished
from anomaly.store.database import Database
from anomaly.store.job_runs import CRASHED, FAILED, has_leader, last_run

Connection = psycopg.Connection[tuple[object, ...]]

_CLOCK_NOTICED: Final = timedelta(seconds=2)
_CLOCK_WRONG: Final = timedelta(minutes=1)
_LITTLE_SPACE: Final = 0.10
_NO_SPACE: Final = 0.03
_NO_SPACE_BYTES: Final = 1 << 30
_CERTIFICATE_SOON: Final = timedelta(days=21)
_CERTIFICATE_NOW: Final = timedelta(days=3)
_LATE: Final = timedelta(minutes=10)
"""How late a run may be before it is missed: a job that takes long, or a leader that is just being replaced."""


def unreachable(settings: Settings, failure: AnomalyError, now: datetime) -> tuple[Check, ...]:
    """This will return the checks that can be made when the database cannot be used, the failure first."""
    first = Check("database", Grade.BROKEN, str(failure), failure.hint or "Start the database.")
    return first, *disk(settings), *certificate(settings.serve, now)


def installation(database: Database, settings: Settings, now: datetime) -> tuple[Check, ...]:
    """This will look at everything but the clusters."""
    with database.connection() as connection:
        return (
            *_database(database, settings, connection),
            *_schema(database, connection),
            *_clock(connection, now),
            *disk(settings),
            *_jobs(settings, connection, now),
            *certificate(settings.serve, now),
        )


def _database(database: Database, settings: Settings, connection: Connection) -> Iterator[Check]:
    state = server_state(connection)
    _, version = database.server_version()
    kind = "embedded PostgreSQL" if settings.database.url is None else "PostgreSQL"
    says = f"{kind} {version} answers; it holds {_bytes(database.size())}."
    if state.read_only:
        yield Check(
            "database",
            Grade.BROKEN,
            f"{says} It takes no writes: it is a standby, or set read-only.",
            "Point ANOMALY_DATABASE__URL to the primary server.",
        )
        return
    if state.connections >= state.most_connections - 5:
        yield Check(
            "database",
            Grade.WARNING,
            f"{says} {state.connections} of {state.most_connections} connections are taken.",
            "Raise max_connections of the server, or lower ANOMALY_DATABASE__POOL_SIZE of the replicas.",
        )
        return
    yield Check("database", Grade.WELL, says)


def _schema(database: Database, connection: Connection) -> Iterator[Check]:
    revision, head = database.revision(), migrate.head()
    if revision != head:
        yield Check(
            "schema",
            Grade.BROKEN,
            f"The schema is at revision {revision or 'none'}, this release needs {head}.",
            "Run `anomaly db upgrade`.",
        )
    elif broken := unfinished(connection):
        yield Check(
            "schema",
            Grade.WARNING,
            f"Indexes were left unfinished: {', '.join(broken)}.",
            "Run REINDEX INDEX CONCURRENTLY for each by `anomaly db psql`.",
        )
    else:
        yield Check("schema", Grade.WELL, f"The schema is that of this release ({head}).")


def _clock(connection: Connection, now: datetime) -> Iterator[Check]:
    off = abs(server_state(connection).now - now)
    says = f"The clocks of this machine and of the database differ by {off.total_seconds():.1f} s."
    if off >= _CLOCK_NOTICED:
        grade = Grade.BROKEN if off >= _CLOCK_WRONG else Grade.WARNING
        yield Check("clock", grade, says, "Have both machines follow NTP.")
    else:
        yield Check("clock", Grade.WELL, says)


def disk(settings: Settings) -> Iterator[Check]:
    """This will look at the space of the data directory; that of a server elsewhere cannot be seen from here."""
    if settings.database.url is not None:
        yield Check("disk", Grade.WELL, "The disk of the database server cannot be seen from here.")
        return
    place = settings.data_dir.expanduser()
    while not place.exists() and place != place.parent:
        place = place.parent
    usage = shutil.disk_usage(place)
    share = usage.free / usage.total if usage.total else 1.0
    says = f"{_bytes(usage.free)} of {_bytes(usage.total)} are free for {settings.data_dir}."
    if (share < _NO_SPACE and usage.free < 10 * _NO_SPACE_BYTES) or usage.free < _NO_SPACE_BYTES:
        grade = Grade.BROKEN
    elif share < _LITTLE_SPACE and usage.free < 50 * _NO_SPACE_BYTES:
        grade = Grade.WARNING
    else:
        yield Check("disk", Grade.WELL, says)
        return
    yield Check(
        "disk", grade, says, "Make room, or shorten ANOMALY_RETENTION__EVENTS and run `anomaly retain`."
    )


def _jobs(settings: Settings, connection: Connection, now: datetime) -> Iterator[Check]:
    led = has_leader(connection)
    last = {job: last_run(connection, job.name) for job in all_jobs()}
    ever = any(run is not None for run in last.values())
    if not led:
        says = (
            "Nobody runs the jobs now."
            if ever
            else "No job has ever run: nothing is trained, scored or let go of."
        )
        yield Check(
            "jobs",
            Grade.WARNING if ever else Grade.NOTE,
            says,
            "Start `anomaly serve`, or `anomaly jobs serve` where the service has ANOMALY_JOBS__ENABLED off.",
        )
        return
    troubled = False
    for job, run in last.items():
        if run is not None and run.outcome in {FAILED, CRASHED}:
            troubled = True
            error = str(run.detail.get("error", "") or run.outcome).partition("\n")[0][:200]
            yield Check(
                f"job {job.name}",
                Grade.WARNING,
                f"Its run of {run.scheduled_at:%Y-%m-%d %H:%M} UTC {run.outcome}: {error}",
                f"See `anomaly jobs history {job.name}`, and try `anomaly jobs run {job.name}`.",
            )
        elif run is not None and run.outcome != "running":
            due = job.schedule(settings).last(now - _LATE)
            if run.scheduled_at < due and run.started_at < due:
                troubled = True
                yield Check(
                    f"job {job.name}",
                    Grade.WARNING,
                    f"It was due at {due:%Y-%m-%d %H:%M} UTC and last ran at {run.started_at:%Y-%m-%d %H:%M} UTC.",
                    f"See `anomaly jobs history {job.name}` and the log of whoever leads.",
                )
    if not troubled:
        yield Check("jobs", Grade.WELL, "One replica leads, and no job is late or failed.")


def certificate(options: ServeSettings, now: datetime) -> Iterator[Check]:
    """This will look at the certificate of the service and how long it lasts."""
    if options.tls_cert is None:
        if not _loopback(options.host):
            yield Check(
                "certificate",
                Grade.WARNING,
                f"The service listens on {options.host} without TLS: tokens and events cross the network readable.",
                "Set ANOMALY_SERVE__TLS_CERT and ANOMALY_SERVE__TLS_KEY.",
            )
        return
    try:
        ends = not_after(options.tls_cert)
    except (OSError, ValueError) as unusable:
        reason = getattr(unusable, "strerror", None) or str(unusable).partition("\n")[0]
        yield Check(
            "certificate",
            Grade.BROKEN,
            f"The certificate {options.tls_cert} cannot be read: {reason}.",
            "Set ANOMALY_SERVE__TLS_CERT to a PEM file that the service may read.",
        )
        return
    left = ends - now
    if left < timedelta(0):
        says, grade = (
            f"The certificate ended on {ends:%Y-%m-%d %H:%M} UTC: no API server delivers.",
            Grade.BROKEN,
        )
    else:
        says = f"The certificate lasts until {ends:%Y-%m-%d %H:%M} UTC, {left.days} days."
        grade = (
            Grade.BROKEN
            if left < _CERTIFICATE_NOW
            else Grade.WARNING
            if left < _CERTIFICATE_SOON
            else Grade.WELL
        )
    yield Check(
        "certificate", grade, says, "Renew it and restart the service." if grade is not Grade.WELL else ""
    )


def not_after(path: Path) -> datetime:
    """This will return when the first certificate of a PEM file ends. Raises OSError or ValueError."""
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def _bytes(size: int) -> str:
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
