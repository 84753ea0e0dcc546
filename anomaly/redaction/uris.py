"""Request URIs: tokens in a query, and what a command run in a pod was given, both percent-encoded."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from anomaly.redaction.stand_in import Kind, is_stand_in
from anomaly.redaction.texts import NAMES, Texts

_PARAMETER: Final = re.compile(
    rf"(?:{NAMES}|token|secret|sig|signature|auth|authorization|bearer|x-amz-(?:signature|security-token)|x-goog-signature)",
    re.IGNORECASE,
)
FLAG: Final = re.compile(
    r"--?[a-z-]{0,40}(?:password|passwd|passphrase|token|secret|api-?key|access-?key|secret-?key)",
    re.IGNORECASE,
)
"""An argument after which the next one is the secret."""


def clean_uri(uri: str, texts: Texts) -> str:
    """This will return the URI with stand-ins for tokens; path and parameters that hold none stay as they are written."""
    path, mark, query = uri.partition("?")
    path = _part(path, texts, lambda text: quote(text, safe="/:@!$&'()*+,;=-._~"), unquote)
    return f"{path}{mark}{_query(query, texts)}" if mark else path


def _query(query: str, texts: Texts) -> str:
    parts, before = [], ""
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        plain_name, plain = unquote_plus(name), unquote_plus(value)
        if plain and _PARAMETER.fullmatch(plain_name):
            value = texts.replace(plain, Kind.TOKEN)
        elif plain and FLAG.fullmatch(before) and not plain.startswith("-") and not is_stand_in(plain):
            value = texts.replace(plain, Kind.PASSWORD)
        else:
            value = _part(value, texts, quote_plus, unquote_plus)
        before = plain
        parts.append(f"{name}{equals}{value}")
    return "&".join(parts)


def _part(text: str, texts: Texts, encode: Callable[[str], str], decode: Callable[[str], str]) -> str:
    plain = decode(text)
    cleaned = texts.clean(plain)
    return text if cleaned == plain else encode(cleaned)
