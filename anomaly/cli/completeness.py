"""`anomaly completeness`: what came of a cluster by day, and how that compares with what its API servers counted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, cell, visible, write_json, write_table, write_text

if TYPE_CHECKING:
    from anomaly.completeness import Account
    from anomaly.intake.loss import Loss

app = App(name="completeness", help="What came of a cluster by day, and what the API server says it sent.")

_COLUMNS = (
    ("day", "day"),
    ("kept", "kept"),
    ("duplicates", "duplicates"),
    ("quarantined", "quarantined"),
    ("dropped", "dropped"),
    ("lowered", "lowered"),
    ("refused", "refused"),
    ("batches", "batches"),
    ("retries", "repeated"),
    ("truncated", "truncated"),
    ("lag_p50", "lag p50 s"),
    ("lag_p99", "p99 s"),
    ("lag_max", "max s"),
    ("last_event_at", "last event"),
)


@app.command
def show(*, cluster: str, days: int = 7, output: Output = Format.TABLE) -> None:
    """Show what came on each of the last days, by the day of arrival (UTC), unusual pauses, restarts and alarms.

    Parameters
    ----------
    cluster
        Which cluster.
    days
        How many days, today included.
    """
    from anomaly.cli.moment import clock
    from anomaly.completeness import account_of
    from anomaly.errors import UsageError
    from anomaly.payloads.completeness import completeness_payload
    from anomaly.store.clusters import cluster_id

    if not 1 <= days <= 400:
        raise UsageError("--days must be between 1 and 400.")
    settings = current().settings()
    with current().database(settings) as database:
        with database.read() as session:
            number = cluster_id(session, cluster)
        with database.connection() as connection:
            found = account_of(connection, number, clock(), days, settings.completeness.silence_after)
    payload = completeness_payload(cluster, found)
    if output is Format.JSON:
        write_json(payload)
        return
    rows = [
        {**day["total"], "day": day["day"].isoformat(), "dropped": day["dropped"], "lowered": day["lowered"]}
        for day in payload["days"]
    ]
    write_table(rows, [Column(key, heading, right=key != "day", wrap=False) for key, heading in _COLUMNS])
    if said := list(_page(found)):
        write_text("\n".join(["", *said]))


@app.command
def metrics(
    page: Annotated[Path, Parameter(help="File with the page, or - for standard input.")],
    /,
    *,
    cluster: str,
    instance: str = "",
    at: str | None = None,
    output: Output = Format.TABLE,
) -> None:
    """Take a metrics page of an API server and hold its counts against what arrived since the page before.

    Get it with `kubectl get --raw /metrics`. Give two some time apart; the first alone is compared from the API server's start on.

    Parameters
    ----------
    cluster
        Which cluster.
    instance
        Which of its API servers; each keeps its own counts.
    at
        When the page was taken, as 2026-11-23T10:30:00Z or 5m ago; default now.
    """
    from anomaly.cli.moment import clock, moment
    from anomaly.completeness import loss_of
    from anomaly.errors import UsageError
    from anomaly.intake.exposition import MOST_BYTES, read_sample
    from anomaly.payloads.completeness import loss_payload
    from anomaly.store.audit_metrics import keep_sample
    from anomaly.store.clusters import cluster_id

    now = clock()
    taken = moment(at, now) or now
    if taken > now:
        raise UsageError("--at lies in the future.")
    with sys.stdin.buffer if str(page) == "-" else page.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UsageError(f"The page is larger than {MOST_BYTES >> 20} MiB.")
    sample = read_sample(data.decode("utf-8", "replace"), taken, instance)
    with current().database() as database:
        with database.read() as session:
            number = cluster_id(session, cluster)
        with database.connection() as connection:
            keep_sample(connection, number, sample)
            loss = loss_of(connection, number, now)
    if output is Format.JSON:
        write_json(None if loss is None else loss_payload(loss))
    elif loss is None:
        write_text(
            "The counts are kept. Give another page in some minutes: only the growth between two can be compared."
        )
    else:
        write_text("\n".join(_loss(loss)))


def _page(found: Account) -> Iterator[str]:
    for pause in found.pauses:
        yield f"Nothing came from {cell(pause.start)} to {cell(pause.end) if pause.end else 'now'}, which is not usual."
    for start in found.restarts:
        yield f"An API server seems to have started at {cell(start)}."
    for alarm in found.alarms:
        until = f"until {cell(alarm.ended)}" if alarm.ended else "still so"
        yield f"Alarm {alarm.name} from {cell(alarm.began)}, {until}: {visible(alarm.says)}"
    if found.loss is not None:
        yield from _loss(found.loss)


def _loss(one: Loss) -> Iterator[str]:
    yield f"From {cell(one.since)} to {cell(one.until)} the API server counted {one.generated:,.0f} events; {one.received:,} are here."
    if one.completeness is not None and one.low is not None and one.high is not None:
        yield f"Completeness {one.completeness:.2%}, between {one.low:.2%} and {one.high:.2%}."
    for plugin, count in one.errors.items():
        if count:
            yield f"It says that it could not deliver {count:,.0f} ({visible(plugin)}: {_PLUGINS.get(plugin, 'an unknown reason')})."
    if one.unexplained:
        yield f"{one.unexplained:,.0f} are missing without a known reason."
    for caveat in one.caveats:
        yield f"Note: {caveat}"


_PLUGINS = {
    "buffered": "its buffer was full",
    "webhook": "tried five times in vain",
    "truncate": "longer than its limit even without bodies",
    "log": "its own log file could not be written",
}
