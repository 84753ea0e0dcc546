"""Regular expressions that cannot be made to take long, whatever the pattern and the text.

RE2 is linear for every pattern; its Python binding costs 2 us a search for a set of patterns and 8 us for one. A pattern that
is anchored, and has one thing to repeat on every way through it, is linear in Python's own engine too, at a tenth of that:
those are recognised here, narrowly, and only where both engines mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import re2

Found = Callable[[str], bool]

MAX_MEMORY: Final = 2 << 20
"""Bytes for one automaton: a text made to fill it costs speed beyond this, not memory."""

TOO_LARGE: Final = f"it is too large: searching for it takes more than {MAX_MEMORY >> 20} MiB of memory"

_CLASS: Final = r"\[\^?[A-Za-z0-9_./: -]+\]"
_CHARACTER: Final = r"[A-Za-z0-9_ /:,@=%&~#\"'<>;!-]|\\[^A-Za-z0-9\s]|\."
_REPEAT: Final = r"[*+?]|\{\d{1,3}(?:,\d{0,3})?\}"
_RUN: Final = rf"(?:(?:{_CLASS}|{_CHARACTER})(?:{_REPEAT})?)*"
_PLAIN: Final = re.compile(
    rf"\^(?P<before>{_RUN})(?:\((?:\?:)?(?P<choices>{_RUN}(?:\|{_RUN})*)\)(?P<after>{_RUN}))?(?P<end>\$)?"
)
_ITEM: Final = re.compile(rf"(?:{_CLASS}|{_CHARACTER})(?P<repeat>{_REPEAT})?")


def expression(pattern: str) -> re2._Regexp:
    """This will compile an RE2 pattern in bounded memory, in silence. Raises re2.error, also when no automaton fits in it."""
    compiled = re2.compile(pattern, _options())
    alone = re2.Set.SearchSet(_options())
    try:
        alone.Add(pattern)
        alone.Compile()
    except re2.error:
        raise re2.error(TOO_LARGE) from None
    return compiled


def finder(patterns: tuple[str, ...]) -> Found:
    """This will return the function that finds any of the patterns in a text. Raises re2.error when one is none."""
    quick = [found for found in map(linear, patterns) if found is not None]
    rest = tuple(pattern for pattern in patterns if linear(pattern) is None)
    if not rest:
        return quick[0] if len(quick) == 1 else lambda text: any(find(text) for find in quick)
    slow = _set(rest)
    return slow if not quick else lambda text: any(find(text) for find in quick) or slow(text)


def linear(pattern: str) -> Found | None:
    """This will return the same search by Python's engine when that is linear and means the same, else None."""
    parts = _PLAIN.fullmatch(pattern)
    if parts is None or "--" in pattern:  # a doubled dash in a class may become an operator
        return None
    outside = _repeats(parts["before"]) + _repeats(parts["after"] or "")
    if outside + max(map(_repeats, _choices(parts["choices"] or ""))) > 1:
        return None
    # `$` is the very end in RE2; in Python it would let a line feed pass.
    try:
        match = re.compile(pattern[:-1] + r"\Z" if parts["end"] else pattern).match
    except (re.error, OverflowError):
        return None
    return lambda text: match(text) is not None


def _choices(text: str) -> list[str]:
    """Split at bars outside classes; a bar cannot stand in a class here, and an escaped one is no bar."""
    return re.split(r"(?<!\\)\|", text)


def _repeats(run: str) -> int:
    """How many things in a run may come a varying number of times."""
    kinds = [item["repeat"] for item in _ITEM.finditer(run)]
    return sum(kind is not None and ("," in kind or kind[0] != "{") for kind in kinds)


def _set(patterns: tuple[str, ...]) -> Found:
    """All patterns in one automaton; where they are too large for that, one after the other."""
    single = [expression(pattern) for pattern in patterns]
    together = re2.Set.SearchSet(_options())
    try:
        for pattern in patterns:
            together.Add(pattern)
        together.Compile()
    except re2.error:
        return lambda text: any(one.search(text) is not None for one in single)
    match = together.Match
    return lambda text: match(text) is not None


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    return options
