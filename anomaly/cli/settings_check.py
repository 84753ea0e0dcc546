"""`anomaly settings check`: whether what is set can be used, before a service is started with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_table
from anomaly.cli.settings import app as _app
from anomaly.errors import AnomalyError

if TYPE_CHECKING:
    from anomaly.settings import Settings


@dataclass(frozen=True, slots=True)
class _Check:
    what: str
    look: Callable[[Settings], str]


@_app.command
def check(*, output: Output = Format.TABLE) -> int:
    """Check what is set by using it: files, certificates, rules, time zone, database. Starts and changes nothing.

    Exit code 0 when all of it can be used, 1 when something cannot, 2 when the settings cannot even be read.
    """
    settings = current().settings()
    rows = list(_rows(settings))
    write_table(
        rows, [Column("what", wrap=False), Column("usable", wrap=False), Column("detail")], output=output
    )
    return 0 if all(row["usable"] for row in rows) else 1


def _rows(settings: Settings) -> Iterator[dict[str, object]]:
    for one in _CHECKS:
        try:
            yield {"what": one.what, "usable": True, "detail": one.look(settings)}
        except AnomalyError as fault:
            detail = f"{fault} {fault.hint}" if fault.hint else str(fault)
            yield {"what": one.what, "usable": False, "detail": detail}


def _folder(settings: Settings) -> str:
    import os

    folder = settings.data_dir.expanduser().absolute()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise AnomalyError(
            f"{place} cannot be written to.", hint="Set ANOMALY_DATA_DIR to a folder of your own."
        )
    return f"{folder}" if place == folder else f"{folder} (will be made)"


def _database(settings: Settings) -> str:
    if settings.database.url is None:
        from anomaly.store.embedded import Embedded

        return f"embedded, {Embedded(settings).status().state}"
    from anomaly.errors import SchemaOutdated
    from anomaly.store import migrate
    from anomaly.store.database import connect_database

    with connect_database(settings) as database:
        with database.read() as connection:
            fits = migrate.fits(connection)
        if not fits:
            raise SchemaOutdated(
                f"{database.masked_url} is at revision {database.revision() or 'none'}, this release needs {migrate.head()}.",
                hint="Run `anomaly db upgrade`.",
            )
        return f"{database.masked_url}, PostgreSQL {database.server_version()[1]}"


def _rules(settings: Settings) -> str:
    from anomaly.bootstrap import load_rules

    rules = load_rules(settings)
    return f"{len(rules.by_id)} rules"


def _zone(settings: Settings) -> str:
    from anomaly.cli.moment import clock
    from anomaly.jobs.schedule import Daily

    schedule = Daily(settings.training.at, settings.training.zone)
    following = schedule.trigger().get_next_fire_time(None, clock())
    return f"training {schedule}, next {following:%Y-%m-%d %H:%M %Z}"


def _tls(settings: Settings) -> str:
    if settings.serve.tls_cert is None:
        return "none: others on the network could read along"
    from anomaly.web.tls import tls_context

    tls_context(settings.serve)
    return f"{settings.serve.tls_cert}"


def _sources(settings: Settings) -> str:
    from anomaly.readers.named import named_in

    named = named_in(settings.sources)
    if not named:
        return "none: what is sent is all there is"
    # A log may come later; who reads it notices.
    gone = [one.path for one in named if not os.path.exists(one.path)]
    missing = f"; not there yet: {', '.join(gone)}" if gone else ""
    return f"{len(named)} to be read{missing}"


def _tracing(settings: Settings) -> str:
    from anomaly.web.tracing import start_tracing

    start_tracing(settings.tracing).close()
    return settings.tracing.endpoint or "off"


_CHECKS = (
    _Check("data folder", _folder),
    _Check("database", _database),
    _Check("rules", _rules),
    _Check("nightly training", _zone),
    _Check("sources", _sources),
    _Check("TLS", _tls),
    _Check("tracing", _tracing),
)
