"""An event as it would have been written at a lower level: without the bodies, or the managedFields, that the level leaves out."""

from __future__ import annotations

from typing import Final

import msgspec

from anomaly.events.event import Event
from anomaly.policy.document import Level

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MANAGED: Final = b'"managedFields"'


def lowered(event: Event, raw: bytes, level: Level, *, omit_managed_fields: bool) -> bytes | None:
    """This will return the bytes of the event at the level; None when it is that already, or its level is lower.

    A patch keeps the managedFields of its own body, as on a real server. An event that no strict decoder reads is made of what
    is known of it: nothing that the level leaves out is kept.
    """
    names = _left_out(event, level)
    shrunk = _managed(event, names) if omit_managed_fields else {}
    if not names and not shrunk:
        return None
    written = str(level) if names else event.level
    try:
        fields = _FIELDS.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        known = msgspec.structs.asdict(event)
        fields = {
            name: msgspec.Raw(msgspec.json.encode(value))
            for name, value in known.items()
            if not (isinstance(value, msgspec.Raw) and not bytes(value))
        }
    kept = {name: value for name, value in fields.items() if name not in names}
    return msgspec.json.encode({**kept, "level": msgspec.Raw(msgspec.json.encode(written)), **shrunk})


def _left_out(event: Event, level: Level) -> set[str]:
    names = set()
    if level.rank < Level.REQUEST.rank and bytes(event.requestObject):
        names.add("requestObject")
    if level.rank < Level.REQUEST_RESPONSE.rank and bytes(event.responseObject):
        names.add("responseObject")
    return names


def _managed(event: Event, without: set[str]) -> dict[str, msgspec.Raw]:
    bodies = {"responseObject": event.responseObject}
    if event.verb != "patch":
        bodies["requestObject"] = event.requestObject
    found = {}
    for name, body in bodies.items():
        if name not in without and _MANAGED in bytes(body) and (shrunk := _without_managed(body)) is not None:
            found[name] = msgspec.Raw(shrunk)
    return found


def _without_managed(body: msgspec.Raw) -> bytes | None:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    objects = [value, *_items(value)]
    taken = [
        metadata.pop("managedFields")
        for one in objects
        if isinstance(one, dict)
        and isinstance(metadata := one.get("metadata"), dict)
        and "managedFields" in metadata
    ]
    return msgspec.json.encode(value) if taken else None


def _items(value: object) -> list[object]:
    if not isinstance(value, dict):
        return []
    items = value.get("items") or value.get("rows") or []
    if not isinstance(items, list):
        return []
    return [item.get("object", item) if isinstance(item, dict) else item for item in items]
