"""What one value must be: the comparisons of Sigma, each a plain function over a field's values.

A comparison holds when *any* value of the field meets it. Text is compared without regard to case unless the rule says
`cased` (Sigma specification 2, "String matching"). Regular expressions and wildcards run on RE2, which takes time linear in
the text whatever the pattern; so no rule and no attacker's text can make one explode.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from anomaly.rules.expression import finder
from anomaly.rules.view import Scalar, Values

Holds = Callable[[Values], bool]


class Op(StrEnum):
    """How values are compared. `operand` of a `Test` is a tuple of alternatives, of which one must hold."""

    EQUALS = "equals"
    CASED = "equals, case told apart"
    STARTS = "starts with"
    STARTS_CASED = "starts with, case told apart"
    ENDS = "ends with"
    ENDS_CASED = "ends with, case told apart"
    CONTAINS = "contains"
    CONTAINS_CASED = "contains, case told apart"
    REGEX = "matches"
    NETWORK = "is in network"
    EXISTS = "exists"
    ABSENT = "is absent"
    LT = "is less than"
    LTE = "is at most"
    GT = "is more than"
    GTE = "is at least"
    MINUTE = "is in minute"
    HOUR = "is in hour"
    DAY = "is on day of month"
    WEEK = "is in week"
    MONTH = "is in month"
    YEAR = "is in year"
    SAME = "equals field"
    SAME_START = "starts with field"
    SAME_END = "ends with field"
    SAME_INSIDE = "contains field"


REFERENCES: Final = frozenset({Op.SAME, Op.SAME_START, Op.SAME_END, Op.SAME_INSIDE})
MERGED: Final = frozenset(op for op in Op if op not in REFERENCES | {Op.EXISTS, Op.ABSENT})
"""Operations whose alternatives can stand together in one test."""
_ORDER: Final[dict[Op, Callable[[float, float], bool]]] = {
    Op.LT: operator.lt,
    Op.LTE: operator.le,
    Op.GT: operator.gt,
    Op.GTE: operator.ge,
}
_PARTS: Final[dict[Op, Callable[[datetime], int]]] = {
    Op.MINUTE: lambda moment: moment.minute,
    Op.HOUR: lambda moment: moment.hour,
    Op.DAY: lambda moment: moment.day,
    Op.WEEK: lambda moment: moment.isocalendar().week,
    Op.MONTH: lambda moment: moment.month,
    Op.YEAR: lambda moment: moment.year,
}


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison with its alternatives. Alternatives of text operations without `cased` are folded already."""

    op: Op
    operands: tuple[Scalar, ...] = ()

    def __str__(self) -> str:
        return f"{self.op} {', '.join(map(str, self.operands))}".rstrip()


def text_of(value: Scalar) -> str:
    """This will return a value as it would stand in JSON, so that 403 and "403", true and "true" are equal to a rule."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def folded(value: Scalar) -> str:
    """This will return the text of a value with case differences taken out."""
    return text_of(value).casefold()


def fold_all(values: Values) -> list[str]:
    """This will fold all values of a field."""
    return [value.casefold() if type(value) is str else folded(value) for value in values]


@lru_cache(maxsize=1 << 14)
def predicate(test: Test) -> Holds:
    """This will return the function that tells whether any of a field's values meets the test. Raises re2.error."""
    op, operands = test.op, test.operands
    if op is Op.EXISTS:
        return (lambda values: bool(values)) if operands[0] else (lambda values: not values)
    if op is Op.ABSENT:
        return lambda values: not values
    if op in _ORDER:
        return _ordered(_ORDER[op], [float(bound) for bound in operands])
    if op in _PARTS:
        return _parted(_PARTS[op], frozenset(operands))
    if op is Op.NETWORK:
        return _within(tuple(str(network) for network in operands))
    if op is Op.REGEX:
        return _searching(finder(tuple(map(str, operands))))
    on_texts = text_predicate(test)
    if op.endswith("apart"):
        return lambda values: on_texts([text_of(value) for value in values])
    return lambda values: on_texts(fold_all(values))


