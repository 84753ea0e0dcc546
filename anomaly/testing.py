"""Builders for tests: events that look like a kube-apiserver's, said in a line. Ships with the package, for users' tests too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import msgspec

from anomaly.events.decode import decode_lines
from anomaly.events.event import Event

NAMESPACE = UUID("b9b2a1c4-3d58-4a04-8a3f-6f6e1f6c0d11")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def raw_event(
    resource: str = "pods",
    verb: str = "get",
    *,
    by: str = "alice@example.com",
    groups: Sequence[str] = ("dev", "system:authenticated"),
    namespace: str = "shop",
    name: str = "",
    code: int = 200,
    at: datetime | float = START,
    agent: str = "kubectl/v1.33.0 (linux/amd64)",
    address: str = "203.0.113.7",
    stage: str = "ResponseComplete",
    level: str = "Metadata",
    body: object = None,
    answer: object = None,
    uri: str = "",
    audit_id: str = "",
    acting_as: str = "",
    annotations: Mapping[str, str] | None = None,
    extra: Mapping[str, Sequence[str]] | None = None,
    **fields: object,
) -> bytes:
    """This will return one audit event as JSON. `resource` is "pods/exec", "apps/deployments" or a path ("/healthz").

    `at` is a moment or seconds after `START`. The audit id follows from the content, so equal calls are the same event.
    """
    moment = at if isinstance(at, datetime) else START + timedelta(seconds=at)
    event: dict[str, object] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level,
        "stage": stage,
        "verb": verb,
        "user": {"username": by, "groups": list(groups), **({"extra": dict(extra)} if extra else {})}
        if by
        else {},
        "sourceIPs": [address],
        "userAgent": agent,
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "stageTimestamp": (moment + timedelta(milliseconds=4)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "annotations": {
            "authorization.k8s.io/decision": "forbid" if code == 403 else "allow",
            **(annotations or {}),
        },
    }
    event |= _target(resource, namespace, name, uri)
    if acting_as:
        event["impersonatedUser"] = {"username": acting_as}
    if body is not None:
        event |= {"requestObject": body, "level": "Request" if level == "Metadata" else level}
    if answer is not None:
        event |= {"responseObject": answer, "level": "RequestResponse"}
    event |= fields
    event["auditID"] = audit_id or str(uuid5(NAMESPACE, msgspec.json.encode(event, order="sorted").decode()))
    return msgspec.json.encode(event)


def event(resource: str = "pods", verb: str = "get", **fields: object) -> Event:
    """This will return the same event decoded; arguments as for `raw_event`. Raises AssertionError if it is not an event."""
    decoded = decode_lines(raw_event(resource, verb, **fields))  # type: ignore[arg-type]
    if decoded.rejects:
        raise AssertionError(decoded.rejects[0].reason)
    return decoded.events[0]


def _target(resource: str, namespace: str, name: str, uri: str) -> dict[str, object]:
    if resource.startswith("/"):
        return {"requestURI": uri or resource}
    parts = resource.split("/")
    group = (
        parts.pop(0)
        if len(parts) > 1 and ("." in parts[0] or parts[0] in {"apps", "batch", "policy", "autoscaling"})
        else ""
    )
    ref = {"resource": parts[0], "apiVersion": "v1", "namespace": namespace, "name": name, "apiGroup": group}
    if len(parts) > 1:
        ref["subresource"] = parts[1]
    prefix = f"/apis/{group}/v1" if group else "/api/v1"
    scope = f"/namespaces/{namespace}" if namespace else ""
    path = (
        f"{prefix}{scope}/{parts[0]}"
        + (f"/{name}" if name else "")
        + (f"/{parts[1]}" if len(parts) > 1 else "")
    )
    return {"requestURI": uri or path, "objectRef": {key: value for key, value in ref.items() if value}}
