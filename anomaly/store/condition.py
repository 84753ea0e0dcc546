"""What the doctor asks the database about itself and about what was set up in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg

from anomaly.store.intake import Connection


@dataclass(frozen=True, slots=True)
class ServerState:
    """The server as it says: its clock, whether it takes writes, connections taken and allowed."""

    now: datetime
    read_only: bool
    connections: int
    most_connections: int


def server_state(connection: Connection) -> ServerState:
    """This will ask the server how it is. The clock is read last, nearest to when the answer comes."""
    row = connection.execute(
        "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on',"
        " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
        " current_setting('max_connections')::int, clock_timestamp()"
    ).fetchone()
    assert row is not None
    read_only, taken, most, now = row
    assert isinstance(now, datetime)
    return ServerState(now, bool(read_only), int(str(taken)), int(str(most)))


def windows_kept(connection: Connection, cluster_id: int, most: int) -> int:
    """This will return how many windows a cluster has, counted up to `most`."""
    row = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM anomaly.entity_window w JOIN anomaly.entity e ON e.id = w.entity_id"
        " WHERE e.cluster_id = %s LIMIT %s) few",
        [cluster_id, most],
    ).fetchone()
    return int(str(row[0])) if row else 0


def unfinished(connection: Connection) -> list[str]:
    """This will return the names of indexes that a broken-off migration left invalid."""
    try:
        rows = connection.execute(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'anomaly' AND NOT i.indisvalid AND c.relkind = 'i' ORDER BY 1"
        ).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        return []
    return [str(name) for (name,) in rows]
