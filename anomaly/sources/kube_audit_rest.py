"""kube-audit-rest: AdmissionReview requests, a line each, from clusters whose audit log nobody can have.

Admission sees what is written (create, update, delete, connect), after it was authorized and before it was done. So these are
known: who, what, the bodies, and that it was allowed. Not known: reads, refusals, the answer, the address, the client. Old
releases write no time; then the newest time in the object's own bookkeeping is taken, and without one the event is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from anomaly.sources.record import Record, record_of, text_of

DERIVED: Final = "level stage verb requestURI annotations"
_VERBS: Final = {"CREATE": "create", "UPDATE": "update", "DELETE": "delete", "CONNECT": "create"}
_TIMES: Final = re.compile(
    rb'"(?:time|creationTimestamp|deletionTimestamp)"\s*:\s*"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"'
)


def recognises(record: Record) -> bool:
    """This will say whether a record is an admission request."""
    return text_of(record, "kind") == "AdmissionReview" and "request" in record


def unwrap(record: Record) -> Iterator[bytes]:
    """This will yield the request as an audit event. Raises ValueError when it names no operation."""
    request = record_of(record["request"])
    operation = text_of(request, "operation")
    if operation not in _VERBS:
        raise ValueError(f"the admission request has no known operation: {operation[:40]!r}")
    body, before = bytes(request.get("object", b"null")), bytes(request.get("oldObject", b"null"))
    written = body if body != b"null" else before
    moment = (
        text_of(record, "requestReceivedTimestamp")
        or text_of(request, "requestReceivedTimestamp")
        or max((found.decode() for found in _TIMES.findall(written)), default="")
    )
    event: dict[str, object] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Request",
        "auditID": text_of(request, "uid"),
        "stage": "ResponseComplete",
        "requestURI": _uri(request),
        "verb": _VERBS[operation],
        "user": request.get("userInfo", msgspec.Raw(b"{}")),
        "objectRef": _object(request, written),
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "anomaly/source": "kube-audit-rest",
            "anomaly/derived": DERIVED,
        },
    }
    if moment:
        event["requestReceivedTimestamp"] = event["stageTimestamp"] = moment
    if body != b"null":
        event["requestObject"] = msgspec.Raw(body)
    yield msgspec.json.encode(event)


def _object(request: Record, written: bytes) -> dict[str, str]:
    fields = {
        "resource": text_of(request, "resource", "resource"),
        "namespace": text_of(request, "namespace"),
        "name": text_of(request, "name") or text_of(record_of(written), "metadata", "name"),
        "uid": text_of(record_of(written), "metadata", "uid"),
        "apiGroup": text_of(request, "resource", "group"),
        "apiVersion": text_of(request, "resource", "version"),
        "subresource": text_of(request, "subResource"),
    }
    return {key: value for key, value in fields.items() if value}


def _uri(request: Record) -> str:
    group, version = text_of(request, "resource", "group"), text_of(request, "resource", "version")
    namespace, name = text_of(request, "namespace"), text_of(request, "name")
    parts = ["", *(("apis", group) if group else ("api",)), version]
    resource = text_of(request, "resource", "resource")
    if namespace and resource != "namespaces":
        parts += ["namespaces", namespace]
    subresource = text_of(request, "subResource")
    # What is created is posted to its collection; the name is in the body.
    posted = text_of(request, "operation") == "CREATE" and not subresource
    parts += [resource, "" if posted else name, subresource]
    return "/".join(parts[:1] + [part for part in parts[1:] if part])
