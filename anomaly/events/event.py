"""What an audit event is: the fields of `audit.k8s.io/v1` this product reads, typed.

Kubernetes defines the type in k8s.io/apiserver/pkg/apis/audit/v1. Unknown fields pass; bodies stay raw JSON until somebody asks.
The parts that repeat from event to event (user, addresses, annotations) are kept as the bytes they came in, so that what is
derived from them can be looked up instead of decoded again: see `anomaly.events.identity`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

NOTHING: Final = msgspec.Raw(b"")
"""The raw value of a field that was not there."""


class ObjectRef(msgspec.Struct, gc=False):
    """The object a request was about, as Kubernetes names its parts."""

    resource: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    apiGroup: str = ""
    apiVersion: str = ""
    resourceVersion: str = ""
    subresource: str = ""


class ResponseStatus(msgspec.Struct, gc=False):
    """How the request was answered; a code of 0 means that the event says none."""

    code: int = 0
    status: str = ""
    reason: str = ""
    message: str = ""


class User(msgspec.Struct, gc=False, frozen=True):
    """An identity as the API server authenticated it; empty for a request answered 401."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}


NO_OBJECT: Final = ObjectRef()
NO_STATUS: Final = ResponseStatus()


class Event(msgspec.Struct, gc=False):
    """One audit event. Times are aware; `received` falls back to the v1beta1 `timestamp`, then to the stage's own time.

    `user`, `impersonated`, `addresses`, `annotations` are raw JSON: `anomaly.events.identity.user_of(event)` and its
    neighbours give the decoded values.
    """

    auditID: str = ""
    stage: str = ""
    level: str = ""
    requestURI: str = ""
    verb: str = ""
    userAgent: str = ""
    user: msgspec.Raw = NOTHING
    impersonatedUser: msgspec.Raw = NOTHING
    sourceIPs: msgspec.Raw = NOTHING
    annotations: msgspec.Raw = NOTHING
    objectRef: ObjectRef | None = None
    responseStatus: ResponseStatus | None = None
    requestObject: msgspec.Raw = NOTHING
    responseObject: msgspec.Raw = NOTHING
    requestReceivedTimestamp: datetime | None = None
    stageTimestamp: datetime | None = None
    timestamp: datetime | None = None
    kind: str = "Event"
    apiVersion: str = "audit.k8s.io/v1"
