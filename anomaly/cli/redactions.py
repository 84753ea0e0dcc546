"""`anomaly redactions`: how many secrets were replaced before anything was stored."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_table

app = App(
    name="redactions", help="Secrets that were replaced before anything was stored: how many, never which."
)


@app.default
def redactions(
    *,
    cluster: Annotated[str | None, Parameter(show_default=False)] = None,
    output: Output = Format.TABLE,
) -> None:
    """Count what was replaced by cluster, day and kind, newest day first.

    Parameters
    ----------
    cluster
        Only this cluster; default all.
    """
    from anomaly.payloads.redaction import replaced_payload
    from anomaly.store.clusters import cluster_id
    from anomaly.store.redactions import list_redactions

    with current().database() as database:
        with database.read() as session:
            number = cluster_id(session, cluster) if cluster is not None else None
        with database.connection() as connection:
            found = list_redactions(connection, number)
    rows = [replaced_payload(one) for one in found]
    columns = [Column("cluster"), Column("day"), Column("kind"), Column("replaced", right=True)]
    write_table(
        rows, columns, output=output, empty="Nothing was replaced: no secret came, or redaction is off."
    )
