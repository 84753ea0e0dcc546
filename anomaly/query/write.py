"""Writing a question: tree to text, so that reading it again gives the same tree."""

from __future__ import annotations

import re
from typing import Final

from anomaly.query.fields import FIELDS
from anomaly.query.moments import write_edge
from anomaly.query.tree import Amount, And, Edge, Node, Not, Or, Pattern, Period, Span, When, Word

_BARE: Final = re.compile(r"[\w./:@=+%#~$^;'?{}\[\]&|-]+")
_KEYWORDS: Final = frozenset({"and", "or", "not"})


def write(node: Node) -> str:
    """This will return the question as text; everything is an empty text."""
    return _join(node.nodes, " and ") if isinstance(node, And) else _node(node)


def _node(node: Node) -> str:
    if isinstance(node, Or):
        return _join(node.nodes, " or ")
    if isinstance(node, And):
        return _join(node.nodes, " and ")
    if isinstance(node, Not):
        inner = node.node
        return f"not ({_node(inner)})" if isinstance(inner, And | Or) else f"not {_node(inner)}"
    if isinstance(node, Word):
        return _word(node)
    if isinstance(node, When):
        return "time:" + ",".join(map(_period, node.periods))
    if isinstance(node, Amount):
        return f"{node.field}:" + ",".join(_span(node.field, span) for span in node.spans)
    return f"{node.field}:" + ",".join(map(write_pattern, node.patterns))


def _join(nodes: tuple[Node, ...], between: str) -> str:
    return between.join(f"({_node(node)})" if isinstance(node, And | Or) else _node(node) for node in nodes)


def write_pattern(pattern: Pattern) -> str:
    """This will write a value, quoted where it must be."""
    return (
        "*".join(map(_part, pattern.parts))
        if any(pattern.parts)
        else ("*" if len(pattern.parts) > 1 else '""')
    )


def _part(part: str) -> str:
    if not part or (_BARE.fullmatch(part) and part[0] not in "=<>"):
        return part
    escaped = part.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _word(word: Word) -> str:
    # Quoted unless it is plain letters: a bare word could be read as a keyword, a field or a denial.
    return "*".join(
        part if part.isalnum() and part.casefold() not in _KEYWORDS else _quoted(part) for part in word.parts
    )


def _quoted(part: str) -> str:
    escaped = part.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _span(field: str, span: Span) -> str:
    unit = "us" if FIELDS[field].name == "latency" else ""
    if span.low is not None and span.low == span.high:
        return f"{span.low}{unit}"
    low, high = ("" if end is None else f"{end}{unit}" for end in (span.low, span.high))
    return f"{low}..{high}"


def _period(period: Period) -> str:
    def text(edge: Edge | None) -> str:
        return "" if edge is None else write_edge(edge)

    if period.low is not None and period.low == period.high and not period.low.relative:
        return text(period.low)
    return f"{text(period.low)}..{text(period.high)}"
