"""Azure AKS: diagnostic records of the categories kube-audit and kube-audit-admin, and rows of the AKSAudit tables.

The event lies in `properties.log`, as a text or as an object (Event Hubs, storage accounts), in `log_s` (AzureDiagnostics),
or spread over the columns of AKSAudit (Azure Monitor table reference). Records of other categories are passed over. Envelopes of
Event Grid, in its own schema or as CloudEvents 1.0, are opened too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from anomaly.sources.record import Record, json_in, list_of, record_of, text_of, unpacked

_COLUMNS: Final = {
    "AuditId": "auditID",
    "Level": "level",
    "Stage": "stage",
    "RequestUri": "requestURI",
    "Verb": "verb",
    "UserAgent": "userAgent",
    "RequestReceivedTime": "requestReceivedTimestamp",
    "StageReceivedTime": "stageTimestamp",
}
_DYNAMIC_COLUMNS: Final = {
    "User": "user",
    "ImpersonatedUser": "impersonatedUser",
    "SourceIps": "sourceIPs",
    "ObjectRef": "objectRef",
    "ResponseStatus": "responseStatus",
    "RequestObject": "requestObject",
    "ResponseObject": "responseObject",
    "Annotations": "annotations",
}


def recognises(record: Record) -> bool:
    """This will say whether a record is a diagnostic record, a batch of them, or a row of an audit table."""
    if "AuditId" in record or _is_envelope(record):
        return True
    if "category" in record or "Category" in record:
        return "properties" in record or "log_s" in record
    return "records" in record


def unwrap(record: Record) -> Iterator[bytes]:
    """This will yield the audit events of a record; nothing for other categories. Raises ValueError without a log."""
    if "AuditId" in record:
        yield _from_columns(record)
        return
    if _is_envelope(record):
        yield _inside(record)
        return
    if "records" in record:
        yield from list_of(record["records"])
        return
    category = text_of(record, "category") or text_of(record, "Category")
    if not category.startswith("kube-audit"):
        return
    properties = record_of(json_in(record.get("properties")))
    event = json_in(properties.get("log") or record.get("log_s"))
    if not event:
        raise ValueError("the record has no properties.log")
    yield event


def _is_envelope(record: Record) -> bool:
    """Event Grid's schema has these two always, CloudEvents has a specversion."""
    named = "specversion" in record or ("eventType" in record and "eventTime" in record)
    return named and ("data" in record or "data_base64" in record)


def _inside(envelope: Record) -> bytes:
    if inner := unpacked(text_of(envelope, "data_base64")):
        return inner
    value = json_in(envelope.get("data"))
    if value[:1] not in {b"{", b"["} and not (value := unpacked(text_of(envelope, "data"))):
        raise ValueError("the envelope holds no JSON")
    return value


def _from_columns(row: Record) -> bytes:
    event: dict[str, object] = {"kind": "Event", "apiVersion": "audit.k8s.io/v1"}
    event |= {field: row[column] for column, field in _COLUMNS.items() if column in row}
    for column, field in _DYNAMIC_COLUMNS.items():
        # An export writes these as JSON or as a text of JSON; a body left out for its size is a text that is none.
        value = json_in(row.get(column))
        if value[:1] in {b"{", b"["}:
            event[field] = msgspec.Raw(value)
    return msgspec.json.encode(event)
