"""Amazon EKS: audit events in CloudWatch Logs, as subscriptions, exports and the command line hand them out.

Shapes, after the CloudWatch Logs user guide: `{"awslogs":{"data":base64 gzip}}` (Lambda), `{"data":base64 gzip}` (Kinesis,
Firehose), the unpacked `{"messageType":"DATA_MESSAGE","logEvents":[...]}`, single `{"message":...,"logStreamName":...}`
records, and export lines of a time and the event. One log group holds all control plane logs: streams that are not the audit
log are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from anomaly.sources.record import Record, json_in, list_of, record_of, text_of, unpacked

_OTHER_STREAM: Final = re.compile(
    r"(?:kube-apiserver-(?!audit)|authenticator-|kube-controller-manager-|cloud-controller-manager-|kube-scheduler-)"
)
_DATED: Final = re.compile(
    rb"\d{4}-\d\d-\d\d[T ][\d:.,]{8,20}(?:Z|[+-]\d\d:?\d\d)?\s+(?:(?:stdout|stderr) F )?(?=\{)"
)


def recognises(record: Record) -> bool:
    """This will say whether a record comes from CloudWatch Logs."""
    if "awslogs" in record or ("messageType" in record and "logEvents" in record):
        return True
    if "message" in record:
        return "logStreamName" in record or "ingestionTime" in record
    return "data" in record and "protoPayload" not in record and "kind" not in record


def unwrap(record: Record) -> Iterator[bytes]:
    """This will yield what the record carries: messages, or the unpacked record to be looked at again."""
    if "awslogs" in record or "data" in record:
        data = text_of(record, "data") or text_of(record, "awslogs", "data")
        if inner := unpacked(data):
            yield inner
            return
        raise ValueError("the field data is not base64 of JSON or gzip")
    if text_of(record, "messageType") == "CONTROL_MESSAGE" or _OTHER_STREAM.match(
        text_of(record, "logStream") or text_of(record, "logStreamName")
    ):
        return
    if "logEvents" in record:
        for event in list_of(record["logEvents"]):
            yield json_in(record_of(event).get("message")) or event
    else:
        yield json_in(record.get("message"))


def without_time(line: bytes) -> bytes:
    """This will return an export line, or a line of a container's log, without the time in front; itself when there is none."""
    return line[match.end() :] if (match := _DATED.match(line)) else line
