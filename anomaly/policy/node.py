"""What a policy file says, before anyone asks whether it is a policy: values with the line they stand on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["null", "bool", "number", "string", "array", "object"]
"""The six kinds of JSON, in the words Go's decoder uses for them in its errors."""


@dataclass(slots=True)
class Node:
    """One value. `text` is the string itself, the literal of a number, "true" or "false"; `line` counts from 1."""

    kind: Kind
    text: str = ""
    items: list[Node] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    line: int = 1
    column: int = 1


@dataclass(slots=True)
class Field:
    """One key of an object with its value, and where the key stands."""

    name: str
    node: Node
    line: int = 1
    column: int = 1


class Unreadable(Exception):
    """A file is neither YAML nor JSON as the API server reads them. The message is the server's; `line` is 0 if unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class TooMuch(Unreadable):
    """A file is larger, deeper or more entangled than any audit policy: refused here, whatever the server would do."""


MAX_BYTES = 1 << 20
"""A mebibyte: the largest policies in use are some 30 kB."""
MAX_DEPTH = 100
"""A policy nests five levels; the server itself gives up at 10,000."""
MAX_VALUES = 50_000
"""Values in the file, aliases counted as often as they are used: a fifth of a second of work."""
