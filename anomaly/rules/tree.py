"""A rule's condition as a tree, and how much of it is decided by what is already known.

Three-valued: `reduce` gives True, False, or the tree that is left to ask. So most of a rule is settled once for a shape and
never again (Kleene's strong logic: `False and unknown` is False).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeGuard

from anomaly.rules.fields import Field
from anomaly.rules.value import MERGED, Holds, Op, Test, predicate, refer
from anomaly.rules.view import Values

Known = Callable[[Field], Values | None]


@dataclass(frozen=True, slots=True)
class Atom:
    """A field and what it must be; `other` is the second field of a `fieldref`."""

    field: Field
    test: Test
    other: Field | None = None
    cased: bool = False
    _hash: int = dataclasses.field(init=False, repr=False, compare=False)
    holds: Holds = dataclasses.field(init=False, repr=False, compare=False)
    """Whether the field's values meet the test; only for atoms without another field."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "holds", predicate(self.test) if self.other is None else _undecided)
        object.__setattr__(self, "_hash", hash((self.field.name, self.test, self.other, self.cased)))

    def __hash__(self) -> int:
        return self._hash


def _undecided(values: Values) -> bool:
    raise AssertionError("a reference needs the values of both fields")


@dataclass(frozen=True, slots=True)
class Every:
    """All parts must hold."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One part must hold."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Never:
    """The part must not hold. Over a list: no value may meet it."""

    part: Node


Node = bool | Atom | Every | Either | Never
MAX_DEPTH: Final = 40


def every(parts: list[Node]) -> Node:
    """This will join parts by `and`, flattened and without what is decided."""
    flat: list[Node] = []
    for part in parts:
        if part is False:
            return False
        if part is not True:
            flat.extend(part.parts if isinstance(part, Every) else (part,))
    return flat[0] if len(flat) == 1 else Every(tuple(flat)) if flat else True


def either(parts: list[Node]) -> Node:
    """This will join parts by `or`, flattened; tests of one field by one operation become a single test."""
    flat: list[Node] = []
    alike: dict[tuple[str, Op], list[Atom]] = {}
    for part in parts:
        if part is True:
            return True
        for inner in part.parts if isinstance(part, Either) else () if part is False else (part,):
            if isinstance(inner, Atom) and inner.test.op in MERGED:
                atoms_alike = alike.setdefault((inner.field.name, inner.test.op), [])
                if atoms_alike:
                    atoms_alike.append(inner)
                    continue
                atoms_alike.append(inner)
            flat.append(inner)
    merged = [
        _merged(alike[part.field.name, part.test.op]) if _is_alike(part, alike) else part for part in flat
    ]
    return merged[0] if len(merged) == 1 else Either(tuple(merged)) if merged else False


def _is_alike(part: Node, alike: dict[tuple[str, Op], list[Atom]]) -> TypeGuard[Atom]:
    return isinstance(part, Atom) and len(alike.get((part.field.name, part.test.op), ())) > 1


def _merged(alike: list[Atom]) -> Atom:
    operands = dict.fromkeys(operand for atom in alike for operand in atom.test.operands)
    return Atom(alike[0].field, Test(alike[0].test.op, tuple(operands)))


def never(part: Node) -> Node:
    """This will negate; a double negation cancels."""
    return not part if isinstance(part, bool) else part.part if isinstance(part, Never) else Never(part)


def reduce(node: Node, known: Known) -> Node:
    """This will decide what `known` decides: fields for which it gives values; None means not known yet."""
    kind = type(node)  # exact types instead of isinstance: this runs for every rule and shape
    if kind is Atom:
        return _decide(node, known)  # type: ignore[arg-type]
    if kind is Every:
        left: list[Node] = []
        for part in node.parts:  # type: ignore[union-attr]
            reduced = reduce(part, known)
            if reduced is False:
                return False
            if reduced is not True:
                left.append(reduced)
        return _rejoined(node, left) if left else True  # type: ignore[arg-type]
    if kind is Either:
        left = []
        for part in node.parts:  # type: ignore[union-attr]
            reduced = reduce(part, known)
            if reduced is True:
                return True
            if reduced is not False:
                left.append(reduced)
        return _rejoined(node, left) if left else False  # type: ignore[arg-type]
    return never(reduce(node.part, known)) if isinstance(node, Never) else node


def _rejoined(node: Every | Either, left: list[Node]) -> Node:
    """What is left of a join; the node itself where nothing was decided, so that equal remainders are found at once."""
    if len(left) == 1:
        return left[0]
    parts = tuple(left)
    return node if parts == node.parts else type(node)(parts)


def _decide(atom: Atom, known: Known) -> Node:
    values = known(atom.field)
    if values is None:
        return atom
    if atom.other is None:
        return atom.holds(values)
    others = known(atom.other)
    if others is None:
        return atom if values else False
    return refer(atom.test.op, atom.cased)(values, others)


def atoms(node: Node) -> Iterator[Atom]:
    """This will go over the atoms of a tree, left to right."""
    if isinstance(node, Atom):
        yield node
    elif isinstance(node, Every | Either):
        for part in node.parts:
            yield from atoms(part)
    elif isinstance(node, Never):
        yield from atoms(node.part)


def fields_of(node: Node) -> set[Field]:
    """This will return every field that a tree asks for."""
    return {found for atom in atoms(node) for found in (atom.field, atom.other) if found is not None}
