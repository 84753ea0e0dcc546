"""`anomaly access`: who read and changed what."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_table

app = App(name="access", help="Who read and changed what, by the API, the console and commands.")


@app.command(name="list")
def list_(
    *,
    since: Annotated[str, Parameter()] = "1d",
    until: Annotated[str | None, Parameter(show_default=False)] = None,
    name: Annotated[str | None, Parameter(show_default=False)] = None,
    cluster: Annotated[str | None, Parameter(show_default=False)] = None,
    changes: Annotated[bool, Parameter(negative="")] = False,
    limit: int = 100,
    output: Output = Format.TABLE,
) -> None:
    """List who did what, newest first.

    Parameters
    ----------
    since
        Only from then on: 2026-11-23, 2026-11-23T10:30:00Z, or 30m, 6h, 7d for so long ago.
    until
        Only before then.
    name
        Only of this account or token.
    cluster
        Only of this cluster.
    changes
        Only what changed something, or tried to.
    limit
        Most entries shown.
    """
    from anomaly.cli.moment import clock, moment
    from anomaly.errors import UsageError
    from anomaly.payloads.access import entry_payload
    from anomaly.store.access_log import Asked, list_entries

    if not 1 <= limit <= 100_000:
        raise UsageError("--limit takes 1 to 100000.")
    now = clock()
    asked = Asked(moment(since, now), moment(until, now), name, cluster, changes=changes, limit=limit)
    with current().database() as database, database.read() as connection:
        rows = [entry_payload(one) for one in list_entries(connection, asked)]
    columns = [
        Column("made_at", "time"),
        Column("kind"),
        Column("name"),
        Column("method"),
        Column("route"),
        Column("object"),
        Column("cluster"),
        Column("status", right=True),
        Column("times", right=True),
        Column("address"),
    ]
    write_table(rows, columns, output=output, empty="Nothing was read or changed in that time.")
    if len(rows) == limit:
        current().say(f"Only the newest {limit} are shown; --limit shows more.")
