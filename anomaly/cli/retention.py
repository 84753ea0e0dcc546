"""`anomaly retention`: let go of what is older than the settings say."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Format, Output, write_details

app = App(name="retention", help="Drop events, windows, closed findings and quarantine past their time.")


@app.default
def retention(
    *, dry_run: Annotated[bool, Parameter(negative="")] = False, output: Output = Format.TABLE
) -> None:
    """Drop what is older than the retention settings; whole days of events at once.

    Parameters
    ----------
    dry_run
        Only say what would go.
    """
    from anomaly.cli.moment import clock
    from anomaly.store.retention import apply_retention

    settings = current().settings()
    with current().database(settings) as database, database.dedicated() as connection:
        dropped = apply_retention(connection, settings.retention, clock(), dry_run)
    write_details(
        {
            "dry run": dry_run,
            "days of events": [f"{day:%Y-%m-%d}" for day in dropped.days],
            "windows": dropped.windows,
            "closed findings": dropped.findings,
            "quarantined inputs": dropped.quarantined,
        },
        output=output,
    )
