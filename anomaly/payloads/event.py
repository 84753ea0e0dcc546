"""An audit event as data: what people ask about, not all of it. The whole is its raw JSON."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.store.search import Found


class EventPayload(TypedDict):
    """One audit event. `key` and `time` together name it within its cluster; an audit id can be chosen by anybody."""

    time: datetime
    key: str
    audit_id: str
    cluster: str
    user: str
    acting_as: str | None
    verb: str
    resource: str
    namespace: str | None
    name: str | None
    code: int
    allowed: bool
    address: str
    agent: str
    stage: str
    level: str


def event_payload(one: Found) -> EventPayload:
    """This will return an event as data."""
    return {
        "time": one.received_at,
        "key": one.event_key.hex,
        "audit_id": one.audit_id,
        "cluster": one.cluster,
        "user": one.user,
        "acting_as": one.acting_as or None,
        "verb": one.verb,
        "resource": one.resource,
        "namespace": one.namespace or None,
        "name": one.name or None,
        "code": one.code,
        "allowed": one.allowed,
        "address": one.address,
        "agent": one.agent,
        "stage": one.stage,
        "level": one.level,
    }


def raw_payload(raw: bytes) -> object:
    """This will return an event as it was received; `{"raw": text}` for one that is no JSON after all.

    Decoded, to be written again by whoever shows it: raw bytes could hold anything, a terminal escape too.
    """
    import msgspec

    try:
        made: object = json.loads(raw)
        # Half a surrogate pair can be said in JSON and not be written in UTF-8.
        msgspec.json.encode(made)
        return made
    except (ValueError, RecursionError):
        # An event is kept as it came, and what nobody looked at yet may be no text at all.
        return {"raw": raw.decode("utf-8", "backslashreplace")}
