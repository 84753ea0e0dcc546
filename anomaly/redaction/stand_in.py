"""What stands where a secret was: its size, and by wish a keyed digest by which equal ones are known; never a part of it.

A stand-in keeps the look of what it replaces where that has one (`AKIA...`, `ghp_...`, `eyJ...`, the lines around a private
key), so that rules that search for credentials still find where they are. Without a key nothing is derived from the value but
its length: a digest of a weak password could be tried out, even a keyed one by whoever has the key.
"""

from __future__ import annotations

import re
from base64 import b32encode
from collections import Counter
from enum import StrEnum
from hashlib import blake2b
from typing import Final

WORD: Final = "REDACTED"
_STAND_IN: Final = re.compile(r"(?:eyJ)?REDACTED(?:\.\d{1,10}(?:\.[a-z2-7]{13})?)?", re.ASCII)
_FILLER: Final = "X"


class Kind(StrEnum):
    """What was replaced, as it is counted."""

    SECRET = "secret"  # noqa: S105  the word, not one
    """A value of a Secret."""
    CONFIGMAP = "configmap"
    """A value of a ConfigMap, when these are redacted whole."""
    TOKEN = "token"  # noqa: S105
    """A field or parameter that holds a token: TokenReview, TokenRequest, `access_token=`."""
    JWT = "jwt"
    """A JSON web token anywhere."""
    BEARER = "bearer"
    """What follows `Bearer` or `Authorization: Basic`."""
    PRIVATE_KEY = "private-key"
    """A PEM private key, plain or as base64."""
    ACCESS_KEY = "access-key"
    """A key of a cloud or another service, known by its look."""
    PASSWORD = "password"  # noqa: S105
    """A value under a name that says it is a password or key."""
    HIDDEN = "hidden"
    """What stood behind a key that was named again, counted once for each place; it is not kept at all."""


Tally = Counter[Kind]
"""How many values of each kind were replaced."""


class StandIns:
    """Makes stand-ins. `key` makes equal values recognisable; empty for none."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key

    def of(self, value: str) -> str:
        """This will return `REDACTED.<characters>`, with a digest behind it if there is a key. A stand-in stays itself."""
        if is_stand_in(value):
            return value
        digest = f".{self._digest(value)}" if self._key else ""
        return f"{WORD}.{len(value)}{digest}"

    def alike(self, value: str, prefix: str) -> str:
        """This will return a text as long as `value` that begins with `prefix`, which says what kind of key it is."""
        room = len(value) - len(prefix)
        if value.startswith(prefix + WORD[: max(room, 0)]):
            return value
        digest = self._digest(value).upper() if self._key else ""
        return prefix + (WORD + digest + _FILLER * room)[: max(room, len(WORD))]

    def _digest(self, value: str) -> str:
        digest = blake2b(value.encode("utf-8", "surrogatepass"), key=self._key[:64], digest_size=8).digest()
        return b32encode(digest).decode().rstrip("=").lower()


def is_stand_in(value: str) -> bool:
    """This will say whether a text is a stand-in already, so that redacting twice changes nothing."""
    return _STAND_IN.fullmatch(value) is not None
