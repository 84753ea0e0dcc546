"""JSON as the API server reads it: Go's scanner with its words for what it did not expect; doubles and order are kept."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Final, NoReturn

from anomaly.policy.go_text import quoted_byte
from anomaly.policy.node import MAX_DEPTH, MAX_VALUES, Field, Node, TooMuch, Unreadable

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_STRING: Final = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
_STRING_PART: Final = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*')
_NUMBER: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER_PART: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)?")
_WORDS: Final = (b"true", b"false", b"null")
_BEGIN: Final = "looking for beginning of value"


def looks_like_json(data: bytes) -> bool:
    """This will tell whether the server takes the bytes for JSON: a brace first, after white space."""
    return data.lstrip(b" \t\r\n\v\f\x85\xa0").startswith(b"{")


def read_json(data: bytes) -> Node:
    """This will read a JSON text, or raise Unreadable with Go's words."""
    reader = _Reader(data)
    node = reader.value(1)
    if reader.peek() >= 0:
        reader.unexpected("after top-level value")
    return node


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._count = 0
        self._lines = [match.end() for match in re.finditer(rb"\n", data)]

    def peek(self) -> int:
        """The next byte that is not white space, or -1 at the end."""
        match = _SPACE.match(self._data, self._at)
        self._at = match.end() if match else self._at
        return self._data[self._at] if self._at < len(self._data) else -1

    def unexpected(self, context: str) -> NoReturn:
        line = self._place(self._at)[0]
        if self._at >= len(self._data):
            raise Unreadable("unexpected end of JSON input", line)
        raise Unreadable(f"invalid character {quoted_byte(self._data[self._at])} {context}", line)

    def value(self, depth: int) -> Node:
        first = self.peek()
        line, column = self._place(self._at)
        self._count += 1
        if depth > MAX_DEPTH:
            raise TooMuch(f"nested deeper than {MAX_DEPTH} levels", line)
        if self._count > MAX_VALUES:
            raise TooMuch(f"more than {MAX_VALUES:,} values", line)
        if first == ord("{"):
            return Node("object", fields=self._fields(depth), line=line, column=column)
        if first == ord("["):
            return Node("array", items=self._items(depth), line=line, column=column)
        if first == ord('"'):
            return Node("string", self._string(), line=line, column=column)
        if first == ord("-") or ord("0") <= first <= ord("9"):
            return Node("number", self._number(), line=line, column=column)
        word = self._word()
        return Node(
            "null" if word == "null" else "bool",
            "" if word == "null" else word,
            line=line,
            column=column,
        )

    def _place(self, at: int) -> tuple[int, int]:
        row = bisect_right(self._lines, at)
        return row + 1, at - (self._lines[row - 1] if row else 0) + 1

    def _fields(self, depth: int) -> list[Field]:
        fields: list[Field] = []
        self._at += 1
        if self.peek() == ord("}"):
            self._at += 1
            return fields
        while True:
            if self.peek() != ord('"'):
                self.unexpected("looking for beginning of object key string")
            line, column = self._place(self._at)
            name = self._string()
            if self.peek() != ord(":"):
                self.unexpected("after object key")
            self._at += 1
            fields.append(Field(name, self.value(depth + 1), line, column))
            if self._closed(ord("}"), "after object key:value pair"):
                return fields

    def _items(self, depth: int) -> list[Node]:
        items: list[Node] = []
        self._at += 1
        if self.peek() == ord("]"):
            self._at += 1
            return items
        while True:
            items.append(self.value(depth + 1))
            if self._closed(ord("]"), "after array element"):
                return items

    def _closed(self, end: int, context: str) -> bool:
        byte = self.peek()
        if byte not in {end, ord(",")}:
            self.unexpected(context)
        self._at += 1
        return byte == end

    def _string(self) -> str:
        match = _STRING.match(self._data, self._at)
        if match is None:
            self._bad_string()
        self._at = match.end()
        text: str = json.loads(match.group().decode("utf-8", "replace"))
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _bad_string(self) -> NoReturn:
        part = _STRING_PART.match(self._data, self._at)
        assert part is not None
        self._at = part.end()
        if self._data[self._at : self._at + 1] != b"\\":
            self.unexpected("in string literal")
        self._at += 1
        if self._data[self._at : self._at + 1] != b"u":
            self.unexpected("in string escape code")
        self._at += 1
        while self._data[self._at : self._at + 1] and self._data[self._at] in b"0123456789abcdefABCDEF":
            self._at += 1
        self.unexpected(r"in \u hexadecimal character escape")

    def _number(self) -> str:
        match = _NUMBER.match(self._data, self._at)
        if match is None:
            part = _NUMBER_PART.match(self._data, self._at)
            self._at = part.end() if part else self._at
            self.unexpected("in numeric literal")
        self._at = match.end()
        following = self._data[self._at : self._at + 1]
        if following == b"." and b"." not in match.group():
            self._at += 1
            self.unexpected("after decimal point in numeric literal")
        if following in {b"e", b"E"} and not set(match.group()) & set(b"eE"):
            self._at += 1
            if self._data[self._at : self._at + 1] in {b"+", b"-"}:
                self._at += 1
            self.unexpected("in exponent of numeric literal")
        return match.group().decode()

    def _word(self) -> str:
        for word in _WORDS:
            if self._data[self._at : self._at + 1] != word[:1]:
                continue
            for position, letter in enumerate(word):
                if self._data[self._at : self._at + 1] != bytes([letter]):
                    if position == 0:
                        break
                    self.unexpected(f"in literal {word.decode()} (expecting {quoted_byte(letter)})")
                self._at += 1
            return word.decode()
        return self.unexpected(_BEGIN)
