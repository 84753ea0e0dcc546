"""What the commands about tokens and accounts share: clusters as they are typed, who runs them, where the service is."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from anomaly.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from anomaly.settings import ServeSettings

Clusters = Annotated[
    list[str] | None,
    Parameter(
        name="--cluster",
        show_default=False,
        negative="",
        help="Cluster it is for; can be given more than once.",
    ),
]
AllClusters = Annotated[bool, Parameter(negative="", help="Every cluster, those that are added later too.")]


def reached(connection: Connection, clusters: list[str] | None, every: bool) -> frozenset[int] | None:
    """This will return the ids of the clusters that are named; None for every one. Raises UsageError, NotFound."""
    from anomaly.store.clusters import cluster_id

    if bool(clusters) == every:
        raise UsageError(
            "Name the clusters with --cluster, or say --all-clusters.",
            hint="`anomaly cluster list` shows them.",
        )
    return None if every else frozenset(cluster_id(connection, name) for name in clusters or ())


def operator() -> str:
    """This will return who runs the command, as this machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def address_of(options: ServeSettings) -> str:
    """This will return the address at which people reach the service, as far as the settings say."""
    if options.public_url:
        return options.public_url
    scheme = "https" if options.tls_cert else "http"
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"{scheme}://{host}:{options.port}"
