"""Columns of numbers and keys as array parameters, written at once instead of element by element."""

from __future__ import annotations

from collections.abc import Iterable


def array_of(values: Iterable[int] | Iterable[str]) -> str:
    """This will return what PostgreSQL reads as an array: of integers, or of keys in hexadecimal digits.

    For a parameter with a cast (`%s::bigint[]`, `%s::uuid[]`). Not for other text: nothing is quoted.
    """
    return "{" + ",".join(map(str, values)) + "}"
