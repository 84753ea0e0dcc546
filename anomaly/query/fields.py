"""The fields of an event that can be asked for: one table for the reader, the store, the suggestions and the reference."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from anomaly.events.identity import EntityKind


class Sort(StrEnum):
    """What the values of a field are."""

    TEXT = "text"
    CHOICE = "one of a few words"
    NUMBER = "number"
    TIME = "time"


class Cost(StrEnum):
    """What answering takes, the cheapest first."""

    INDEX = "index"
    """Only the events that match are looked at."""
    ROWS = "rows"
    """The narrow rows of the time that is asked for are compared: some ten million a second."""
    RAW = "raw"
    """Events must be unpacked and decoded: some hundred thousand a second."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `units` lead from the name of a unit to how many of the smallest there are; the first is the one meant
    when none is written."""

    name: str
    sort: Sort
    cost: Cost
    about: str
    example: str
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    units: tuple[tuple[str, int], ...] = ()


def _text(name: str, about: str, example: str, *aliases: str, cost: Cost = Cost.ROWS) -> Field:
    return Field(name, Sort.TEXT, cost, about, example, aliases)


_SECONDS: Final = (("ms", 1_000), ("us", 1), ("s", 1_000_000), ("m", 60_000_000))
_BYTES: Final = (("b", 1), ("kb", 1_000), ("mb", 1_000_000), ("kib", 1 << 10), ("mib", 1 << 20))
OUTCOMES: Final = ("ok", "allowed", "refused", "failed")
STAGES: Final = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
LEVELS: Final = ("Metadata", "Request", "RequestResponse")

_ALL: Final = (
    Field("time", Sort.TIME, Cost.INDEX, "When the API server received the request. A date means the whole day, a minute the"
          " whole minute.", "time:>-2h", ("at", "when", "received")),
    _text("cluster", "The cluster.", "cluster:prod", cost=Cost.INDEX),
    _text("user", "The username, as authenticated.", "user:system:serviceaccount:ci:*", "username", "entity", "who",
          cost=Cost.INDEX),
    Field("kind", Sort.CHOICE, Cost.INDEX, "What the caller is.", "kind:human", ("caller",),
          tuple(kind.value for kind in EntityKind)),
    _text("as", "The user whom the caller acted as.", "as:*", "acting_as", "impersonated", "impersonateduser"),
    _text("verb", "What was asked for: get, list, watch, create, update, patch, delete, deletecollection; the method in small"
          " letters for other requests.", "verb:create,patch", "action", "method"),
    _text("resource", "group/resource/subresource, without the core group; the path for other requests.", "resource:pods/exec",
          "objectref.resource", "type"),
    _text("namespace", 'Namespace of the object; "" for none.', "namespace:kube-system", "ns", "objectref.namespace"),
    _text("name", 'Name of the object; "" for none.', "name:web-*", "object", "objectref.name"),
    Field("code", Sort.NUMBER, Cost.ROWS, "Status of the answer.", "code:4xx", ("status", "responsestatus.code")),
    Field("outcome", Sort.CHOICE, Cost.ROWS, "ok: allowed and below 400; refused: 401, 403 or forbidden; failed: allowed, but 400"
          " or above; allowed: not refused.", "outcome:refused", ("result",), OUTCOMES),
    _text("agent", "The user agent as sent.", 'agent:"kubectl/v1.33*"', "useragent", "user_agent", "ua"),
    _text("address", "The client's own address, or a network.", "address:10.1.0.0/16", "ip", "source", "sourceip", "sourceips",
          "addr"),
    Field("latency", Sort.NUMBER, Cost.ROWS, "From the request to this stage; milliseconds unless us, s or m is written.",
          "latency:>2s", ("duration", "took"), units=_SECONDS),
    Field("size", Sort.NUMBER, Cost.ROWS, "Bytes of the event; or kB, MB, KiB, MiB.", "size:>100kB", ("bytes",), units=_BYTES),
    Field("stage", Sort.CHOICE, Cost.ROWS, "The stage; without it only the event that ends a request is found.",
          "stage:RequestReceived", (), STAGES),
    Field("level", Sort.CHOICE, Cost.ROWS, "How much the audit policy let be written.", "level:RequestResponse", (), LEVELS),
    _text("audit", "The audit id, which anybody can choose.", "audit:9c1551b8-0eda-4a3e-a73b-d865522ebecf", "auditid", "audit_id",
          "id"),
    _text("finding", "The events behind a finding, by the finding's whole id.", "finding:760692be-1f0c-4f5e-8a51-3f1e0b7c9d20",
          "evidence", cost=Cost.INDEX),
    _text("uri", "The request's path with its parameters.", "uri:*labelSelector=*", "requesturi", "url", "path", cost=Cost.RAW),
    _text("group", "A group of the user.", "group:system:masters", "groups", "user.groups", cost=Cost.RAW),
    _text("uid", "The user's uid, or the object's.", "uid:4f2a*", cost=Cost.RAW),
    _text("credential", "The id of the token or certificate.", "credential:JTI=*", "token", "jti", cost=Cost.RAW),
    _text("claimed", "An address that the request says it comes from (X-Forwarded-For).", "claimed:10.*", "forwarded",
          "xff", cost=Cost.RAW),
    _text("reason", "Why the authorizer decided as it did.", 'reason:"*cluster-admin*"', "decision", cost=Cost.RAW),
    _text("message", "The message of the answer.", 'message:"*cannot impersonate*"', "error", cost=Cost.RAW),
    _text("annotation", "An annotation, as name=value.", 'annotation:"pod-security*"', "annotations", cost=Cost.RAW),
    _text("raw", "The whole event as received.", 'raw:*"hostPath"*', "body", "json", cost=Cost.RAW),
)  # fmt: skip

FIELDS: Final[dict[str, Field]] = {field.name: field for field in _ALL}
NAMES: Final[dict[str, str]] = {
    **{alias: field.name for field in _ALL for alias in field.aliases},
    **{field.name: field.name for field in _ALL},
}
"""Every name a field goes by, in small letters, and the field's own."""
DEEP: Final = frozenset(field.name for field in _ALL if field.cost is Cost.RAW)
