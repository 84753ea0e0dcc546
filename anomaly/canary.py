"""Canaries: requests made on purpose, whose events must arrive. They show loss on the whole way, from the API server to here.

A canary asks for a ConfigMap that does not exist, by a name that nobody else has; the answer (404, or 403 without the right)
does not matter, since either is audited, unless the policy writes nothing about ConfigMaps: then none ever arrives.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from anomaly.api_server import ApiServer, ask
from anomaly.errors import SourceUnavailable
from anomaly.store.canaries import Canary, keep_canary, mark_sent, notice_canaries, object_name
from anomaly.store.database import Database

LOOKED_FOR: Final = timedelta(days=1)
"""How long an event that has not come is still looked for."""


def make_canary(database: Database, cluster_id: int, now: datetime) -> Canary:
    """This will make a canary for somebody to send."""
    made = Canary(secrets.token_hex(6), cluster_id, now)
    with database.connection() as connection:
        keep_canary(connection, made)
    return made


def commands(canary: Canary) -> dict[str, str]:
    """This will return how a person sends it: with kubectl, and with curl."""
    name = object_name(canary.id)
    return {
        "kubectl": f"kubectl get configmap {name} --namespace default",
        "curl": (
            f"curl --silent --output /dev/null --header 'User-Agent: anomaly-canary/{canary.id}'"
            ' --header "Authorization: Bearer $TOKEN" --cacert ca.crt'
            f" https://API-SERVER:6443{path_of(canary)}"
        ),
    }


def path_of(canary: Canary) -> str:
    """This will return the path that is asked for."""
    return f"/api/v1/namespaces/default/configmaps/{object_name(canary.id)}"


def send_canary(
    database: Database, server: ApiServer, cluster_id: int, clock: Callable[[], datetime]
) -> tuple[Canary, str]:
    """This will make a canary and ask the API server for it; returns it and why it could not be sent, empty when it was."""
    made = make_canary(database, cluster_id, clock())
    status, failure = None, ""
    headers = {"User-Agent": f"anomaly-canary/{made.id}", "Audit-ID": str(uuid.uuid4())}
    try:
        status, _ = ask(server, path_of(made), headers)
    except SourceUnavailable as away:
        failure = str(away)
    with database.connection() as connection:
        mark_sent(connection, made.id, clock(), status, failure)
    return made, failure


def look_for_canaries(database: Database, now: datetime) -> int:
    """This will look whether canaries of the last day have arrived meanwhile, and return how many have."""
    with database.connection() as connection:
        return notice_canaries(connection, now - LOOKED_FOR, now)
