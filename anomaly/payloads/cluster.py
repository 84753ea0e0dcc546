"""A cluster as data, its tokens, and what its API server needs to send here."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NotRequired

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.policy.webhook import Sink
    from anomaly.store.certificates import Bound
    from anomaly.store.clusters import Cluster
    from anomaly.store.tokens import Token


class ClusterPayload(TypedDict):
    """A cluster. `tokens` counts those that are valid; `last_event_at` is the API server's time of its newest event."""

    name: str
    created_at: datetime
    tokens: int
    last_event_at: datetime | None


class TokenPayload(TypedDict):
    """What is known of a token, never the token itself. `state` is valid, revoked or expired."""

    id: int
    scope: str
    state: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class WebhookPayload(TypedDict):
    """What a cluster's API server needs. The token is shown this once; with `written_to` it stands in that file instead."""

    cluster: str
    endpoint: str
    expires_at: datetime | None
    flags: list[str]
    token: NotRequired[str]
    kubeconfig: NotRequired[str]
    written_to: NotRequired[str]


class BoundPayload(TypedDict):
    """A name in client certificates, and the cluster it stands for."""

    name: str
    cluster: str
    created_at: datetime
    created_by: str


def bound_payload(one: Bound) -> BoundPayload:
    """This will return a name in client certificates as data."""
    return {
        "name": one.name,
        "cluster": one.cluster,
        "created_at": one.created_at,
        "created_by": one.created_by,
    }


def cluster_payload(one: Cluster) -> ClusterPayload:
    """This will return a cluster as data."""
    return {
        "name": one.name,
        "created_at": one.created_at,
        "tokens": one.tokens,
        "last_event_at": one.last_event_at,
    }


def token_payload(one: Token, now: datetime) -> TokenPayload:
    """This will return what is known of a token at `now`."""
    return {
        "id": one.id,
        "scope": ",".join(one.scopes),
        "state": one.state(now),
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
    }


def webhook_payload(sink: Sink, until: datetime | None, written_to: str | None = None) -> WebhookPayload:
    """This will return what a cluster's API server needs, with the token unless that was written to a file."""
    from anomaly.policy.webhook import FLAGS, kubeconfig

    made: WebhookPayload = {
        "cluster": sink.cluster,
        "endpoint": sink.endpoint,
        "expires_at": until,
        "flags": list(FLAGS),
    }
    if written_to is not None:
        return {**made, "written_to": written_to}
    return {**made, "token": sink.token, "kubeconfig": kubeconfig(sink, plain=True)}
