"""JSON values into the types of a policy, as the server's decoder does it: strict complaints gathered, the first wrong type fatal.

Doubles (only JSON still has them here) are decoded one over the other, as Go does: the later wins field by field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from anomaly.policy.go_text import quoted
from anomaly.policy.node import Field, Node, Unreadable
from anomaly.policy.schema import (
    Anything,
    Flag,
    ListOf,
    Moment,
    Struct,
    Text,
    TextMap,
    Type,
    Whole,
)

Value = None | str | bool | int | list["Value"] | dict[str, "Value"]

_MOST_COMPLAINTS: Final = 100
_WHOLE: Final = re.compile(r"-?[0-9]+\Z")
_LAYOUT: Final = (
    ("2006", r"\d{4}"),
    ("-", "-"),
    ("01", r"\d\d"),
    ("-", "-"),
    ("02", r"\d\d"),
    ("T", "T"),
    ("15", r"\d\d"),
    (":", ":"),
    ("04", r"\d\d"),
    (":", ":"),
    ("05", r"\d\d(?:[.,]\d+)?"),
    ("Z07:00", r"Z|[+-]\d\d:\d\d"),
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing strict decoding does not allow: an unknown field, or a field given twice. `path` is `rules[0].user`."""

    text: str
    path: str
    line: int
    column: int


@dataclass(slots=True)
class Decoded:
    """The values by field name, what strict decoding said, and the line of every path that was read."""

    value: dict[str, Value]
    complaints: list[Complaint]
    lines: dict[str, int]


@dataclass(slots=True)
class _State:
    complaints: list[Complaint] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    lines: dict[str, int] = field(default_factory=dict)
    wrong: Unreadable | None = None
    struct: str = ""
    stack: list[str] = field(default_factory=list)

    def complain(self, text: str, path: str, where: Field) -> None:
        if text not in self.seen and len(self.complaints) < _MOST_COMPLAINTS:
            self.seen.add(text)
            self.complaints.append(Complaint(text, path, where.line, where.column))

    def mistyped(self, kind: str, wanted: str, line: int) -> None:
        """Only the first wrong type is reported, but all of the file is read."""
        if self.wrong is None:
            place = f"Go struct field {self.struct}.{'.'.join(self.stack)}" if self.stack else "Go value"
            self.wrong = Unreadable(f"json: cannot unmarshal {kind} into {place} of type {wanted}", line)


def decode(root: Node, struct: Struct) -> Decoded:
    """This will decode the document, or raise Unreadable with Go's words for the first wrong type."""
    state = _State()
    value: Value = {}
    if root.kind == "object":
        value = _struct(root, struct, value, "", state)
    elif root.kind != "null":
        state.mistyped(root.kind, struct.spoken, root.line)
    if state.wrong is not None:
        raise state.wrong
    assert isinstance(value, dict)
    return Decoded(value, state.complaints, state.lines)


def _value(node: Node, wanted: Type, old: Value, path: str, state: _State) -> Value:
    state.lines[path] = node.line
    if isinstance(wanted, Anything):
        return old
    if node.kind == "null":
        return old if isinstance(wanted, Text | Struct) and old is not None else _zero(wanted)
    if isinstance(wanted, Moment):
        return _moment(node)
    if isinstance(wanted, Struct) and node.kind == "object":
        return _struct(node, wanted, old, path, state)
    if isinstance(wanted, ListOf) and node.kind == "array":
        return _list(node, wanted, old, path, state)
    if isinstance(wanted, TextMap) and node.kind == "object":
        return _text_map(node, old, path, state)
    if (isinstance(wanted, Text) and node.kind == "string") or (
        isinstance(wanted, Flag) and node.kind == "bool"
    ):
        return node.text if node.kind == "string" else node.text == "true"
    if isinstance(wanted, Whole) and node.kind == "number":
        if _WHOLE.match(node.text) and -(1 << 63) <= int(node.text[:80]) < 1 << 63:
            return int(node.text)
        state.mistyped(f"number {node.text}", wanted.spoken, node.line)
        return old
    state.mistyped(node.kind, wanted.spoken, node.line)
    return old


def _zero(wanted: Type) -> Value:
    return "" if isinstance(wanted, Text) else {} if isinstance(wanted, Struct) else None


def _struct(node: Node, struct: Struct, old: Value, path: str, state: _State) -> Value:
    value = old if isinstance(old, dict) else {}
    seen: set[str] = set()
    struct_before = state.struct
    for item in node.fields:
        inner = f"{path}.{item.name}" if path else item.name
        wanted = struct.fields.get(item.name)
        if wanted is None:
            state.complain(f"unknown field {quoted(inner)}", inner, item)
            continue
        if item.name in seen:
            state.complain(f"duplicate field {quoted(inner)}", inner, item)
        seen.add(item.name)
        state.struct = struct.name
        state.stack.append(item.name)
        value[item.name] = _value(item.node, wanted, value.get(item.name), inner, state)
        state.lines[inner] = item.line
        state.stack.pop()
        state.struct = struct_before
    return value


def _list(node: Node, wanted: ListOf, old: Value, path: str, state: _State) -> Value:
    """Go fills a list it already has in place, so the elements of an earlier double show through."""
    before = old if isinstance(old, list) else []
    values: list[Value] = []
    for index, item in enumerate(node.items):
        left = before[index] if index < len(before) else None
        values.append(_value(item, wanted.item, left, f"{path}[{index}]", state))
    return [_zero(wanted.item) if value is None else value for value in values]


def _text_map(node: Node, old: Value, path: str, state: _State) -> Value:
    value = dict(old) if isinstance(old, dict) else {}
    seen: set[str] = set()
    for item in node.fields:
        inner = f"{path}.{item.name}"
        if item.name in seen:
            state.complain(f"duplicate field {quoted(inner)}", inner, item)
        seen.add(item.name)
        value[item.name] = _value(item.node, Text(), None, inner, state)
    return value


def _moment(node: Node) -> Value:
    """A time that is none ends the decoding at once, unlike a wrong type."""
    if node.kind != "string":
        raise Unreadable(
            f"json: cannot unmarshal {node.kind} into Go value of type string",
            node.line,
        )
    rest = node.text
    for element, pattern in _LAYOUT:
        match = re.match(pattern, rest)
        if match is None:
            layout = quoted("2006-01-02T15:04:05Z07:00")
            failed = f"cannot parse {quoted(rest)} as {quoted(element)}"
            raise Unreadable(f"parsing time {quoted(node.text)} as {layout}: {failed}", node.line)
        rest = rest[match.end() :]
    if rest:
        raise Unreadable(f"parsing time {quoted(node.text)}: extra text: {quoted(rest)}", node.line)
    return node.text
