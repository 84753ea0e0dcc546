"""Log shippers (Fluentd, Fluent Bit, Vector, Logstash and their like): the event in a field of a record of their own.

The field holds it as a text, as read from the log, or already parsed; some shippers nest it twice. Fluentd's `[tag, time,
record]` is known too. Only fields by these names are looked into, never the bodies of an event: those are an attacker's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from anomaly.sources.record import Record, json_in

FIELDS: Final = (
    "log",
    "message",
    "MESSAGE",
    "msg",
    "event",
    "audit",
    "record",
    "body",
    "line",
    "_raw",
    "kubernetes_audit",
    "kubernetes",
    "jsonPayload",
)


def recognises(record: Record) -> bool:
    """This will say whether a field known to hold events holds one. A record that is an event itself is not one."""
    return "auditID" not in record and any(_holds(record, field) for field in FIELDS)


def unwrap(record: Record) -> Iterator[bytes]:
    """This will yield the event in the first such field."""
    yield next(json_in(record[field]) for field in FIELDS if _holds(record, field))


def record_of_forward(parts: list[bytes]) -> bytes | None:
    """This will return the record of Fluentd's `[tag, time, record]`, or None when the array is something else."""
    if len(parts) == 3 and parts[0][:1] == b'"' and parts[2][:1] == b"{" and parts[1][:1] not in {b"{", b"["}:
        return parts[2]
    return None


def _holds(record: Record, field: str) -> bool:
    value = bytes(record.get(field, b""))
    return value[:1] in {b"{", b'"'} and (
        b"auditID" in value or b"protoPayload" in value or b"AdmissionReview" in value
    )
