"""YAML as data with positions: what `anomaly rules check` needs to name a line and a column.

libyaml gives the events (YAML 1.2 differs from it only in how plain words are read, and that is done here: `on` and `no` are
text, as Sigma authors expect). Everything that could make a small file expensive is bounded: size, depth, nodes, aliases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from anomaly.rules.problem import Problem, RuleFileInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 40
MAX_NODES: Final = 20_000

Scalar = str | int | float | bool | None
Data = Scalar | list["Data"] | dict[str, "Data"]
Where = tuple[str | int, ...]

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT: Final = re.compile(r"[-+]?[0-9]{1,30}|0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,3})?")
_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAGS: Final = frozenset({"str", "int", "float", "bool", "null", "map", "seq"})


@dataclass(slots=True)
class Document:
    """One YAML document: its data, and where each key and each list item stands (line, column, from 1)."""

    file: str
    data: Data
    places: dict[Where, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: Where) -> tuple[int, int]:
        """This will return the place of the longest known beginning of `path`."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))

    def problem(self, path: Where, message: str, hint: str = "") -> Problem:
        """This will return an error at that path."""
        line, column = self.place(path)
        return Problem(self.file, line, column, message, hint)


def read_file(path: Path, name: str = "") -> list[Document]:
    """This will read one rule file. Raises RuleFileInvalid when it is too large, not UTF-8 or not YAML."""
    shown = name or path.as_posix()
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise RuleFileInvalid([_too_large(shown, size)])
        return read_text(path.read_text(encoding="utf-8"), shown)
    except UnicodeDecodeError:
        raise RuleFileInvalid([Problem(shown, 0, 0, "the file is not UTF-8 text")]) from None
    except OSError as error:
        raise RuleFileInvalid([Problem(shown, 0, 0, f"cannot be read: {error.strerror}")]) from error


def read_text(text: str, name: str = "rule.yml") -> list[Document]:
    """This will read the YAML documents in a text; empty documents are left out. Raises RuleFileInvalid."""
    if len(text) > MAX_BYTES:
        raise RuleFileInvalid([_too_large(name, len(text))])
    try:
        return [document for document in _Reader(text, name).documents() if document.data is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise RuleFileInvalid([Problem(name, line, column, f"not YAML: {error.problem}")]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RuleFileInvalid([Problem(name, 0, 0, f"not YAML: {str(error)[:200]}")]) from None


def _too_large(name: str, size: int) -> Problem:
    return Problem(
        name, 0, 0, f"the file is {size:,} bytes long; a rule file holds at most {MAX_BYTES:,}", "split it"
    )


class _Reader:
    """Builds data from parser events, one at a time, so that a bomb is met before it goes off."""

    def __init__(self, text: str, name: str) -> None:
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)
        self._name = name
        self._nodes = 0
        self._anchors: dict[str, tuple[Data, int]] = {}
        self._open: set[str] = set()
        self._document = Document(name, None)

    def documents(self) -> Iterator[Document]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._document = Document(self._name, None)
                self._anchors = {}
                self._document.data = self._node(next(self._events), (), 0)
                yield self._document

    def _fail(self, event: yaml.Event, message: str, hint: str = "") -> RuleFileInvalid:
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return RuleFileInvalid([Problem(self._name, line, column, message, hint)])

    def _stand(self, where: Where, event: yaml.Event) -> None:
        mark = event.start_mark
        if mark is not None and where not in self._document.places:
            self._document.places[where] = (mark.line + 1, mark.column + 1)

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self._fail(event, f"more than {MAX_NODES:,} values, aliases unrolled", "split the file")

    def _node(self, event: yaml.Event, path: Where, depth: int) -> Data:
        self._count(event, 1)
        if depth > MAX_DEPTH:
            raise self._fail(event, f"nested more than {MAX_DEPTH} levels deep")
        self._stand(path, event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        anchor = getattr(event, "anchor", None)
        before = self._nodes
        if anchor:
            self._open.add(anchor)
        value = self._content(event, path, depth)
        if anchor:
            self._open.discard(anchor)
            self._anchors[anchor] = (value, self._nodes - before + 1)
        return value

    def _alias(self, event: yaml.AliasEvent) -> Data:
        name = event.anchor
        if name in self._open:
            raise self._fail(event, f"alias *{name} is inside what it stands for")
        if name not in self._anchors:
            raise self._fail(event, f"alias *{name} has no anchor")
        value, nodes = self._anchors[name]
        self._count(event, nodes)
        return value

    def _content(self, event: yaml.Event, path: Where, depth: int) -> Data:
        tag = (getattr(event, "tag", None) or "").removeprefix("tag:yaml.org,2002:")
        if tag not in _TAGS and tag not in {"", "!"}:
            raise self._fail(event, f"tag {tag!r} is not allowed in a rule")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Data] = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(inner, (*path, len(items)), depth + 1))
            return items
        if isinstance(event, yaml.ScalarEvent):
            return str(event.value) if tag == "str" or not event.implicit[0] else _plain(event.value)
        raise self._fail(event, "unexpected content")

    def _mapping(self, path: Where, depth: int) -> dict[str, Data]:
        found: dict[str, Data] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._fail(event, "a key must be text")
            key = str(event.value)
            if key in found:
                line, _ = self._document.places[(*path, key)]
                raise self._fail(event, f"duplicate key {key!r}; it stands in line {line} already")
            if key == "<<":
                raise self._fail(event, "merge keys (<<) are not part of YAML 1.2", "write the keys out")
            self._count(event, 1)
            self._stand((*path, key), event)
            found[key] = self._node(next(self._events), (*path, key), depth + 1)
        return found


def _plain(text: str) -> Scalar:
    """The core schema of YAML 1.2: null, booleans, integers, floats; anything else is text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
