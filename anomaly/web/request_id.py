"""A name for each request, by which its log lines, its answer and a person's question find each other.

It is ours: a caller cannot choose it, so nobody hides behind the name of another request. What a caller sends as X-Request-Id is
logged beside it, if it is a plain word, so that his log and ours can be joined.
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from typing import Final

HEADER: Final = b"x-request-id"
_CLAIM: Final = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_CURRENT: ContextVar[str] = ContextVar("request_id", default="")


def new_request_id() -> str:
    """This will return a name that no other request has: 80 bits of chance, as 20 letters and digits."""
    return secrets.token_hex(10)


def begin(name: str) -> None:
    """This will make `name` that of the request in hand, for this task and the threads it asks."""
    _CURRENT.set(name)


def present() -> str:
    """This will return the name of the request in hand, "" outside of one."""
    return _CURRENT.get()


def claimed(headers: list[tuple[bytes, bytes]]) -> str:
    """This will return what the caller calls this request, "" if it says nothing or no plain word of 1 to 64 characters."""
    said = next((value for name, value in headers if name == HEADER), b"")
    return said.decode() if _CLAIM.fullmatch(said) else ""
