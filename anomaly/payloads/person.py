"""An account as data, a link made for one, and a session; never a password, a code once it was shown, or a cookie."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.accounts import Link
    from anomaly.store.people import Person
    from anomaly.store.sessions import Session


class PersonPayload(TypedDict):
    """An account. `clusters` null means every cluster; `state` is active, invited or disabled."""

    name: str
    role: str
    clusters: list[str] | None
    state: str
    issuer: str | None
    created_at: datetime
    created_by: str
    signed_in_at: datetime | None


class LinkPayload(TypedDict):
    """A link made for an account. It works once, is shown this once, and ends at `expires_at`."""

    name: str
    link: str
    expires_at: datetime


class SessionPayload(TypedDict):
    """A session that still opens the door."""

    id: int
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    agent: str


def person_payload(one: Person) -> PersonPayload:
    """This will return an account as data."""
    return {
        "name": one.name,
        "role": one.role.value,
        "clusters": None if one.clusters is None else list(one.clusters),
        "state": one.state,
        "issuer": one.issuer,
        "created_at": one.created_at,
        "created_by": one.created_by,
        "signed_in_at": one.signed_in_at,
    }


def link_payload(one: Link, address: str) -> LinkPayload:
    """This will return a link as data; `address` is where people reach the service."""
    return {
        "name": one.name,
        "link": f"{address.rstrip('/')}/invite/{one.code}",
        "expires_at": one.expires_at,
    }


def session_payload(one: Session) -> SessionPayload:
    """This will return a session as data."""
    return {
        "id": one.id,
        "created_at": one.created_at,
        "seen_at": one.seen_at,
        "expires_at": one.expires_at,
        "address": one.address,
        "agent": one.agent,
    }
