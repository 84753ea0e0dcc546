"""Senders of events that cannot set a bearer token: where else they show it, and the answers that some of them want.

Firehose sends an access key and wants its request id back; Pub/Sub and Event Grid can only be given an address; others know no
more than a user name and a password. The token is the same everywhere, and each of these ways opens the intake alone.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from fastapi import Request, Response

_FIREHOSE_KEY: Final = "x-amz-firehose-access-key"
_FIREHOSE_ID: Final = "x-amz-firehose-request-id"
_LONGEST_ID: Final = 200
_EVENT_GRID: Final = "aeg-event-type"
_LONGEST_HANDSHAKE: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Shown:
    """A token as it was shown; `in_address` when everybody who sees the address of the request sees it."""

    token: str
    in_address: bool = False


def shown_by(request: Request) -> Shown | None:
    """This will return the token of a sender that shows it in another way than as a bearer token; None when none does.

    `?token=` comes first: Pub/Sub may send a token of Google's own in the Authorization header.
    """
    if token := request.query_params.get("token"):
        return Shown(token, in_address=True)
    if key := request.headers.get(_FIREHOSE_KEY):
        return Shown(key)
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        _, _, password = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return Shown("")
    return Shown(password)


def answer_of(request: Request, now: datetime, error: str = "") -> bytes | None:
    """This will return what a sender must be answered to take it for delivered, or why not; None for those to whom any body will do.

    Firehose: `{"requestId":...,"timestamp":...}`, milliseconds (HTTP endpoint delivery, request and response specifications).
    """
    request_id = request.headers.get(_FIREHOSE_ID)
    if request_id is None:
        return None
    said: dict[str, object] = {
        "requestId": request_id[:_LONGEST_ID],
        "timestamp": round(now.timestamp() * 1000),
    }
    return msgspec.json.encode(said | ({"errorMessage": error} if error else {}))


def as_wanted(request: Request, refusal: Response, now: datetime) -> Response:
    """This will return a refusal as the sender wants to hear it: the same status and headers, Firehose's own body."""
    said = answer_of(request, now, f"answered {refusal.status_code}: {_title(refusal)}")
    if said is None:
        return refusal
    kept = {name: value for name, value in refusal.headers.items() if name in {"retry-after", "connection"}}
    return Response(said, refusal.status_code, kept, "application/json")


def handshake(request: Request, body: bytes) -> bytes | None:
    """This will answer Event Grid's question whether its events are wanted here (SubscriptionValidation); None for any other body."""
    if request.headers.get(_EVENT_GRID) != "SubscriptionValidation" or len(body) > _LONGEST_HANDSHAKE:
        return None
    try:
        (event,) = msgspec.json.decode(body, type=tuple[_Validation])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return msgspec.json.encode({"validationResponse": event.data.validationCode})


class _Code(msgspec.Struct):
    validationCode: str


class _Validation(msgspec.Struct):
    data: _Code


def _title(refusal: Response) -> str:
    try:
        return str(msgspec.json.decode(refusal.body, type=dict[str, object]).get("title", ""))
    except (msgspec.MsgspecError, ValueError):
        return ""
