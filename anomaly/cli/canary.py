"""`anomaly canary`: requests made on purpose, whose events must arrive."""

from __future__ import annotations

from cyclopts import App

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_details, write_table, write_text

app = App(name="canary", help="Requests made on purpose, to see that their events arrive.")


@app.command
def make(*, cluster: str, output: Output = Format.TABLE) -> None:
    """Make a canary and print how to send it; `anomaly canary list` says when it has arrived.

    Parameters
    ----------
    cluster
        Which cluster.
    """
    from anomaly.canary import commands, make_canary
    from anomaly.cli.moment import clock
    from anomaly.store.clusters import cluster_id

    with current().database() as database:
        with database.read() as session:
            number = cluster_id(session, cluster)
        made = make_canary(database, number, clock())
    how = commands(made)
    if output is Format.JSON:
        write_details({"id": made.id, "cluster": cluster, **how}, output=output)
        return
    write_text(how["kubectl"])
    current().say(f"It answers NotFound, which is as it should be. Or without kubectl: {how['curl']}")
    current().say(f"Then `anomaly canary list --cluster {cluster}`: an API server sends within 30 s.")


@app.command(name="list")
def listed(*, cluster: str, days: float = 1, output: Output = Format.TABLE) -> int:
    """List the canaries of the last days, after looking which arrived. Exit code 1 when one that was sent is missing for 5 minutes.

    Parameters
    ----------
    cluster
        Which cluster.
    """
    from datetime import timedelta

    from anomaly.canary import look_for_canaries
    from anomaly.cli.moment import clock
    from anomaly.errors import UsageError
    from anomaly.payloads.canary import canary_payload
    from anomaly.store.canaries import canaries_of
    from anomaly.store.clusters import cluster_id

    if not 0 < days <= 400:
        raise UsageError("--days must be above 0 and at most 400.")
    now = clock()
    with current().database() as database:
        with database.read() as session:
            number = cluster_id(session, cluster)
        look_for_canaries(database, now)
        with database.connection() as connection:
            found = canaries_of(connection, number, now - timedelta(days=days))
    columns = [
        Column("id"),
        Column("state"),
        Column("made_at", "made", wrap=False),
        Column("sent_at", "sent", wrap=False),
        Column("status", right=True),
        Column("event_at", "event", wrap=False),
        Column("delay", "delay s, at most", right=True),
        Column("failure"),
    ]
    rows = [dict(canary_payload(one)) for one in found]
    write_table(rows, columns, output=output, empty="No canary was made.")
    late = now - timedelta(minutes=5)
    return int(any(one.sent is not None and one.noticed is None and one.sent < late for one in found))
