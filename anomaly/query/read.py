"""Reading a question: text to tree, by recursive descent.

query  = or                       or    = and { "or" and }
and    = not { ["and"] not }      not   = ("not" | "-" | "!") not | "(" query ")" | field ":" values | word
values = value { "," value } | "(" value { ("," | "or") value } ")"
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from anomaly.query.fields import FIELDS, NAMES, Field
from anomaly.query.mistake import QueryInvalid, nearest
from anomaly.query.scan import Piece, Scanner
from anomaly.query.tree import EVERYTHING, Node, Word, all_of, any_of, none_of
from anomaly.query.values import leaf

LONGEST: Final = 4_000
"""Characters of a question; what is longer is no question that a person wrote."""
_DEEPEST: Final = 40
_FIELD: Final = re.compile(r"([A-Za-z_][\w.-]*):")
_COMPARES: Final = re.compile(r"([A-Za-z_][\w.-]*)(==|=|!=|>=|<=|>|<)(.*)", re.DOTALL)


def read(text: str) -> Node:
    """This will return what the text asks for; an empty text asks for everything. Raises QueryInvalid, and nothing else.

    >>> from anomaly.query.write import write
    >>> write(read("verb:get,list secrets not user:alice*"))
    'verb:get,list and secrets and not user:alice*'
    """
    if len(text) > LONGEST:
        raise QueryInvalid(f"A question has at most {LONGEST:,} characters.", text, LONGEST)
    return _Reader(text).all()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.scan = Scanner(text)
        self.depth = 0

    def all(self) -> Node:
        self.scan.skip()
        if not self.scan.next:
            return EVERYTHING
        node = self.either()
        if self.scan.next:
            raise QueryInvalid("This parenthesis was never opened.", self.text, self.scan.at)
        return node

    def either(self) -> Node:
        nodes = [self.together()]
        while self.keyword("or"):
            nodes.append(self.together())
        return any_of(nodes)

    def together(self) -> Node:
        nodes = [self.single()]
        while self.keyword("and") or not self.ends():
            nodes.append(self.single())
        return all_of(nodes)

    def ends(self) -> bool:
        self.scan.skip()
        return self.scan.next in {"", ")"} or self.sees("or")

    def single(self) -> Node:
        self.scan.skip()
        here = self.scan.at
        if self.keyword("not"):
            return self.deeper(here, lambda: none_of(self.single()))
        following = self.text[here + 1 : here + 2]
        if self.scan.next in {"-", "!"} and following and not following.isspace() and following != ")":
            self.scan.at += 1
            return self.deeper(here, lambda: none_of(self.single()))
        if self.scan.next == "(":
            self.scan.at += 1
            node = self.deeper(here, self.either)
            self.scan.skip()
            if self.scan.next != ")":
                raise QueryInvalid("This parenthesis is never closed.", self.text, here)
            self.scan.at += 1
            return node
        if self.ends() or self.sees("and"):
            raise self.missing()
        return self.match()

    def deeper(self, here: int, read_on: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise QueryInvalid(f"Questions nest at most {_DEEPEST} deep.", self.text, here)
        node = read_on()
        self.depth -= 1
        return node

    def match(self) -> Node:
        if named := _FIELD.match(self.text, self.scan.at):
            field = self.field(named[1], self.scan.at)
            self.scan.at = named.end()
            return leaf(field, self.values(field), self.text)
        piece = self.scan.piece("()")
        if piece.plain:
            self.refuse_foreign(piece)
        if not any(piece.pattern.parts):
            raise QueryInvalid("This finds everything; leave it out.", self.text, piece.at, len(piece.text))
        # A word may stand anywhere in a value, so stars at its ends say nothing.
        parts = piece.pattern.parts
        return Word(tuple(part for part in parts if part))

    def values(self, field: Field) -> list[Piece]:
        if self.scan.next == "(":
            return self.listed(field)
        pieces = [self.value(field, "(),")]
        while self.scan.next == ",":
            self.scan.at += 1
            pieces.append(self.value(field, "(),"))
        return pieces

    def listed(self, field: Field) -> list[Piece]:
        opened = self.scan.at
        self.scan.at += 1
        pieces: list[Piece] = []
        while True:
            self.scan.skip()
            if not self.scan.next:
                raise QueryInvalid("This parenthesis is never closed.", self.text, opened)
            pieces.append(self.value(field, "(),"))
            self.scan.skip()
            if self.scan.next == ")":
                self.scan.at += 1
                return pieces
            if self.scan.next == ",":
                self.scan.at += 1
            elif self.scan.next and not self.keyword("or"):
                raise QueryInvalid(
                    'Values in parentheses are parted by "or" or commas.', self.text, self.scan.at
                )

    def value(self, field: Field, stops: str) -> Piece:
        piece = self.scan.piece(stops)
        if not piece.text:
            none = f' {field.name}:"" asks for none.' if field.name in {"namespace", "name"} else ""
            raise QueryInvalid(
                f"A value is missing, as in {field.example}.{none}",
                self.text,
                max(0, min(self.scan.at, len(self.text) - 1)),
            )
        return piece

    def field(self, name: str, at: int) -> Field:
        own = NAMES.get(name.casefold())
        if own is not None:
            return FIELDS[own]
        meant = NAMES.get(nearest(name, NAMES), "")
        raise QueryInvalid(
            f'There is no field {name}; to find the text itself, quote it: "{name}:...".',
            self.text,
            at,
            len(name),
            meant=f"{meant}:" if meant else "",
        )

    def refuse_foreign(self, piece: Piece) -> None:
        """What other languages write and this one would take for words."""
        if piece.text in {"&&", "||", "|", "&"}:
            word = "and" if "&" in piece.text else "or"
            raise QueryInvalid(f"Write {word}.", self.text, piece.at, len(piece.text))
        if found := _COMPARES.fullmatch(piece.text):
            own = NAMES.get(found[1].casefold())
            if own is not None:
                sign = {"=": "", "==": "", "!=": ""}.get(found[2], found[2])
                denied = "not " if found[2] == "!=" else ""
                raise QueryInvalid(
                    "A field and its value are parted by a colon.",
                    self.text,
                    piece.at,
                    len(piece.text),
                    meant=f"{denied}{own}:{sign}{found[3]}",
                )

    def missing(self) -> QueryInvalid:
        at = min(self.scan.at, max(len(self.text) - 1, 0))
        return QueryInvalid("Something is missing here: a word, field:value or parentheses.", self.text, at)

    def sees(self, word: str) -> bool:
        """Whether the keyword stands here, as a word of its own."""
        end = self.scan.at + len(word)
        after = self.text[end : end + 1]
        return self.text[self.scan.at : end].casefold() == word and (
            not after or after.isspace() or after in "()"
        )

    def keyword(self, word: str) -> bool:
        """Take the keyword if it comes next."""
        start = self.scan.at
        self.scan.skip()
        if self.sees(word):
            self.scan.at += len(word)
            return True
        self.scan.at = start
        return False
