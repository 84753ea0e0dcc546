"""A second look at JSON that the strict decoder refuses, so that one odd value does not hide a whole event.

A body may nest deeper than decoders follow, hold half a surrogate pair, bytes that are no UTF-8 or a number beyond any range:
clients can put such things into objects, and what cannot be read cannot be judged. The raw bytes are kept as they came; only
what is looked at is mended.
"""

from __future__ import annotations

import json
import re
from typing import Final

LONGEST: Final = 16 << 20
"""Bytes that are mended; beyond it the time it takes would be an attacker's to choose."""
DEEPEST: Final = 200
"""Levels that are kept; what lies deeper becomes null. Kubernetes' own types nest some 20 levels."""

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_LONE: Final = re.compile("[\ud800-\udfff]")
_MOST_DIGITS: Final = 300
_LARGEST: Final = 1.7976931348623157e308


def is_utf8(data: bytes) -> bool:
    """This will say whether the bytes are valid UTF-8; nearly free for ASCII, which most events are."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def mended(data: bytes) -> bytes | None:
    """This will return the same JSON document so that any decoder takes it, or None when it is no JSON or too long.

    Invalid UTF-8 and lone surrogates become replacement characters, numbers beyond a double its largest value, levels below
    200 null, control characters inside texts stay.
    """
    if len(data) > LONGEST:
        return None
    try:
        text = _flattened(data.decode("utf-8", "replace"))
        value = json.loads(
            text, parse_int=_integer, parse_float=_real, parse_constant=lambda _: None, strict=False
        )
        return _LONE.sub("\ufffd", json.dumps(value, ensure_ascii=False)).encode()
    except (ValueError, RecursionError):
        return None


def _flattened(text: str) -> str:
    """Replace what lies deeper than DEEPEST by null. Linear in the text; texts of usual depth come back as they are."""
    depth, cut_from = 0, -1
    pieces: list[str] = []
    kept_to = 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "[{":
            depth += 1
            if depth == DEEPEST + 1:
                cut_from = token.start()
        elif sign in "]}":
            if depth == DEEPEST + 1 and cut_from >= 0:
                pieces += (text[kept_to:cut_from], "null")
                kept_to, cut_from = token.end(), -1
            depth -= 1
    return "".join((*pieces, text[kept_to:])) if pieces else text


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else _real(digits)


def _real(digits: str) -> float:
    try:
        value = float(digits)
    except (ValueError, OverflowError):
        return _LARGEST
    return max(-_LARGEST, min(value, _LARGEST))
