"""What only the raw event can answer: each field's texts, and a whole question asked of one event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from anomaly.events.event import Event
from anomaly.events.shape import Shape
from anomaly.query.tree import Amount, And, Node, Not, Or, Text, When, Word

Leaf = Text | Amount | When | Word


def _uids(event: Event, shape: Shape) -> tuple[str, ...]:
    return (shape.user.uid, event.objectRef.uid if event.objectRef else "")


def _message(event: Event, shape: Shape) -> tuple[str, ...]:
    return (event.responseStatus.message,) if event.responseStatus else ()


_READERS: Final[Mapping[str, Callable[[Event, Shape], tuple[str, ...]]]] = {
    "audit": lambda event, shape: (event.auditID,),
    "uri": lambda event, shape: (event.requestURI,),
    "group": lambda event, shape: shape.user.groups,
    "uid": _uids,
    "credential": lambda event, shape: (shape.credential,),
    "claimed": lambda event, shape: shape.addresses[:-1],
    "reason": lambda event, shape: (shape.reason,),
    "message": _message,
    "annotation": lambda event, shape: tuple(f"{name}={value}" for name, value in shape.annotations.items()),
}
READ: Final = frozenset(_READERS) | {"raw"}
"""Fields whose last word only the event itself has."""


def is_deep(leaf: Leaf) -> bool:
    """This will say whether this must be asked of the event itself."""
    return isinstance(leaf, Text) and leaf.field in READ


def texts(field: str, event: Event, shape: Shape, raw: bytes) -> tuple[str, ...]:
    """This will return what the event has for a field of `READ`; one empty text when it has nothing."""
    if field == "raw":
        return (raw.decode("utf-8", "replace"),)
    return tuple(text for text in _READERS[field](event, shape) if text) or ("",)


def holds(node: Node, known: Callable[[Leaf], bool], event: Event, shape: Shape, raw: bytes) -> bool:
    """This will say whether an event answers the question. `known` tells it for what a stored row has told already."""
    if isinstance(node, And):
        return all(holds(part, known, event, shape, raw) for part in node.nodes)
    if isinstance(node, Or):
        return any(holds(part, known, event, shape, raw) for part in node.nodes)
    if isinstance(node, Not):
        return not holds(node.node, known, event, shape, raw)
    if isinstance(node, Text) and node.field in READ:
        found = texts(node.field, event, shape, raw)
        return any(pattern.matches(text) for pattern in node.patterns for text in found)
    return known(node)
