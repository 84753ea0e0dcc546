"""Bytes to typed audit events. What cannot be decoded comes back with the reason: nothing is dropped, nothing raises.

msgspec reads only the fields that `Event` names, 7 times as fast as pydantic, and keeps bodies as raw bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from anomaly.events.event import Event
from anomaly.events.key import received_at
from anomaly.events.lenient import is_utf8, mended
from anomaly.events.shape import Shape, shape_of

MAX_EVENT_BYTES: Final = 32 << 20
"""The largest event taken: a kube-apiserver can write lists of several MB; beyond this it is quarantined."""

_API_GROUP: Final = "audit.k8s.io/"
# Years that shift by time zone out of what a date can hold would fail a whole batch later. A clock without a battery says 1970.
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2260


class _EventList(msgspec.Struct, gc=False):
    items: list[msgspec.Raw] | None = None
    kind: str = ""
    apiVersion: str = ""


_decode: Final = msgspec.json.Decoder(Event).decode
_list: Final = msgspec.json.Decoder(_EventList)


@dataclass(frozen=True, slots=True)
class Reject:
    """Bytes that are not an audit event, and why. `size` says how many there were when only a part could be held."""

    raw: bytes
    reason: str
    size: int = 0


@dataclass(slots=True)
class Decoded:
    """Events with their shapes and raw bytes, index by index, and what could not be decoded."""

    events: list[Event] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def split(self, most: int) -> Iterator[Decoded]:
        """This will yield the same in pieces of at most `most` events; rejects go with the first."""
        for start in range(0, max(len(self.events), 1), most):
            part = slice(start, start + most)
            rejects = [] if start else self.rejects
            yield Decoded(self.events[part], self.shapes[part], self.raws[part], rejects)

    def add(self, raw: bytes) -> None:
        """This will decode one event and append it, or append a reject with the reason."""
        try:
            if len(raw) > MAX_EVENT_BYTES:
                raise ValueError(f"the event is {len(raw):,} bytes long, more than {MAX_EVENT_BYTES:,}")
            try:
                if not is_utf8(raw):
                    raise ValueError("the event is not valid UTF-8")
                event = _decode(raw)
                shape = shape_of(event)
            except (msgspec.MsgspecError, RecursionError, ValueError) as refusal:
                event, shape = _read_mended(raw, refusal)
            if (
                not event.auditID
                or not event.stage
                or event.kind != "Event"
                or not event.apiVersion.startswith(_API_GROUP)
            ):
                raise ValueError(_what_is_missing(event))
            received = received_at(event)
            if received is None:
                raise ValueError(
                    "the event has no time: requestReceivedTimestamp, timestamp and stageTimestamp are missing"
                )
            if not _FIRST_YEAR <= received.year <= _LAST_YEAR:
                raise ValueError(f"the event's time is in the year {received.year}: no API server wrote that")
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
            self.rejects.append(Reject(raw, _reason(error)))
            return
        self.events.append(event)
        self.shapes.append(shape)
        self.raws.append(raw)


def _read_mended(raw: bytes, refusal: Exception) -> tuple[Event, Shape]:
    """Look again at what the strict decoder refused, mended; the raw bytes stay as they came. Raises the refusal."""
    again = mended(raw)
    if again is None or not again.startswith(b"{"):
        raise refusal
    try:
        event = _decode(again)
        return event, shape_of(event)
    except (msgspec.MsgspecError, RecursionError):
        raise refusal from None


class _AuditId(msgspec.Struct, gc=False):
    auditID: str = ""


_audit_id: Final = msgspec.json.Decoder(_AuditId)


def audit_id_of(raw: bytes) -> str:
    """This will return the audit id of an event that was decoded before; empty for bytes that are none.

    What was taken mended is read so again: nested too deep, or no UTF-8.
    """
    try:
        return _audit_id.decode(raw).auditID
    except (msgspec.MsgspecError, ValueError, RecursionError):
        events = decode_lines(raw.replace(b"\n", b" ")).events
        return events[0].auditID if events else ""


def decode_lines(data: bytes) -> Decoded:
    """This will decode JSON lines: one event, or one EventList, a line. Empty lines are passed over."""
    decoded = Decoded()
    for line in data.split(b"\n"):
        if not line or line.isspace():
            continue
        before = len(decoded.rejects)
        decoded.add(line)
        if len(decoded.rejects) > before and _is_list(line):
            decoded.rejects.pop()
            _add_items(decoded, line)
    return decoded


def decode_list(body: bytes) -> Decoded:
    """This will decode an EventList as the webhook sends it; items may lack kind and apiVersion."""
    decoded = Decoded()
    _add_items(decoded, body)
    return decoded


def _add_items(decoded: Decoded, body: bytes) -> None:
    try:
        listed = _list.decode(body)
        if listed.items is None:
            raise ValueError("the body has no items: it is not an EventList")
        if listed.kind not in {"", "EventList", "List"}:
            raise ValueError(f"kind is {listed.kind[:80]!r}, not EventList")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        decoded.rejects.append(Reject(body, _reason(error)))
        return
    for item in listed.items:
        decoded.add(bytes(item))


def _is_list(line: bytes) -> bool:
    try:
        return _list.decode(line).items is not None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False


def _what_is_missing(event: Event) -> str:
    if event.kind != "Event":
        return f"kind is {event.kind[:80]!r}, not Event"
    if not event.apiVersion.startswith(_API_GROUP):
        return f"apiVersion is {event.apiVersion[:80]!r}, not {_API_GROUP}v1"
    return "the event has no auditID" if not event.auditID else "the event has no stage"


def _reason(error: Exception) -> str:
    return f"{error}"[:500] or type(error).__name__
