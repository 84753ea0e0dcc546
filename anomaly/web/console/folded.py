"""A raw event as a tree to fold: bodies closed, the rest open, and never more of it than a browser can hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

MOST: Final = 3_000
"""Lines of a tree; what is beyond is said, and in the raw text."""
_LONGEST: Final = 4_000
_DEEPEST: Final = 30
_BODIES: Final = frozenset({"requestObject", "responseObject", "annotations"})


@dataclass(frozen=True, slots=True)
class Twig:
    """One line of JSON: its name, its value as text, or what lies below it. `open` says whether that shows at once."""

    name: str
    text: str
    kind: str
    below: tuple[Twig, ...] = ()
    open: bool = False
    left_out: int = 0


def folded(raw: bytes) -> Twig | None:
    """This will return the tree of a raw event; None when it is no JSON after all."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return _twig("", value, [MOST], 0)


def _twig(name: str, value: Any, left: list[int], depth: int) -> Twig:
    left[0] -= 1
    if isinstance(value, dict | list):
        pairs = (
            list(value.items()) if isinstance(value, dict) else [(str(n), one) for n, one in enumerate(value)]
        )
        brackets = "{}" if isinstance(value, dict) else "[]"
        below: list[Twig] = []
        if depth < _DEEPEST:
            for key, one in pairs:
                if left[0] <= 0:
                    break
                below.append(_twig(str(key), one, left, depth + 1))
        small = len(pairs) <= 12 and depth < 3 and name not in _BODIES
        text = f"{brackets[0]} {len(pairs)} {brackets[1]}" if pairs else brackets
        return Twig(name, text, "branch", tuple(below), small or depth == 0, len(pairs) - len(below))
    if isinstance(value, str):
        cut = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}… ({len(value):,})"
        return Twig(name, cut, "text")
    return Twig(name, json.dumps(value), "other")
