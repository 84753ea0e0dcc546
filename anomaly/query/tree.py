"""What a question says, as a tree of immutable values. Equal questions are equal trees: see the constructors below.

Times and amounts are whole numbers, in microseconds or bytes, so that what is written can be read again without loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text in which anything may stand between two parts: ("kube", "") is `kube*`; one part alone is the very text."""

    parts: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Pattern:
        """This will return the pattern in which each `*` of the text stands for anything; two say no more than one.

        >>> Pattern.of("kube-**-x*")
        Pattern(parts=('kube-', '-x', ''))
        """
        parts = text.split("*")
        return cls(tuple(part for place, part in enumerate(parts) if part or place in (0, len(parts) - 1)))

    @property
    def exact(self) -> bool:
        """Whether it stands for one text only."""
        return len(self.parts) == 1

    @property
    def anything(self) -> bool:
        """Whether it stands for every text that is not empty."""
        return not self.exact and not any(self.parts)

    def matches(self, text: str) -> bool:
        """This will say whether the text is one it stands for. Wildcards never stand for a field that is not there."""
        first, last = self.parts[0], self.parts[-1]
        if self.exact:
            return text == first
        if not text or not text.startswith(first) or not text.endswith(last):
            return False
        # Part after part, the leftmost place each: nothing to go back over, however long the text.
        at, end = len(first), len(text) - len(last)
        for part in self.parts[1:-1]:
            found = text.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return at <= end


@dataclass(frozen=True, slots=True)
class Span:
    """Whole numbers from `low` to `high`, both included; None is open."""

    low: int | None = None
    high: int | None = None

    def holds(self, number: int) -> bool:
        """This will say whether the number lies in it."""
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)


@dataclass(frozen=True, slots=True)
class Edge:
    """A moment in microseconds: since 1970, or, when `relative`, after now (so an hour ago is negative)."""

    us: int
    relative: bool = False

    def at(self, now_us: int) -> int:
        """This will return the moment in microseconds since 1970."""
        return now_us + self.us if self.relative else self.us


@dataclass(frozen=True, slots=True)
class Period:
    """Times from `low` to `high`, both included; None is open."""

    low: Edge | None = None
    high: Edge | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """The field is one of these texts."""

    field: str
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Amount:
    """The field is a number in one of these spans."""

    field: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class When:
    """The request was received in one of these periods."""

    periods: tuple[Period, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """The text occurs somewhere in who, what, or from where, in capital or small letters."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Anything else."""

    node: Node


Node: TypeAlias = Text | Amount | When | Word | And | Or | Not
EVERYTHING: Final = And(())
"""The question that every event answers; written as an empty text."""


def all_of(nodes: Iterable[Node]) -> Node:
    """This will return the question that asks for all of these; one alone stays itself, and nested ones are joined."""
    flat = tuple(part for node in nodes for part in (node.nodes if isinstance(node, And) else (node,)))
    return flat[0] if len(flat) == 1 else And(flat)


def any_of(nodes: Iterable[Node]) -> Node:
    """This will return the question that asks for at least one of these; at least one must be given."""
    flat = tuple(part for node in nodes for part in (node.nodes if isinstance(node, Or) else (node,)))
    return flat[0] if len(flat) == 1 else Or(flat)


def none_of(node: Node) -> Node:
    """This will return the question that asks for anything else; twice is what it was."""
    return node.node if isinstance(node, Not) else Not(node)


def leaves(node: Node) -> Iterator[Text | Amount | When | Word]:
    """This will yield what is asked of single fields, from left to right."""
    if isinstance(node, And | Or):
        for part in node.nodes:
            yield from leaves(part)
    elif isinstance(node, Not):
        yield from leaves(node.node)
    else:
        yield node


def asks_for(node: Node, *fields: str) -> bool:
    """This will say whether the question names one of these fields."""
    return any(isinstance(leaf, Text | Amount) and leaf.field in fields for leaf in leaves(node))
