"""A shape: everything about an event that repeats from event to event.

In a real log 51,000 events have 2,000 shapes. Whatever depends on the shape alone (whose it is, which window terms it adds
to, which rules can match) is worked out once for each shape and looked up for each event: that is what makes intake fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anomaly.events.event import NO_OBJECT, Event, User
from anomaly.events.identity import (
    CREDENTIAL_ID,
    Identity,
    decode_addresses,
    decode_annotations,
    decode_user,
    identity_of,
)
from anomaly.events.remember import remembered, size_of_parts

DECISION: Final = "authorization.k8s.io/decision"
REASON: Final = "authorization.k8s.io/reason"
REFUSED: Final = frozenset({401, 403})
_KNOWN_SHAPES: Final = 1 << 15

Key = tuple[bytes, bytes, bytes, bytes, str, str, str, str, int, str, str, str, str, str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What an event has in common with its like. Compared by identity: equal shapes are the same object while remembered."""

    user: User
    impersonated: User | None
    identity: Identity
    addresses: tuple[str, ...]
    address: str
    annotations: dict[str, str]
    verb: str
    agent: str
    stage: str
    level: str
    code: int
    group: str
    version: str
    resource: str
    subresource: str
    namespace: str
    path: str
    decision: str
    reason: str
    credential: str
    is_resource: bool
    allowed: bool
    final: bool

    @property
    def resource_text(self) -> str:
        """`pods/exec`, `apps/deployments`: group, resource and subresource in one; the path for other requests."""
        if not self.is_resource:
            return self.path
        group = f"{self.group}/" if self.group else ""
        return f"{group}{self.resource}/{self.subresource}" if self.subresource else f"{group}{self.resource}"


def shape_of(event: Event) -> Shape:
    """This will return the shape of the event.

    Raises msgspec.ValidationError (or DecodeError) when the user, addresses or annotations are not what the schema says.
    """
    ref = event.objectRef or NO_OBJECT
    status = event.responseStatus
    return _shape(
        (
            bytes(event.user),
            bytes(event.impersonatedUser),
            bytes(event.sourceIPs),
            bytes(event.annotations),
            event.verb,
            event.userAgent,
            event.stage,
            event.level,
            status.code if status is not None else 0,
            ref.apiGroup,
            ref.apiVersion,
            ref.resource,
            ref.subresource,
            ref.namespace,
            event.requestURI.partition("?")[0] if event.objectRef is None else "",
        )
    )


@remembered(_KNOWN_SHAPES, size_of_parts)
def _shape(key: Key) -> Shape:
    user_raw, acting_raw, addresses_raw, annotations_raw, verb, agent, stage, level, code, *rest = key
    group, version, resource, subresource, namespace, path = rest
    user = decode_user(user_raw)
    addresses = decode_addresses(addresses_raw)
    annotations = decode_annotations(annotations_raw)
    decision = annotations.get(DECISION, "")
    refused_early = code == 401 and stage == "ResponseStarted"
    return Shape(
        user=user,
        impersonated=decode_user(acting_raw) if acting_raw and acting_raw != b"null" else None,
        identity=identity_of(user.username),
        addresses=addresses,
        address=addresses[-1] if addresses else "",
        annotations=annotations,
        verb=verb,
        agent=agent,
        stage=stage,
        level=level,
        code=code,
        group=group,
        version=version,
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        # Go's parser takes a request line such as "GET x:secrets": a path is never to look like a kind.
        path=path if not path or path.startswith("/") else f"/{path}",
        decision=decision,
        reason=annotations.get(REASON, ""),
        credential=next(iter(user.extra.get(CREDENTIAL_ID, ())), ""),
        is_resource=bool(resource),
        allowed=decision != "forbid" and code not in REFUSED,
        final=stage in {"ResponseComplete", "Panic"} or refused_early,
    )
