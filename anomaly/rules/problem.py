"""What is wrong with a rule, where, and what to write instead: the one shape in which every check speaks."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING

from anomaly.errors import RuleInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Gravity(StrEnum):
    """An error keeps a rule from loading; a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One remark about a rule. `line` and `column` count from 1; 0 means the file as a whole."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    gravity: Gravity = Gravity.ERROR

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        kind = "" if self.gravity is Gravity.ERROR else f"{self.gravity}: "
        return f"{place}: {kind}{self.message}" + (f" ({self.hint})" if self.hint else "")


class RuleFileInvalid(RuleInvalid):
    """A rule file cannot be used; the problems say where and why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, problems)))


def closest(word: str, known: Iterable[str]) -> str:
    """This will return "did you mean X?" for the known word most like `word`, or an empty text."""
    folded = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold()[:200], folded, n=1, cutoff=0.6)
    return f"did you mean {folded[found[0]]}?" if found else ""
