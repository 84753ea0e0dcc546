"""`anomaly quarantine`: input that is not an audit event; look at it, try it again."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_details, write_table

app = App(name="quarantine", help="Input that could not be decoded: kept, counted, tried again.")


@app.command(name="list")
def listed(*, cluster: str | None = None, limit: int = 100, output: Output = Format.TABLE) -> None:
    """List what is in quarantine, newest first."""
    from anomaly.payloads.quarantine import quarantined_payload
    from anomaly.store.clusters import cluster_id
    from anomaly.store.quarantine import count_quarantine, list_quarantine

    with current().database() as database:
        with database.begin() as session:
            number = cluster_id(session, cluster) if cluster is not None else None
        with database.connection() as connection:
            found = list_quarantine(connection, number, limit)
            total = count_quarantine(connection, number)
    rows = [quarantined_payload(one) for one in found]
    columns = [Column(key) for key in ("id", "cluster", "source", "size", "times", "last", "reason")]
    write_table(rows, columns, output=output, empty="Quarantine is empty: everything that came was decoded.")
    if total > len(found):
        current().say(f"{len(found)} of {total}; --limit shows more.")


@app.command
def show(number: int) -> None:
    """Write the bytes of one input to standard output, exactly as received."""
    from anomaly.errors import NotFound
    from anomaly.store.quarantine import raw_of

    with current().database() as database, database.connection() as connection:
        found = raw_of(connection, number)
    if found is None:
        raise NotFound(
            f"There is no input {number} in quarantine.", hint="`anomaly quarantine list` shows them."
        )
    sys.stdout.buffer.write(found[2])
    sys.stdout.buffer.flush()


@app.command
def retry(
    *numbers: int,
    everything: Annotated[bool, Parameter(name="--all", negative="")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Decode inputs again, after an update that understands them; what is still undecodable stays.

    Parameters
    ----------
    everything
        Try all of them.
    """
    from anomaly.asked import Desk, retry_quarantine
    from anomaly.bootstrap import load_rules
    from anomaly.errors import UsageError
    from anomaly.store.quarantine import list_quarantine

    if bool(numbers) == everything:
        raise UsageError("Say which inputs to try again: their numbers, or --all.")
    settings = current().settings()
    with current().database(settings) as database:
        with database.connection() as connection:
            wanted = (
                [one.id for one in list_quarantine(connection, None, 1_000_000)] if everything else numbers
            )
        came = retry_quarantine(Desk(settings, database), load_rules(settings), wanted)
    write_details(came, output=output)
