"""Service tokens and the record of who read and changed what, as data."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.store.access_log import Kept
    from anomaly.store.tokens import Token


class ServiceTokenPayload(TypedDict):
    """What is known of a token. `clusters` null means every cluster; `state` is valid, revoked or expired."""

    id: int
    name: str
    scopes: list[str]
    clusters: list[str] | None
    state: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenPayload(ServiceTokenPayload):
    """A token that was made just now, with the token itself: it is shown this once."""

    token: str


class EntryPayload(TypedDict):
    """Who did what. `status` is null when it was begun and no outcome was written, 0 for a command that succeeded."""

    id: int
    made_at: datetime
    kind: str
    principal_id: int | None
    name: str
    method: str
    route: str
    object: str
    cluster: str | None
    status: int | None
    address: str
    times: int


def service_token_payload(one: Token, now: datetime) -> ServiceTokenPayload:
    """This will return what is known of a token at `now`."""
    return {
        "id": one.id,
        "name": one.name,
        "scopes": [scope.value for scope in one.scopes],
        "clusters": None if one.clusters is None else list(one.clusters),
        "state": one.state(now),
        "created_at": one.created_at,
        "created_by": one.created_by,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
    }


def new_token_payload(one: Token, token: str, now: datetime) -> NewTokenPayload:
    """This will return a token that was made just now, to be shown once."""
    return {**service_token_payload(one, now), "token": token}


def entry_payload(kept: Kept) -> EntryPayload:
    """This will return one entry of the record."""
    entry = kept.entry
    return {
        "id": kept.id,
        "made_at": entry.made_at,
        "kind": entry.kind,
        "principal_id": entry.principal_id,
        "name": entry.name,
        "method": entry.method,
        "route": entry.route,
        "object": entry.object,
        "cluster": entry.cluster,
        "status": entry.status,
        "address": entry.address,
        "times": entry.times,
    }
