"""Bytes that are no event, redacted as far as anything can be recognised in them: whole JSON by its structure, the rest by pattern.

What stays unrecognised is what is packed: base64 of gzip, as CloudWatch sends it, when it cannot be unpacked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import re2

from anomaly.redaction.objects import Json, Objects
from anomaly.redaction.stand_in import Kind, is_stand_in
from anomaly.redaction.texts import NAMES, Texts
from anomaly.redaction.twice import hides

LARGEST_PARSED: Final = 16 << 20
"""Bytes that are looked at as JSON; a document takes some ten times its size while it is."""

_Q: Final = r"\\*[\"']"
_TEXT: Final = r"\"(?:[^\"\\]|\\.)*\""
"""A whole text of JSON; braces and escaped quotes in it do not end what it stands in."""
_BLOCK: Final = re2.compile(rf"(?s)(\"(?:data|stringData)\"\s*:\s*\{{)((?:[^{{}}\"]|{_TEXT})*)")
_VALUE: Final = re2.compile(r"(?s)(\"\s*:\s*\")((?:[^\"\\]|\\.)+)")
_QUOTED_BLOCK: Final = re2.compile(rf"({_Q}(?:data|stringData){_Q}\s*:\s*\{{)([^{{}}]*)")
_QUOTED_VALUE: Final = re2.compile(rf"({_Q}\s*:\s*{_Q})([^\"\\]+)")
"""The same inside a text, where the end is wherever the next quote is."""
_FIELD: Final = re2.compile(rf"({_Q}(?i:{NAMES}|tokens?){_Q}\s*:\s*{_Q})([^\"\\]+)")
_ENV: Final = re2.compile(
    rf"((?i:password|passwd|passphrase|token|secret|key|credentials?){_Q}\s*,\s*{_Q}value{_Q}\s*:\s*{_Q})([^\"\\]+)"
)


def clean_bytes(raw: bytes, objects: Objects, texts: Texts) -> bytes:
    """This will return the bytes with stand-ins for whatever is recognised; the same object when that is nothing."""
    parsed = _parsed(raw, objects)
    if parsed is not None:
        return parsed
    lines = raw.split(b"\n")
    if 1 < len(lines) <= 100_000:
        cleaned = [(_parsed(line, objects) or _patterns(line, texts)) if line else line for line in lines]
        return raw if cleaned == lines else b"\n".join(cleaned)
    return _patterns(raw, texts)


def _parsed(raw: bytes, objects: Objects) -> bytes | None:
    if len(raw) > LARGEST_PARSED or raw.lstrip()[:1] not in {b"{", b"["}:
        return None
    try:
        value: Json = msgspec.json.decode(raw)
        cleaned = objects.any(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return msgspec.json.encode(cleaned) if cleaned != value or hides(raw, value) else raw


def _patterns(raw: bytes, texts: Texts) -> bytes:
    # Latin-1 gives every byte a character and takes it back; all that is looked for is ASCII.
    text = raw.decode("latin-1")
    again = text
    if "ecret" in text:
        for block, value in ((_BLOCK, _VALUE), (_QUOTED_BLOCK, _QUOTED_VALUE)):
            again = block.sub(
                lambda match, value=value: (
                    match.group(1) + value.sub(_put(texts, Kind.SECRET), match.group(2))
                ),
                again,
            )
    again = _FIELD.sub(_put(texts, Kind.TOKEN), again)
    again = _ENV.sub(_put(texts, Kind.PASSWORD), again)
    again = texts.clean(again)
    return raw if again == text else again.encode("latin-1", "replace")


def _put(texts: Texts, kind: Kind) -> Callable[[re2._Match], str]:
    def put(match: re2._Match) -> str:
        before, value = match.groups()
        return str(match.group()) if is_stand_in(value) else f"{before}{texts.replace(value, kind)}"

    return put
