"""Google GKE: Cloud Logging entries whose protoPayload is an AuditLog of the service k8s.io.

A method like `io.k8s.core.v1.pods.exec.create` names version, resource, subresource and verb, a resource name like
`core/v1/namespaces/shop/pods/web-0/exec` group, namespace and name (GKE audit logging guide, google.cloud.audit.AuditLog,
google.rpc.Code). The entries have no level, stage, groups, URI or HTTP code: what follows from the rest is derived and said to
be in an annotation, groups stay empty. Pub/Sub messages that carry an entry as base64 are opened too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from anomaly.sources.record import Record, list_of, record_of, text_of, unpacked

DERIVED: Final = "level stage requestURI responseStatus.code"
HTTP_OF_RPC: Final = {
    0: 200,
    1: 499,
    2: 500,
    3: 400,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    9: 400,
    10: 409,
    11: 400,
    12: 501,
    13: 500,
    14: 503,
    15: 500,
    16: 401,
}
"""What google/rpc/code.proto says each code corresponds to in HTTP."""

_VERSION: Final = re.compile(r"v\d+(?:(?:alpha|beta)\d+)?")
# The groups that Kubernetes named before groups had domains.
_BARE_GROUPS: Final = frozenset({"apps", "batch", "autoscaling", "policy", "extensions"})


def recognises(record: Record) -> bool:
    """This will say whether a record is an entry of the Kubernetes API's audit log, or a Pub/Sub message around one."""
    if "protoPayload" in record:
        return text_of(record, "protoPayload", "serviceName") in {"k8s.io", ""}
    return "subscription" in record and "data" in record_of(record.get("message"))


def unwrap(record: Record) -> Iterator[bytes]:
    """This will yield the entry as an audit event. Raises ValueError when it has no method name or is not what it seems."""
    if "protoPayload" not in record:
        entry = unpacked(text_of(record, "message", "data"))
        if not entry:
            raise ValueError("message.data is not base64")
        yield entry
        return
    payload = record_of(record["protoPayload"])
    method = text_of(payload, "methodName")
    if not method:
        raise ValueError("the entry has no methodName")
    verb = method.rpartition(".")[2]
    target = _target(method, verb, text_of(payload, "resourceName"))
    event: dict[str, object] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": _level(payload),
        "auditID": text_of(record, "operation", "id") or text_of(record, "insertId"),
        "stage": "ResponseStarted" if _still_open(record) else "ResponseComplete",
        "verb": verb,
        "user": _user(payload),
        "sourceIPs": [address] if (address := text_of(payload, "requestMetadata", "callerIp")) else [],
        "userAgent": text_of(payload, "requestMetadata", "callerSuppliedUserAgent"),
        "responseStatus": _status(payload),
        "requestReceivedTimestamp": text_of(record, "timestamp") or None,
        "stageTimestamp": text_of(record, "timestamp") or None,
        "annotations": _annotations(record, payload),
        **target,
    }
    for field, name in (("request", "requestObject"), ("response", "responseObject")):
        if field in payload:
            event[name] = payload[field]
    yield msgspec.json.encode(event)


def _target(method: str, verb: str, resource_name: str) -> dict[str, object]:
    """This will return objectRef and requestURI, or the URI alone for what is not a resource."""
    words = method.split(".")[:-1]
    at = next((index for index, word in enumerate(words) if _VERSION.fullmatch(word)), -1)
    if at < 0 or at + 1 == len(words):
        return {"requestURI": "/" + resource_name.lstrip("/")}
    resource, subresource = words[at + 1], "/".join(words[at + 2 :])
    named, _, behind = resource_name.partition("/")
    group = ("" if named == "core" else named) if behind else _group(words[:at])
    parts = behind.split("/")[1:]
    namespace = parts[1] if parts[:1] == ["namespaces"] and len(parts) > 1 else ""
    own = parts if resource == "namespaces" or not namespace else parts[2:]
    name = own[1] if len(own) > 1 and own[0] == resource else ""
    fields = {
        "resource": resource,
        "namespace": namespace,
        "name": name,
        "apiGroup": group,
        "apiVersion": words[at],
        "subresource": subresource,
    }
    # What is created is posted to its collection; the name is in the body.
    path = parts[:-1] if verb == "create" and name and not subresource else parts
    return {
        "objectRef": {key: value for key, value in fields.items() if value},
        "requestURI": "/".join([f"/apis/{group}" if group else "/api", words[at], *path]),
    }


def _group(words: list[str]) -> str:
    """The method spells a group backwards: io.k8s.authorization.rbac is rbac.authorization.k8s.io, io.k8s.apps is apps."""
    own = words[2:] if words[:2] == ["io", "k8s"] else []
    if own in (["core"], []) and words[:2] == ["io", "k8s"]:
        return ""
    return own[0] if len(own) == 1 and own[0] in _BARE_GROUPS else ".".join(reversed(words))


def _user(payload: Record) -> dict[str, str]:
    name = text_of(payload, "authenticationInfo", "principalEmail")
    return {"username": name} if name else {}


def _level(payload: Record) -> str:
    if "response" in payload:
        return "RequestResponse"
    return "Request" if "request" in payload else "Metadata"


def _still_open(record: Record) -> bool:
    operation = record_of(record.get("operation"))
    return bytes(operation.get("first", b"")) == b"true" and bytes(operation.get("last", b"")) == b"false"


def _granted(payload: Record) -> bool:
    """Refused is only what says so: `granted` is left out of the entry when it is false."""
    checks = [record_of(check) for check in list_of(payload.get("authorizationInfo"))]
    return all(bytes(check.get("granted", b"false")) == b"true" for check in checks)


def _status(payload: Record) -> dict[str, object]:
    status = record_of(payload.get("status"))
    number = bytes(status.get("code", b"0"))
    rpc = int(number) if number.isdigit() and len(number) < 4 else 2
    code = HTTP_OF_RPC.get(rpc, 500)
    if code == 200 and not _granted(payload):
        code = 403
    message = text_of(status, "message")
    return {"code": code, **({"message": message, "status": "Failure"} if message else {})}


def _annotations(record: Record, payload: Record) -> dict[str, str]:
    labels = record_of(record.get("labels"))
    annotations = {key: text_of(labels, key) for key in labels if "k8s.io/" in key}
    decision = "allow" if _granted(payload) else "forbid"
    return {
        "authorization.k8s.io/decision": decision,
        **annotations,
        "anomaly/source": "gke",
        "anomaly/derived": DERIVED,
    }
