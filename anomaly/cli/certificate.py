"""`anomaly certificate`: which client certificates send the events of which cluster."""

from __future__ import annotations

from cyclopts import App

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_details, write_table
from anomaly.cli.reach import operator

app = App(name="certificate", help="Client certificates: which names in them stand for which cluster.")


@app.command
def bind(name: str, cluster: str, /, *, output: Output = Format.TABLE) -> None:
    """Have certificates of a name send the events of a cluster, without a token. `cluster:NAME` stands for NAME by itself.

    Parameters
    ----------
    name
        Common name or alternative name (DNS, URI, email) in the certificate.
    cluster
        Name of the cluster.
    """
    from anomaly.cli.moment import clock
    from anomaly.store.access_log import note_command
    from anomaly.store.certificates import bind_name
    from anomaly.store.clusters import cluster_id

    with current().database() as database, database.begin() as connection:
        bind_name(connection, name, cluster_id(connection, cluster), operator())
        note_command(connection, "certificate bind", f"name={name}", cluster, operator(), clock())
    write_details({"name": name, "cluster": cluster}, output=output)


@app.command
def unbind(name: str, /, *, output: Output = Format.TABLE) -> None:
    """Have a name stand for no cluster any more. A running service notices within 5 seconds.

    Parameters
    ----------
    name
        The name, as `anomaly certificate list` shows it.
    """
    from anomaly.cli.moment import clock
    from anomaly.store.access_log import note_command
    from anomaly.store.certificates import unbind_name

    with current().database() as database, database.begin() as connection:
        unbind_name(connection, name)
        note_command(connection, "certificate unbind", f"name={name}", None, operator(), clock())
    write_details({"name": name, "cluster": None}, output=output)


@app.command(name="list")
def list_(*, output: Output = Format.TABLE) -> None:
    """List the names that stand for a cluster."""
    from anomaly.payloads.cluster import bound_payload
    from anomaly.store.certificates import list_names

    with current().database() as database, database.read() as connection:
        rows = [bound_payload(one) for one in list_names(connection)]
    columns = [
        Column("name"),
        Column("cluster"),
        Column("created_at", "bound"),
        Column("created_by", "by"),
    ]
    write_table(
        rows, columns, output=output, empty="No name is bound; `cluster:NAME` stands for NAME by itself."
    )
