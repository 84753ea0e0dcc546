"""JSON that names a key of one object twice: every decoder shows the last value and hides the ones before, which are bytes all the same.

An API server keeps the body of a patch as it was sent, so whoever may patch can write `{"data":{"password":"..."},"data":null}`.
"""

from __future__ import annotations

import json

import msgspec


def hides(raw: bytes, value: object) -> bool:
    """This will say whether `raw`, of which `value` was decoded, names a key of one object more than once.

    Compact JSON without escapes is told by being equal to what `value` encodes to, which is nearly free; the rest is read again.
    """
    encoded = msgspec.json.encode(value)
    if raw == encoded:
        return False
    if (
        b"\\u00" in raw
        and raw.replace(b"\\u003c", b"<").replace(b"\\u003e", b">").replace(b"\\u0026", b"&") == encoded
    ):
        # Go escapes these three. A backslash before would leave the two unequal, which costs no more than a look.
        return False
    try:
        json.loads(
            raw, object_pairs_hook=_once, parse_int=len, parse_float=len, parse_constant=len, strict=False
        )
    except (ValueError, RecursionError):
        return True
    return False


def _once(pairs: list[tuple[str, object]]) -> None:
    """Only whether there are doubles matters: what was read is let go of at once."""
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError
