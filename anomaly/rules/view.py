"""One event as a rule sees it: bodies decoded at most once, and paths walked through lists as Sigma expects.

A value list is flat: every list on the way is entered, so `spec.containers[].image` gives the images of all containers.
What is missing, null, or an empty text gives no value; an object gives the marker `OBJECT`, so that `exists` can see it.
"""

from __future__ import annotations

from types import EllipsisType
from typing import Final

import msgspec

from anomaly.events.event import NO_OBJECT, NO_STATUS, Event, ObjectRef, ResponseStatus
from anomaly.events.lenient import mended
from anomaly.events.shape import Shape
from anomaly.events.workload import WORKLOADS

Scalar = str | int | float | bool
Values = tuple[Scalar, ...]
Json = Scalar | None | list["Json"] | dict[str, "Json"]

OBJECT: Final = "\x00object"
WRITES: Final = frozenset({"create", "update", "patch"})
POD_SUBRESOURCES: Final = frozenset({"", "ephemeralcontainers"})
MAX_VALUES: Final = 10_000
"""Values taken from one field of one event; a body with more is cut, so that it cannot slow the rules down."""

_decoder: Final = msgspec.json.Decoder()
_TEMPLATES: Final = (("jobTemplate", "spec", "template", "spec"), ("template", "spec"))


class View:
    """An event and its shape, with its bodies decoded when a rule first asks."""

    __slots__ = ("_answer", "_asked", "_body", "_pod", "event", "shape")

    def __init__(self, event: Event, shape: Shape) -> None:
        self.event = event
        self.shape = shape
        self._body: Json | EllipsisType = ...
        self._answer: Json | EllipsisType = ...
        self._asked: Json | EllipsisType = ...
        self._pod: Json | EllipsisType = ...

    @property
    def ref(self) -> ObjectRef:
        return self.event.objectRef or NO_OBJECT

    @property
    def status(self) -> ResponseStatus:
        return self.event.responseStatus or NO_STATUS

    @property
    def body(self) -> Json:
        """The request body, or None."""
        found = self._body
        if isinstance(found, EllipsisType):
            found = self._body = _decode(self.event.requestObject)
        return found

    @property
    def answer(self) -> Json:
        """The response body, or None."""
        found = self._answer
        if isinstance(found, EllipsisType):
            found = self._answer = _decode(self.event.responseObject)
        return found

    @property
    def asked(self) -> Json:
        """What a write asks for, as one object: what a JSON patch puts in, or the answer when no request body was kept."""
        found = self._asked
        if isinstance(found, EllipsisType):
            found = self.body
            if isinstance(found, list) and self.shape.verb == "patch":
                found = unpatched(found)
            elif found is None and _answers_whole(self.shape) and not _is_status(self.answer):
                found = self.answer
            self._asked = found
        return found

    @property
    def pod(self) -> Json:
        """The pod spec that a write of a workload asks for; from the response when no request was kept, else None."""
        found = self._pod
        if isinstance(found, EllipsisType):
            found = None
            if writes_pod(self.shape):
                body = self.answer if self.body is None else self.asked
                found = pod_in(body, self.shape.resource)
            self._pod = found
        return found


def writes_pod(shape: Shape) -> bool:
    """This will tell whether requests of this shape can carry a pod spec that somebody asks for (not a status report)."""
    return shape.resource in WORKLOADS and shape.verb in WRITES and shape.subresource in POD_SUBRESOURCES


def pod_in(body: Json, resource: str) -> Json:
    """This will find the pod spec in a workload, a merge patch of one, or the values a JSON patch puts in; else None."""
    if isinstance(body, list):
        body = unpatched(body)
    if not isinstance(body, dict):
        return None
    spec = body.get("spec")
    for root in (spec, body):
        for path in _TEMPLATES:
            found = _descend(root, path)
            if isinstance(found, dict):
                return found
    return spec if resource == "pods" and isinstance(spec, dict) else None


def unpatched(operations: list[Json]) -> Json:
    """This will build the object that a JSON patch (RFC 6902) adds: `add` and `replace` values at their paths."""
    root: dict[str, Json] = {}
    for operation in operations[:1_000]:
        if isinstance(operation, dict) and operation.get("op") in {"add", "replace"}:
            _put(root, str(operation.get("path", "")), operation.get("value"))
    return root


def _put(root: dict[str, Json], path: str, value: Json) -> None:
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:41]]
    if not steps:
        if isinstance(value, dict):
            root.update(value)
        return
    node: Json = root
    for here, following in zip(steps, [*steps[1:], ""], strict=True):
        last = following == "" and here is steps[-1]
        inner: Json = value if last else ([] if following == "-" or following.isdigit() else {})
        if isinstance(node, list):
            # an index says nothing about what a partial object holds already, so each item stands for itself
            node.append(inner)
            node = inner
        elif isinstance(node, dict):
            if last or not isinstance(node.get(here), dict | list):
                node[here] = inner
            node = node[here]
        else:
            return


def _answers_whole(shape: Shape) -> bool:
    """Whether all that the answer holds was asked for; to a patch it also holds what was there before, unless it made it."""
    return shape.verb in {"create", "update"} or (shape.verb == "patch" and shape.code == 201)


def _is_status(answer: Json) -> bool:
    """A refusal is answered with a Status, which is nothing that anybody asked for."""
    return isinstance(answer, dict) and answer.get("kind") == "Status"


def _descend(node: Json, path: tuple[str, ...]) -> Json:
    for step in path:
        if not isinstance(node, dict):
            return None
        node = node.get(step)
    return node


def walk(node: Json, path: tuple[str, ...]) -> Values:
    """This will return the scalars at `path`, lists entered on the way. Keys that hold dots are found too (labels)."""
    found: list[Scalar] = []
    _walk(node, path, found)
    return tuple(found)


def _walk(node: Json, path: tuple[str, ...], found: list[Scalar]) -> None:
    if isinstance(node, list):
        for item in node:
            if len(found) >= MAX_VALUES:
                return
            _walk(item, path, found)
    elif not path:
        if isinstance(node, dict):
            found.append(OBJECT)
        elif node is not None and node != "":
            found.append(node)
    elif isinstance(node, dict):
        if path[0] in node:
            _walk(node[path[0]], path[1:], found)
            return
        for end in range(2, len(path) + 1):
            joined = ".".join(path[:end])
            if joined in node:
                _walk(node[joined], path[end:], found)
                return


def leaves(node: Json) -> Values:
    """This will return every scalar of a body as it stands: what a keyword search looks through."""
    found: list[Scalar] = []
    waiting = [node]
    while waiting and len(found) < MAX_VALUES:
        item = waiting.pop()
        if isinstance(item, dict):
            found.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif item is not None and item != "":
            found.append(item)
    return tuple(found)


def _decode(raw: msgspec.Raw) -> Json:
    data = bytes(raw)
    if not data:
        return None
    try:
        decoded: Json = _decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        again = mended(data)
        return _decoder.decode(again) if again is not None else None
    return decoded
