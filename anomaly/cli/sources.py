"""`anomaly sources`: what the service reads by itself, and how it goes."""

from __future__ import annotations

from cyclopts import App

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_table

app = App(
    name="sources",
    help="Logs that are followed and folders that are read: who reads each, and how far it is.",
)


@app.command(name="list")
def listed(*, cluster: str | None = None, output: Output = Format.TABLE) -> None:
    """List the sources that were ever read by `anomaly serve` or `anomaly ingest --follow`.

    Which ones `anomaly serve` reads is set by `sources.follow` and `sources.folder`.
    """
    from anomaly.payloads.source import source_payload
    from anomaly.store.clusters import cluster_id
    from anomaly.store.sources import list_sources

    with current().database() as database:
        if cluster is not None:
            with database.read() as session:
                cluster_id(session, cluster)
        with database.connection() as connection:
            found = list_sources(connection, None if cluster is None else [cluster])
    rows: list[dict[str, object]] = [dict(source_payload(one)) for one in found]
    columns = [
        Column("cluster", wrap=False),
        Column("kind", wrap=False),
        Column("path"),
        Column("state", wrap=False),
        Column("behind", "bytes behind", right=True),
        Column("kept", right=True),
        Column("files", right=True),
        Column("failed_files", "failed", right=True),
        Column("read_at", "last read", wrap=False),
        Column("says"),
    ]
    write_table(
        rows, columns, output=output, empty="No source was read yet: set sources.follow or sources.folder."
    )