FOLDED: Final = frozenset({Op.EQUALS, Op.STARTS, Op.ENDS, Op.CONTAINS})
"""Operations on folded text; compiled rules fold a field once for all their tests."""


@lru_cache(maxsize=1 << 14)
def text_predicate(test: Test) -> Callable[[Iterable[str]], bool]:
    """This will return the same for an operation on text, over texts that are folded where the operation wants it."""
    operands = tuple(map(str, test.operands))
    wanted = frozenset(operands)
    only = operands[0]

    def equals(texts: Iterable[str]) -> bool:
        for text in texts:  # noqa: SIM110  plain loops take half the time of any() over a generator
            if text in wanted:
                return True
        return False

    def starts(texts: Iterable[str]) -> bool:
        for text in texts:  # noqa: SIM110
            if text.startswith(operands):
                return True
        return False

    def ends(texts: Iterable[str]) -> bool:
        for text in texts:  # noqa: SIM110
            if text.endswith(operands):
                return True
        return False

    def contains(texts: Iterable[str]) -> bool:
        for text in texts:  # noqa: SIM110
            if only in text:
                return True
        return False

    def contains_one(texts: Iterable[str]) -> bool:
        return any(part in text for text in texts for part in operands)

    match test.op:
        case Op.EQUALS | Op.CASED:
            return equals
        case Op.STARTS | Op.STARTS_CASED:
            return starts
        case Op.ENDS | Op.ENDS_CASED:
            return ends
    return contains if len(operands) == 1 else contains_one


def _searching(find: Callable[[str], bool]) -> Holds:
    def holds(values: Values) -> bool:
        for value in values:  # noqa: SIM110
            if find(text_of(value)):
                return True
        return False

    return holds


def _ordered(compare: Callable[[float, float], bool], bounds: list[float]) -> Holds:
    def holds(values: Values) -> bool:
        numbers = [number for number in map(number_of, values) if number is not None]
        return any(compare(number, bound) for number in numbers for bound in bounds)

    return holds


def number_of(value: Scalar) -> float | None:
    """This will return a value as a number, text that reads as one included; None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _parted(part: Callable[[datetime], int], wanted: frozenset[Scalar]) -> Holds:
    def holds(values: Values) -> bool:
        for value in values:
            try:
                moment = datetime.fromisoformat(text_of(value))
            except ValueError:
                continue
            if part(moment) in wanted:
                return True
        return False

    return holds


@lru_cache(maxsize=1 << 14)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _within(operands: tuple[str, ...]) -> Holds:
    networks = [ip_network(operand, strict=False) for operand in operands]

    def holds(values: Values) -> bool:
        for value in values:
            address = _address(text_of(value))
            if address is not None and any(address in network for network in networks):
                return True
        return False

    return holds


def refer(op: Op, cased: bool) -> Callable[[Values, Values], bool]:
    """This will return the function that compares a field's values with those of another field."""
    as_text = text_of if cased else folded
    ways: dict[Op, Callable[[str, str], bool]] = {
        Op.SAME: operator.eq,
        Op.SAME_START: str.startswith,
        Op.SAME_END: str.endswith,
        Op.SAME_INSIDE: operator.contains,
    }
    compare = ways[op]

    def holds(values: Values, others: Values) -> bool:
        texts = [as_text(other) for other in others]
        return any(compare(as_text(value), text) for value in values for text in texts)

    return holds


def wildcard(parts: list[str | bool | None], *, cased: bool) -> str:
    """This will return the RE2 pattern of a Sigma text: None stands for `*`, False for `?`, text for itself."""
    body = "".join(".*" if part is None else "." if part is False else _quoted(str(part)) for part in parts)
    return rf"(?s{'' if cased else 'i'})\A{body}\z"


def _quoted(text: str) -> str:
    return re.sub(r"([^\w\s]|[\r\n])", lambda found: rf"\x{{{ord(found[0]):x}}}", text)
