"""What somebody who is typing a question may mean next: which part of the text they are in, and of which field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from anomaly.query.fields import NAMES

_PART: Final = re.compile(r'[-!(]*(?:([A-Za-z_][\w.-]*):\(?)?((?:"(?:\\.|[^"\\])*"?|\\.|[^\s"])*)$')


@dataclass(frozen=True, slots=True)
class Completing:
    """The text from `start` to `end` is to be completed: a value of `field`, or, when that is None, the name of a field."""

    start: int
    end: int
    field: str | None
    prefix: str


def at(text: str, caret: int) -> Completing:
    """This will say what stands before the caret.

    >>> at("verb:get res", 12)
    Completing(start=9, end=12, field=None, prefix='res')
    >>> at("verb:get,li", 11)
    Completing(start=9, end=11, field='verb', prefix='li')
    """
    before = text[: max(0, min(caret, len(text)))]
    end = len(before)
    # The last stretch without white space that is not quoted.
    start = 0
    quoted = False
    for place, character in enumerate(before):
        if character == '"' and before[place - 1 : place] != "\\":
            quoted = not quoted
        elif character.isspace() and not quoted:
            start = place + 1
    found = _PART.match(before, start)
    if not found or not found[1] or found[1].casefold() not in NAMES:
        word = before[start:].lstrip("-!(")
        return Completing(end - len(word), end, None, word)
    value = re.split(r"[,<>=]|\.\.", found[2])[-1] if '"' not in found[2] else found[2]
    return Completing(end - len(value), end, NAMES[found[1].casefold()], value.strip('"').rstrip("*"))
