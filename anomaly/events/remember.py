"""Remembering what was worked out, within bounds of number and of size.

Clients choose their user agents, paths and names, up to a megabyte of headers each: a memory bounded only by the number of its
entries could be filled with gigabytes by somebody who is not even authenticated.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from functools import lru_cache
from typing import Any, Final, TypeVar

LARGEST: Final = 16 << 10
"""Bytes (or characters) of the largest key that is remembered; a real key has a few hundred."""

K = TypeVar("K")
V = TypeVar("V")


class _TooLarge(Exception):
    """Carries the answer past the cache: what is raised is not remembered."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer


def remembered(entries: int, size: Callable[[Any], int]) -> Callable[[Callable[[K], V]], Callable[[K], V]]:
    """This will make a function of one argument remember its last `entries` answers, except for keys above `LARGEST`.

    `size` says how large a key is; it is asked only when the answer is not remembered. What the function raises passes through.
    """

    def decorate(work: Callable[[K], V]) -> Callable[[K], V]:
        @lru_cache(maxsize=entries)
        def kept(key: K) -> V:
            answer = work(key)
            if size(key) > LARGEST:
                raise _TooLarge(answer)
            return answer

        def ask(key: K) -> V:
            try:
                return kept(key)
            except _TooLarge as large:
                return large.answer  # type: ignore[return-value]

        ask.__doc__ = work.__doc__
        return ask

    return decorate


def size_of_parts(key: tuple[object, ...]) -> int:
    """This will return how many bytes and characters the parts of a key have together."""
    return sum(len(part) for part in key if isinstance(part, Sized))
