"""How a cluster joins: what its API server needs is checked before anything is changed, then the cluster and its token are made."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from anomaly.errors import UsageError
from anomaly.policy.webhook import AUTHORITY, Sink, checked_server
from anomaly.store.clusters import add_cluster, checked_name
from anomaly.store.tokens import issue

_PEM = b"-----BEGIN CERTIFICATE-----"


def sink_for(name: str, server: str, authority: str | None = None, pem: bytes | None = None) -> Sink:
    """This will return where the events of a cluster shall go, as yet without a token. `server` is the address at which its API server
    reaches this service; its CA certificate is named by a path on the control plane or given as PEM.

    Raises UsageError for a name, an address or a certificate that cannot be one.
    """
    checked_name(name)
    if pem is not None and (authority is not None or _PEM not in pem):
        raise UsageError("Give the CA certificate once: its path, or itself in PEM form.")
    address = checked_server(server, plain=True)
    return Sink(address, name, authority=authority or AUTHORITY, authority_pem=pem)


def join(connection: Connection, wanted: Sink, until: datetime | None) -> Sink:
    """This will add the cluster of a sink and return the sink with its token, which is readable this once. `until` None: the token
    does not end by itself. Raises ClusterExists."""
    return replace(wanted, token=issue(connection, add_cluster(connection, wanted.cluster), until))
