"""YAML as the API server reads it: first document only, aliases counted, merge keys in order, keys sorted, last of doubles wins.

libyaml does the parsing (the server's reader is a port of it, so the messages agree); the meaning of words is `scalars`,
the way from there to JSON is sigs.k8s.io/yaml's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs do not export it
from yaml.error import MarkedYAMLError, YAMLError
from yaml.reader import ReaderError
from yaml.scanner import ScannerError

from anomaly.policy.go_text import quoted, short_float
from anomaly.policy.node import MAX_DEPTH, MAX_VALUES, Field, Node, TooMuch, Unreadable
from anomaly.policy.scalars import Scalar, resolve

_MERGE: Final = "tag:yaml.org,2002:merge"
_ALIASES_FREE: Final = 100
_VALUES_FREE: Final = 1000
_ALIAS_SHARE: Final = 0.99
"""Thresholds of the server's own guard against billion-laughs files."""


@dataclass(slots=True)
class _Raw:
    """A node of the document as written: aliases not yet followed, words not yet understood."""

    kind: str
    line: int
    column: int
    text: str = ""
    tag: str = ""
    implicit: bool = False
    children: list[_Raw] = field(default_factory=list)
    target: _Raw | None = None


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """The first document of a file. `doubles` are the keys given twice, as the server words it; `rest` the line of what it ignores."""

    root: Node
    doubles: tuple[tuple[str, int], ...]
    rest: int | None


def read_yaml(data: bytes) -> YamlDocument:
    """This will read the first document, or raise Unreadable with the server's words."""
    parser = CParser(data)
    try:
        root = _compose(parser)
        decoder = _Decoder()
        node = decoder.value(root, 1) if root is not None else Node("null")
        return YamlDocument(node, tuple(decoder.doubles), _rest(parser))
    except YAMLError as error:
        raise _unreadable(error) from error
    except (TooMuch, _NotJson):
        raise
    except Unreadable as error:
        raise Unreadable(f"yaml: {error}", error.line) from error
    finally:
        parser.dispose()


class _NotJson(Unreadable):
    """The YAML is sound, but JSON has no such thing."""


def _compose(parser: CParser) -> _Raw | None:
    """Events into raw nodes without recursion, so that a deep file costs memory and not the stack."""
    parser.get_event()
    if isinstance(parser.get_event(), yaml.StreamEndEvent):
        return None
    anchors: dict[str, _Raw] = {}
    open_nodes: list[_Raw] = []
    count = 0
    while True:
        event = parser.get_event()
        if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            node = open_nodes.pop()
        else:
            assert isinstance(event, yaml.NodeEvent)
            node = _raw(event, anchors)
            count += 1
            if count > MAX_VALUES:
                raise TooMuch(f"more than {MAX_VALUES:,} values", node.line)
            if open_nodes:
                open_nodes[-1].children.append(node)
            if isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
                open_nodes.append(node)
                if len(open_nodes) > MAX_DEPTH:
                    raise TooMuch(f"nested deeper than {MAX_DEPTH} levels", node.line)
        if not open_nodes:
            parser.get_event()
            return node


def _raw(event: yaml.NodeEvent, anchors: dict[str, _Raw]) -> _Raw:
    mark = event.start_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    if isinstance(event, yaml.AliasEvent):
        anchor = str(event.anchor)
        if anchor not in anchors:
            raise Unreadable(f"unknown anchor '{anchor}' referenced", line)
        return _Raw("alias", line, column, text=anchor, target=anchors[anchor])
    if isinstance(event, yaml.ScalarEvent):
        node = _Raw("scalar", line, column, str(event.value), event.tag or "", event.implicit[0])
    else:
        node = _Raw(
            "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence",
            line,
            column,
        )
    if event.anchor is not None:
        anchors[event.anchor] = node
    return node


