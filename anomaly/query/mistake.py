"""How a question refuses to be read: where, why, and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from anomaly.errors import UsageError


class QueryInvalid(UsageError):
    """The question cannot be read; docs/reference/event-query.md describes the language."""

    def __init__(self, why: str, text: str, at: int, length: int = 1, *, meant: str = "") -> None:
        """`at` counts characters from 0; `meant` is what may have been meant there, "" for no idea."""
        self.why, self.text, self.meant = why, text, meant
        self.at = max(0, min(at, len(text)))
        self.length = max(1, min(length, len(text) - self.at))
        more = f" Did you mean {meant}?" if meant else ""
        super().__init__(f"{why}{more} (at character {self.at + 1})", hint=self.pointer)

    @property
    def pointer(self) -> str:
        """Two lines: the question, and below it marks under what is wrong. Long questions are cut to what is near."""
        start = max(0, self.at - 60)
        line = "".join(
            " " if character.isspace() else character for character in self.text[start : start + 120]
        )
        return f"{line}\n{' ' * (self.at - start)}{'^' * min(self.length, 120 - (self.at - start))}"


def nearest(word: str, known: Iterable[str]) -> str:
    """This will return the known word that is most like this one, "" when none is."""
    folded = {one.casefold(): one for one in known}
    close = get_close_matches(word.casefold(), list(folded), 1, 0.6)
    return folded[close[0]] if close else ""
