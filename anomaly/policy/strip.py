"""What is left of a stored event at a lower level, in bytes, and when the stored level is too low to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from anomaly.events.event import Event
from anomaly.policy.document import Level

_REQUEST_KEY: Final = len(b',"requestObject":')
_RESPONSE_KEY: Final = len(b',"responseObject":')
_LEVELS: Final = {str(level): level for level in Level}


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of an event at some level. `known` is false when a body would be written that was not stored: then it is at least this."""

    bytes: int
    known: bool


def size_at(event: Event, raw_size: int, level: Level, *, omit_managed_fields: bool) -> Size:
    """This will return how large the event would be at the level.

    Bodies of a higher stored level are cut away exactly. An event at ResponseComplete whose stored level is lower than the
    one asked for may have had bodies nobody wrote down. A patch keeps the managedFields of its own body (measured).
    """
    stored = _LEVELS.get(event.level, Level.METADATA)
    request, response = len(event.requestObject), len(event.responseObject)
    size = raw_size + len(level) - len(stored)
    if request and level.rank < Level.REQUEST.rank:
        size -= request + _REQUEST_KEY
    elif request and omit_managed_fields and event.verb != "patch":
        size -= managed_bytes(event.requestObject)
    if response and level is not Level.REQUEST_RESPONSE:
        size -= response + _RESPONSE_KEY
    elif response and omit_managed_fields:
        size -= managed_bytes(event.responseObject)
    bodies_follow = event.stage != "RequestReceived"
    return Size(size, stored.rank >= level.rank or not bodies_follow)


def managed_bytes(body: msgspec.Raw | bytes) -> int:
    """This will return the bytes of managedFields in a body: of the object, or of the items of a list."""
    raw = bytes(body)
    if b'"managedFields"' not in raw:
        return 0
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return 0
    return _managed_of(value) + sum(_managed_of(item) for item in _items(value))


def _items(value: object) -> list[object]:
    if not isinstance(value, dict):
        return []
    items = value.get("items") or value.get("rows") or []
    return (
        [item.get("object", item) if isinstance(item, dict) else item for item in items]
        if isinstance(items, list)
        else []
    )


def _managed_of(value: object) -> int:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return 0
    return len(msgspec.json.encode(metadata["managedFields"])) + len(b',"managedFields":')