class _Decoder:
    """Follows aliases and merge keys and gives JSON values, with the server's count of what aliases multiply."""

    def __init__(self) -> None:
        self.doubles: list[tuple[str, int]] = []
        self._count = 1
        self._aliased = 0
        self._open_aliases: list[_Raw] = []

    def value(self, raw: _Raw, depth: int) -> Node:
        self._tally(raw, depth)
        if raw.target is not None:
            return self._alias(raw, depth)
        if raw.kind == "scalar":
            return _scalar(raw)
        if raw.kind == "sequence":
            items = [self.value(child, depth + 1) for child in raw.children]
            return Node("array", items=items, line=raw.line, column=raw.column)
        fields: dict[str, Field] = {}
        self._mapping(raw, fields, depth)
        ordered = [fields[name] for name in sorted(fields)]
        return Node("object", fields=ordered, line=raw.line, column=raw.column)

    def _tally(self, raw: _Raw, depth: int) -> None:
        self._count += 1
        if self._open_aliases:
            self._aliased += 1
        if self._count > MAX_VALUES:
            raise TooMuch(
                f"more than {MAX_VALUES:,} values once its aliases are followed",
                raw.line,
            )
        if depth > MAX_DEPTH:
            raise TooMuch(
                f"nested deeper than {MAX_DEPTH} levels once its aliases are followed",
                raw.line,
            )
        many = self._aliased > _ALIASES_FREE and self._count > _VALUES_FREE
        if many and self._aliased / self._count > _ALIAS_SHARE:
            raise Unreadable("document contains excessive aliasing", raw.line)

    def _alias(self, raw: _Raw, depth: int) -> Node:
        assert raw.target is not None
        self._enter(raw)
        node = self.value(raw.target, depth + 1)
        self._open_aliases.pop()
        return node

    def _enter(self, raw: _Raw) -> None:
        if any(raw is other for other in self._open_aliases):
            raise Unreadable(f"anchor '{raw.text}' value contains itself", raw.line)
        self._open_aliases.append(raw)

    def _mapping(self, raw: _Raw, fields: dict[str, Field], depth: int) -> None:
        for key, value in zip(raw.children[::2], raw.children[1::2], strict=True):
            if key.kind == "scalar" and key.text == "<<" and (key.implicit or key.tag == _MERGE):
                self._merge(value, fields, depth)
                continue
            shown, name = self._key(key, depth)
            node = self.value(value, depth + 1)
            if name in fields:
                self.doubles.append((f"line {value.line}: key {shown} already set in map", key.line))
            fields[name] = Field(name, node, key.line, key.column)

    def _key(self, key: _Raw, depth: int) -> tuple[str, str]:
        self._tally(key, depth + 1)
        target = key
        if key.target is not None:
            target = key.target
            self._tally(target, depth + 1)
        if target.kind != "scalar":
            raise Unreadable(f"invalid map key: a {target.kind}", key.line)
        return _key_words(_resolved(target), key.line)

    def _merge(self, raw: _Raw, fields: dict[str, Field], depth: int) -> None:
        # Earlier maps of a list win, so the later are laid down first.
        for part in reversed(raw.children) if raw.kind == "sequence" else (raw,):
            target = part.target or part
            if target.kind != "mapping":
                raise Unreadable("map merge requires map or sequence of maps as the value", raw.line)
            self._tally(part, depth + 1)
            if part.target is not None:
                self._enter(part)
                self._tally(target, depth + 1)
            self._mapping(target, fields, depth + 1)
            if part.target is not None:
                self._open_aliases.pop()


def _resolved(raw: _Raw) -> Scalar:
    if not raw.tag and not raw.implicit:
        return raw.text
    return resolve(raw.tag, raw.text)


def _scalar(raw: _Raw) -> Node:
    value = _resolved(raw)
    if value is None:
        return Node("null", line=raw.line, column=raw.column)
    if isinstance(value, bool):
        return Node("bool", "true" if value else "false", line=raw.line, column=raw.column)
    if isinstance(value, str):
        return Node("string", value, line=raw.line, column=raw.column)
    if isinstance(value, float) and not math.isfinite(value):
        shown = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
        raise _NotJson(f"json: unsupported value: {shown}", raw.line)
    whole = isinstance(value, int) or value == int(value)
    return Node(
        "number",
        str(int(value)) if whole else repr(value),
        line=raw.line,
        column=raw.column,
    )


def _key_words(value: Scalar, line: int) -> tuple[str, str]:
    """The key as Go shows it in a message, and as the string that JSON needs."""
    if isinstance(value, str):
        return quoted(value), value
    if isinstance(value, bool):
        word = "true" if value else "false"
        return word, word
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return str(value), str(value)
    if isinstance(value, float):
        return short_float(value), short_float(value)
    kind, shown = ("%!s(<nil>)", "<nil>") if value is None else ("uint64", f"0x{value:x}")
    raise _NotJson(f"unsupported map key of type: {kind}, key: {shown}", line)


def _rest(parser: CParser) -> int | None:
    """The line where ignored content begins. What follows need not even be YAML."""
    try:
        event = parser.get_event()
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return mark.line + 1 if mark is not None else 1
    if event is None or isinstance(event, yaml.StreamEndEvent):
        return None
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def _unreadable(error: YAMLError) -> Unreadable:
    """The server names the line of the problem, counted from 0 for the parser and from 1 for the scanner."""
    if isinstance(error, ReaderError):
        return Unreadable(f"yaml: {error.reason}")
    if not isinstance(error, MarkedYAMLError):
        return Unreadable(f"yaml: {error}")
    line = 0
    if error.problem_mark is not None and error.problem_mark.line:
        line = error.problem_mark.line + isinstance(error, ScannerError)
    elif error.context_mark is not None and error.context_mark.line:
        line = error.context_mark.line
    shown = error.problem_mark.line + 1 if error.problem_mark is not None else line
    return Unreadable(f"yaml: {f'line {line}: ' if line else ''}{error.problem}", shown)
