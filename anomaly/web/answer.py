"""Answers of the API: JSON as everywhere else (`anomaly.payloads`), entity tags, pages that lead on by a cursor.

A cursor is the place after the last row that was shown, not a number of rows: whatever is added meanwhile, each row that was there
is shown once.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, Generic, TypeVar

import msgspec
from fastapi import Request, Response
from typing_extensions import TypedDict

from anomaly.errors import UsageError

T = TypeVar("T")

JSON: Final = "application/json"
_LONGEST_CURSOR: Final = 2_000


class Page(TypedDict, Generic[T]):
    """Some of the rows. `next` is the cursor of what follows, null at the end."""

    items: list[T]
    next: str | None


def answer(payload: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """This will return a payload as JSON."""
    return Response(msgspec.json.encode(payload, enc_hook=str), status, dict(headers or {}), JSON)


def tagged(request: Request, payload: object, version: int | None = None) -> Response:
    """This will return a payload with its entity tag, or 304 without a body when the sender has just that.

    With a `version` the tag begins with it, so that `seen_version` finds it in an If-Match.
    """
    body = msgspec.json.encode(payload, enc_hook=str)
    digest = blake2b(body, digest_size=9).hexdigest()
    tag = f'"{digest}"' if version is None else f'"{version}-{digest}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _has(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, JSON)


def _has(given: str | None, tag: str) -> bool:
    if given is None:
        return False
    return given.strip() == "*" or tag in {part.strip().removeprefix("W/") for part in given.split(",")}


def seen_version(request: Request) -> int | None:
    """This will return the version that an If-Match names: that of the tag a finding came with; None without, or for `*`.

    Raises UsageError for any other.
    """
    given = request.headers.get("if-match", "").strip()
    if given in {"", "*"}:
        return None
    number = given.removeprefix("W/").strip('"').partition("-")[0]
    if not (number.isascii() and number.isdigit() and len(number) <= 9):
        raise UsageError("If-Match takes the ETag that the finding came with, or *.")
    return int(number)


def page(items: Sequence[object], limit: int, last: Sequence[object] | None) -> Response:
    """This will return rows with the cursor of what follows; `last` is the place of the last row, looked at if the page is full."""
    following = cursor(last) if last is not None and len(items) >= limit else None
    return answer({"items": items, "next": following})


def cursor(place: Sequence[object]) -> str:
    """This will return a place among rows as text that nobody needs to understand."""
    return base64.urlsafe_b64encode(msgspec.json.encode(list(place), enc_hook=str)).rstrip(b"=").decode()


def place_of(text: str | None, *kinds: Any) -> tuple[Any, ...] | None:
    """This will return the place that a cursor stands for, None for none. Raises UsageError for one that is not of this list."""
    if text is None:
        return None
    try:
        raw = base64.b64decode(
            text[:_LONGEST_CURSOR].encode() + b"=" * (-len(text) % 4), b"-_", validate=True
        )
        return msgspec.json.decode(raw, type=tuple[kinds])  # type: ignore[valid-type]
    except (msgspec.DecodeError, binascii.Error, ValueError) as wrong:
        raise UsageError(
            "The cursor is not one of this list.",
            hint="Take `next` of the page before, with the same question.",
        ) from wrong


def told(at: datetime) -> str:
    """This will return a moment as cursors hold it: to the microsecond."""
    return at.isoformat()
