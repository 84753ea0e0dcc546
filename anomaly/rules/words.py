"""A match in one sentence: a rule's own words with `{field}` filled in, safe to print and of bounded length."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from anomaly.rules.fields import Field
from anomaly.rules.value import text_of
from anomaly.rules.view import OBJECT, Values, View

MAX_VALUE: Final = 120
MAX_LISTED: Final = 5
PLACES: Final = re.compile(r"\{([^{}]{1,200})\}")
DEFAULT: Final = "{entity.username} sent {verb} for {target}, answered {responseStatus.code}."
TARGET: Final = "target"
"""A word of ours for `{...}`: the resource with namespace and name, or the path."""


def joined(values: Values) -> str:
    """This will return a field's values as one text, for a key: lists joined by commas."""
    return ",".join(text_of(value) for value in values)


def shown(values: Values) -> str:
    """This will return values for people: few, short, without control characters; "none" when there is none."""
    texts = [printable(text_of(value)) for value in dict.fromkeys(values) if value != OBJECT]
    more = f" and {len(texts) - MAX_LISTED} more" if len(texts) > MAX_LISTED else ""
    return (", ".join(texts[:MAX_LISTED]) or "none") + more


def fill(template: str, view: View, field_of: Callable[[str], Field | None]) -> str:
    """This will fill a rule's `says` (or the general sentence when it has none) from one event."""

    def value(found: re.Match[str]) -> str:
        if found[1] == TARGET:
            return target_of(view)
        field = field_of(found[1])
        return shown(field.values(view)) if field else found[0]

    return PLACES.sub(value, template or DEFAULT)


def target_of(view: View) -> str:
    """This will name what the request was about: `pods/exec shop/web-0`, `secrets in all namespaces`, `/healthz`."""
    shape = view.shape
    if not shape.is_resource:
        return printable(shape.path) or "an unknown path"
    name = "/".join(part for part in (shape.namespace, view.ref.name) if part)
    where = name if view.ref.name else f"in {shape.namespace}" if shape.namespace else "without a name"
    return printable(f"{shape.resource_text} {where}")


def printable(text: str) -> str:
    """This will return a text of bounded length, with what does not print (and could repaint a terminal) escaped."""
    cut = text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)
