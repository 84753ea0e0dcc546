"""Which raw events could hold a secret: one linear search over the bytes of a batch, so that all others cost next to nothing.

It must find whatever `texts.py` and `objects.py` would replace, in bytes as they were sent: with escapes, inside texts of JSON, percent-
encoded. What it finds for nothing costs a look inside; what it misses would be kept, so letters in disguise are suspicious too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

import re2

from anomaly.redaction.texts import NAMES, TOKENS

_Q: Final = r"\\*[\"']"
"""A quote, however often it was escaped."""
_SEPARATOR: Final = rf"(?:{_Q})?\s*(?:=>|[:=]|%3[DdAa]|\\u003[dD])"

_TEXTS: Final = (
    r"eyJ[A-Za-z0-9_-]{10}",
    r"PRIVATE KEY",
    r"LS0tLS1CRUdJTi",
    *(look.removeprefix(r"\b").replace(",}", "}").removesuffix(r"\b") for _, look in TOKENS),
    r"(?i:bearer)(?:\\[tn]|\s|%20|\+)",
    rf"(?i:authorization){_SEPARATOR}",
    r"://[^/\s:@\"]*:[^/\s@\"]*@",
    rf"(?i:{NAMES}|password|passwd){_SEPARATOR}",
    rf"(?i:token)\s*(?:=>|[:=]|%3[DdAa]|\\u003[dD])\s*(?:{_Q})?[A-Za-z0-9._~+/-]{{16}}",
    r"[\s\"'=+]--?(?i:[a-z-]*(?:password|passwd|passphrase|token|secret|api-?key|access-?key|secret-?key))",
    r"kind:\s*[\"'\\]*Secret",
)
"""What could be in a text."""

_PLACES: Final = (
    # A field `token` with something in it; a null, an object and an empty text are none.
    rf"(?i:token|tokens){_Q}\s*:\s*{_Q}[^\"'\\]",
    r"(?i:token|secret|sig|signature|auth|key|password|passwd)=",
    # An environment variable by its name, whichever way round.
    rf"(?i:password|passwd|passphrase|token|secret|key|credentials?|auth){_Q}\s*,\s*{_Q}value{_Q}\s*:\s*{_Q}[^\"'\\]",
    rf"{_Q}\s*,\s*{_Q}name{_Q}\s*:\s*{_Q}[A-Za-z0-9_.-]*(?i:password|passwd|passphrase|token|secret|key|credentials?|auth){_Q}",
    rf"{_Q}(?:Secret|SecretList){_Q}",
    # Letters and figures that no encoder escapes. Go's writes \u003c, \u003e and \u0026.
    r"\\u00(?:3[0-9]|[46][1-9a-fA-F]|[57][0-9aA])",
    r"%(?:3[0-9]|[46][1-9a-fA-F]|[57][0-9aA])",
)
"""What stands where Kubernetes keeps secrets, and letters in disguise."""


_JOINED: Final = 1 << 20
"""Bytes that are searched at once: enough that a call costs nothing, few enough that the copy stays in a cache."""


def _compiled(patterns: tuple[str, ...]) -> re2._Regexp:
    options = re2.Options()
    # Bytes as they are: what matters here is ASCII, and no event needs to be valid for it.
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    options.max_mem = 32 << 20
    return re2.compile("|".join(patterns).encode(), options)


_ANYTHING: Final = _compiled((*_TEXTS, *_PLACES))
_IN_TEXT: Final = _compiled(_TEXTS)


def suspicious(raw: bytes) -> bool:
    """This will say whether these bytes could hold something to redact."""
    return _ANYTHING.search(raw) is not None


def suspicious_among(raws: Sequence[bytes]) -> list[int]:
    """This will return the indexes, ascending, of all for which `suspicious` is true.

    Calling a search costs as much as 600 bytes of searching, so they are searched joined. What matches from one event into
    the next makes the former suspicious for nothing; the search goes on where the latter begins, so nothing is missed.
    """
    found: list[int] = []
    first = size = 0
    for index, raw in enumerate(raws):
        size += len(raw)
        if size >= _JOINED:
            found += _search(raws, first, index + 1)
            first, size = index + 1, 0
    found += _search(raws, first, len(raws))
    return found


def _search(raws: Sequence[bytes], first: int, end: int) -> Iterator[int]:
    part = raws[first:end]
    joined = b"\n".join(part)
    starts = list(accumulate((len(raw) + 1 for raw in part), initial=0))
    at = 0
    while at < len(joined) and (match := _ANYTHING.search(joined, at)) is not None:
        index = bisect_right(starts, match.start()) - 1
        yield first + index
        at = starts[index + 1]


def speaks(raw: bytes) -> bool:
    """This will say whether a text in these bytes could hold something that is known by its look."""
    return _IN_TEXT.search(raw) is not None
