"""Values as a question writes them, read by the sort of their field."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import Final, TypeVar
from uuid import UUID

from anomaly.query.fields import Field, Sort
from anomaly.query.mistake import QueryInvalid, nearest
from anomaly.query.moments import named
from anomaly.query.scan import Piece
from anomaly.query.tree import Amount, Edge, Pattern, Period, Span, Text, When

_NUMBER: Final = re.compile(r"(-?\d{1,15})(?:\.(\d{1,6}))?([A-Za-z]*)")
_HUNDREDS: Final = re.compile(r"([1-9])[xX][xX]")
_COMPARED: Final = re.compile(r"(>=|<=|>|<|=)(.*)", re.DOTALL)
End = TypeVar("End", int, Edge)


def leaf(field: Field, pieces: list[Piece], text: str) -> Text | Amount | When:
    """This will return what is asked of the field. Raises QueryInvalid for a value that the field cannot have."""
    if field.sort is Sort.TIME:
        return When(tuple(dict.fromkeys(_period(piece, text) for piece in pieces)))
    if field.sort is Sort.NUMBER:
        return Amount(field.name, tuple(dict.fromkeys(_span(field, piece, text) for piece in pieces)))
    if field.sort is Sort.CHOICE:
        return Text(field.name, tuple(dict.fromkeys(_choice(field, piece, text) for piece in pieces)))
    for piece in pieces:
        if piece.plain and _COMPARED.fullmatch(piece.text) and piece.text != "=":
            raise QueryInvalid(
                f"{field.name} is text and has no order; quote the value if that is what it is.",
                text,
                piece.at,
                len(piece.text),
            )
        _refuse_impossible(field, piece, text)
    return Text(field.name, tuple(dict.fromkeys(_anywhere(field, piece.pattern) for piece in pieces)))


def _anywhere(field: Field, pattern: Pattern) -> Pattern:
    """Nobody has the whole text of an event at hand: a part of it is meant."""
    return Pattern(("", pattern.parts[0], "")) if field.name == "raw" and pattern.exact else pattern


def _refuse_impossible(field: Field, piece: Piece, text: str) -> None:
    said = "".join(piece.pattern.parts)
    try:
        if field.name == "address" and "/" in said and piece.pattern.exact:
            ip_network(said, strict=False)
        if field.name == "finding":
            UUID(piece.text)
    except ValueError:
        why = (
            f"{said} is no network; write it as 10.1.0.0/16 or fd00::/8."
            if field.name == "address"
            else f"{said} is no id of a finding; write all 32 letters and digits of it."
        )
        raise QueryInvalid(why, text, piece.at, len(piece.text)) from None


def _choice(field: Field, piece: Piece, text: str) -> Pattern:
    if not piece.pattern.exact:
        raise QueryInvalid(
            f"{field.name} is one of {', '.join(field.choices)}; it takes no wildcard.",
            text,
            piece.at,
            len(piece.text),
        )
    said = piece.pattern.parts[0]
    for choice in field.choices:
        if choice.casefold() == said.casefold():
            return Pattern((choice,))
    raise QueryInvalid(
        f"{field.name} is one of {', '.join(field.choices)}.",
        text,
        piece.at,
        len(piece.text),
        meant=nearest(said, field.choices),
    )


def _span(field: Field, piece: Piece, text: str) -> Span:
    said = "".join(piece.pattern.parts) if piece.pattern.exact else piece.text
    if field.name == "code" and (hundreds := _HUNDREDS.fullmatch(said)):
        return Span(int(hundreds[1]) * 100, int(hundreds[1]) * 100 + 99)

    wrong = _wrong_number(field, piece, text)

    def number(word: str) -> tuple[int, int]:
        if (found := _number(field, word)) is None:
            raise wrong(word)
        return found, found

    low, high = _ends(said, number, _less, _more, wrong)
    if low is not None and high is not None and low > high:
        raise QueryInvalid("This range ends before it begins.", text, piece.at, len(piece.text))
    return Span(low, high)


def _less(number: int) -> int:
    return number - 1


def _more(number: int) -> int:
    return number + 1


def _number(field: Field, word: str) -> int | None:
    found = _NUMBER.fullmatch(word)
    if not found:
        return None
    units = dict(field.units)
    if found[3] and found[3].lower() not in units:
        return None
    each = units[found[3].lower()] if found[3] else (field.units[0][1] if field.units else 1)
    fraction = found[2] or ""
    if fraction and not field.units:
        return None
    sign = -1 if found[1].startswith("-") else 1
    part = int(fraction or 0) * each // int(10 ** len(fraction))
    return int(found[1]) * each + sign * part


def _wrong_number(field: Field, piece: Piece, text: str) -> Callable[[str], QueryInvalid]:
    example = (
        "400, >=400, 400..499 or 4xx" if not field.units else field.example.partition(":")[2] + ", 1..20"
    )
    units = f" (units: {', '.join(unit for unit, _ in field.units)})" if field.units else ""

    def wrong(word: str) -> QueryInvalid:
        said = f"{word!r} is no number" if word else "A number is missing"
        return QueryInvalid(
            f"{said}; write {field.name} as {example}{units}.", text, piece.at, len(piece.text) or 1
        )

    return wrong


def _period(piece: Piece, text: str) -> Period:
    said = "".join(piece.pattern.parts) if piece.pattern.exact else piece.text

    def wrong(word: str) -> QueryInvalid:
        what = f"{word!r} is no time" if word else "A time is missing"
        return QueryInvalid(
            f"{what}; write 2026-11-23, 2026-11-23T10:30, -2h for two hours ago, or a range as -2d..-1d.",
            text,
            piece.at,
            len(piece.text) or 1,
        )

    if (alone := named(said)) and alone[0].relative and alone[0].us:
        # "-1h" alone: the last hour, not the one microsecond an hour ago.
        return Period(alone[0], None) if alone[0].us < 0 else Period(None, alone[0])

    def moments(word: str) -> tuple[Edge, Edge]:
        if (found := named(word)) is None:
            raise wrong(word)
        return found

    low, high = _ends(said, moments, _before, _after, wrong)
    if low is not None and high is not None and low.relative == high.relative and low.us > high.us:
        raise QueryInvalid("This span of time ends before it begins.", text, piece.at, len(piece.text))
    return Period(low, high)


def _before(edge: Edge) -> Edge:
    return replace(edge, us=edge.us - 1)


def _after(edge: Edge) -> Edge:
    return replace(edge, us=edge.us + 1)


def _ends(
    said: str,
    ends: Callable[[str], tuple[End, End]],
    before: Callable[[End], End],
    after: Callable[[End], End],
    wrong: Callable[[str], QueryInvalid],
) -> tuple[End | None, End | None]:
    """This will return the first and the last value of what is said: one value, a comparison, or a range."""

    if compared := _COMPARED.fullmatch(said):
        first, last = ends(compared[2])
        return {
            ">": (after(last), None),
            ">=": (first, None),
            "<": (None, before(first)),
            "<=": (None, last),
            "=": (first, last),
        }[compared[1]]
    start, dots, end = said.partition("..")
    if not dots:
        return ends(said)
    if not start and not end:
        raise wrong("")
    return (ends(start)[0] if start else None, ends(end)[1] if end else None)
