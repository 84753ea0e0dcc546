"""The characters of a question: bare and quoted pieces, and where each stands, so that a mistake can be shown in its place."""

from __future__ import annotations

from dataclasses import dataclass

from anomaly.query.mistake import QueryInvalid
from anomaly.query.tree import Pattern


@dataclass(frozen=True, slots=True)
class Piece:
    """A word as written from `at` to `end`. `pattern` is what it stands for; `plain` whether nothing of it was quoted or
    escaped, so that it may be a keyword, a number or a range."""

    at: int
    end: int
    text: str
    pattern: Pattern
    plain: bool


class Scanner:
    """Reads pieces from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip(self) -> None:
        """This will go past white space."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    @property
    def next(self) -> str:
        """The character here, "" at the end."""
        return self.text[self.at : self.at + 1]

    def piece(self, stops: str) -> Piece:
        """This will read until white space, the end, or one of the characters in `stops`. Raises QueryInvalid for a quote that
        is never closed. A piece may be empty."""
        start = self.at
        parts: list[str] = [""]
        plain = True
        while (character := self.next) and not character.isspace() and character not in stops:
            self.at += 1
            if character == '"':
                plain = False
                self._quoted(parts)
            elif character == "\\":
                plain = False
                if not self.next:
                    raise QueryInvalid("Nothing follows the backslash.", self.text, self.at - 1)
                parts[-1] += self.next
                self.at += 1
            elif character == "*":
                parts.append("")
            else:
                parts[-1] += character
        # Two stars say no more than one.
        kept = tuple(part for place, part in enumerate(parts) if part or place in (0, len(parts) - 1))
        return Piece(start, self.at, self.text[start : self.at], Pattern(kept), plain)

    def _quoted(self, parts: list[str]) -> None:
        opened = self.at - 1
        while (character := self.next) != '"':
            if not character:
                raise QueryInvalid("This quote is never closed.", self.text, opened)
            self.at += 1
            if character == "\\":
                character = self.next
                self.at += 1
                if not character:
                    raise QueryInvalid("This quote is never closed.", self.text, opened)
            parts[-1] += character
        self.at += 1
