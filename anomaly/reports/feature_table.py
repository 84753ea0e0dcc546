"""The feature matrix as a pandas table: what the models see, for whoever wants to look for themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from anomaly.features.history import History
from anomaly.features.registry import extract
from anomaly.store.database import Database
from anomaly.store.entities import all_entities
from anomaly.store.firsts import load_firsts
from anomaly.store.windows import Span, read_windows


def feature_table(
    database: Database, cluster_id: int, span: timedelta, since: datetime | None, until: datetime
) -> pd.DataFrame:
    """This will return one row a window, (n, 3 + features): entity, kind and start (UTC), then every feature by name.

    Novelty and rarity are judged by the cluster's past up to `until`. Empty when there are no windows.
    """
    with database.connection() as connection:
        windows = read_windows(connection, Span(since, until, cluster_id), span // timedelta(microseconds=1))
        firsts = load_firsts(connection, cluster_id)
        entities = {one.id: one for one in all_entities(connection, cluster_id)}
    history = (
        History.of(windows, firsts, entities.values(), int(until.timestamp() * 1e6))
        if windows.n
        else History.none()
    )
    layout, values = extract(windows, history)
    owners = [entities[int(number)] for number in windows.entity]
    table = pd.DataFrame(values, columns=list(layout.names))
    table.insert(0, "start", pd.to_datetime(windows.start, unit="us", utc=True))
    table.insert(0, "kind", [one.kind.value for one in owners])
    table.insert(0, "entity", [one.identity.username for one in owners])
    return table
