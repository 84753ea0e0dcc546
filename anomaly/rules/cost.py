"""How dear the values of a file are to prepare, known before any is prepared: a rule file must load within a second.

An expression costs RE2 time and memory to compile, `windash` multiplies a value by up to 125: so they count for more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from anomaly.rules.document import Data, Document, Where
from anomaly.rules.problem import Problem

BUDGET: Final = 5_000
"""Plain values a rule file may hold; an expression counts for 10 of them."""
MAX_PATTERN: Final = 1_000
_WEIGHTS: Final = {"re": 10, "windash": 50, "base64offset": 5, "cidr": 2}
_REPEATED: Final = 40
"""Counted repetitions make large programs."""
_WILDCARD: Final = 10


def too_dear(documents: Iterable[Document]) -> Problem | None:
    """This will return the error of a file that goes over the budget, at the value that does, else None."""
    spent = 0
    for document in documents:
        data = document.data if isinstance(document.data, dict) else {}
        for where, key, value in _values(("tests",), "", data.get("tests")):
            if key == "times" and isinstance(value, int):
                spent += max(value, 0) // 5
            if spent > BUDGET:
                return document.problem(
                    where, "the file's examples hold more events than can be made at once", "fewer"
                )
        for where, key, value in _values(("detection",), "", data.get("detection")):
            modifiers = key.split("|")[1:]
            if "re" in modifiers and isinstance(value, str) and len(value) > MAX_PATTERN:
                return document.problem(
                    where, f"an expression has at most {MAX_PATTERN:,} characters", "split it"
                )
            if "re" in modifiers and "{" in str(value):
                spent += _REPEATED
            spent += max([1, *(_WEIGHTS.get(modifier, 1) for modifier in modifiers), _pattern(value)])
            if spent > BUDGET:
                hint = f"at most {BUDGET:,} values, {BUDGET // 10:,} expressions or patterns: split the file"
                return document.problem(
                    where, "the file holds more values than can be prepared at once", hint
                )
    return None


def _pattern(value: Data) -> int:
    """Stars at the ends are cheap; inside, the value becomes an expression."""
    inner = value[1:-1] if isinstance(value, str) else ""
    return _WILDCARD if "*" in inner or "?" in inner else 1


def _values(where: Where, key: str, node: Data) -> Iterator[tuple[Where, str, Data]]:
    if isinstance(node, dict):
        for name, inner in node.items():
            yield from _values((*where, name), name, inner)
    elif isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _values((*where, index), key, inner)
    else:
        yield where, key, node
