"""Passwords: hashed with argon2id, checked in the same time whether or not there is such an account.

The parameters are the second recommendation of RFC 9106 (section 4): 64 MiB, three passes, four lanes. The first one takes
2 GiB for each signing in, which would let anybody fill the memory of the service; 64 MiB still make each guess on a graphics
card cost that much of its memory. A hash names its own parameters, so that they can be raised: the next signing in renews it.
"""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from anomaly.errors import UsageError

SHORTEST: Final = 12
"""Characters. NIST SP 800-63B asks for length instead of kinds of characters; tries are limited besides."""
LONGEST: Final = 200
_FEWEST_KINDS: Final = 5

_HASHER: Final = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def hashed(password: str, name: str) -> str:
    """This will return what is kept of a password. Raises UsageError for one that is too short, too long or easily guessed."""
    text = _normal(password)
    if not SHORTEST <= len(text) <= LONGEST:
        raise UsageError(
            f"A password has {SHORTEST} to {LONGEST} characters.",
            hint="Four or five words with spaces between are long enough and can be remembered.",
        )
    if len(set(text)) < _FEWEST_KINDS or text.lower() in {name.lower() * times for times in range(1, 10)}:
        raise UsageError(
            "This password is too easily guessed.", hint="Use different characters, and not the name."
        )
    return _HASHER.hash(text)


def matches(encoded: str | None, password: str) -> bool:
    """This will say whether a password is the right one; None, for an account that is not there, takes as long and is never right."""
    try:
        _HASHER.verify(encoded or _nobodys(), _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return encoded is not None


def is_weaker(encoded: str) -> bool:
    """This will say whether a password was hashed with other parameters than those of today."""
    return _HASHER.check_needs_rehash(encoded)


def rehashed(password: str) -> str:
    """This will hash a password that was found right, as it is: it may be shorter than one would be allowed to choose now."""
    return _HASHER.hash(_normal(password))


def prepare() -> None:
    """This will do what the first check would have to do besides checking, so that it takes no longer than others."""
    _nobodys()


@cache
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_hex())


def _normal(password: str) -> str:
    # The same letters come composed from one keyboard and decomposed from another (NIST SP 800-63B, 3.1.1.2).
    return unicodedata.normalize("NFKC", password)
