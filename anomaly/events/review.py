"""Which permission somebody asked about: SelfSubjectAccessReview and its like (`kubectl auth can-i`)."""

from __future__ import annotations

from typing import Final

import msgspec

from anomaly.events.event import Event

REVIEWS: Final = frozenset(
    {
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
        "subjectaccessreviews",
        "localsubjectaccessreviews",
    }
)
SELF_REVIEWS: Final = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})


class _Resource(msgspec.Struct, gc=False):
    verb: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""


class _Path(msgspec.Struct, gc=False):
    path: str = ""
    verb: str = ""


class _Spec(msgspec.Struct, gc=False):
    resourceAttributes: _Resource | None = None
    nonResourceAttributes: _Path | None = None
    namespace: str = ""


class _Body(msgspec.Struct, gc=False):
    spec: _Spec | None = None


_bodies: Final = msgspec.json.Decoder(_Body)


def checked_of(event: Event) -> str:
    """This will return "verb resource" of the permission asked for, "rules" for a rules review, "" when nothing is known."""
    ref = event.objectRef
    if ref is None or ref.resource not in SELF_REVIEWS:
        return ""
    try:
        spec = _bodies.decode(bytes(event.requestObject) or b"{}").spec
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    if spec is None:
        return ""
    if (asked := spec.resourceAttributes) is not None:
        group = f"{asked.group}/" if asked.group else ""
        part = f"/{asked.subresource}" if asked.subresource else ""
        return f"{asked.verb} {group}{asked.resource}{part}"
    if spec.nonResourceAttributes is not None:
        return f"{spec.nonResourceAttributes.verb} {spec.nonResourceAttributes.path}"
    return "rules" if ref.resource == "selfsubjectrulesreviews" else ""
