"""A detection in fields of the event alone: what this product derives is said by what it is derived from.

One line may become several, and one selection several of which one must hold. What cannot be said exactly is noted when it
says more, and refused when it would say something else.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby, product
from typing import Final

from anomaly.rules.document import Data
from anomaly.rules.fields import INTERACTIVE
from anomaly.rules.resources import split_text

Lines = dict[str, Data]
"""Lines of which all must hold; a list of them: of which one must."""

NAME: Final = "user.username"
MAX_ALTERNATIVES: Final = 24
_ONLY_OURS: Final = frozenset({"credential"})
_POD: Final = "reads pods only: other workloads hold the pod spec deeper"
_LOOSER: Final = {
    "address": "asks all claimed addresses, not the peer's own alone",
    "allowed": "asks the authorizer's decision: requests refused by admission (403) count as allowed",
    "refused": "asks the authorizer's decision: requests refused by admission (403) count as allowed",
    "resource": "leaves out the API group",
    "path": "asks the whole URI, query included, of resources too",
}
_KINDS: Final = {
    "node": "system:node:",
    "serviceaccount": "system:serviceaccount:",
    "anonymous": "system:anonymous",
    "system": "system:",
}
_CLASSES: Final = {f"{first}xx": (first * 100, first * 100 + 99) for first in range(1, 6)}


class NotPortable(ValueError):
    """Something that no field of the event says."""


def portable(detection: Data, notes: list[str]) -> Data:
    """This will rewrite a detection; what the result cannot promise is appended to `notes`. Raises NotPortable."""
    if not isinstance(detection, dict):
        raise NotPortable("it has no detection")
    return {
        name: value if name == "condition" else _selection(value, notes) for name, value in detection.items()
    }


def _selection(selection: Data, notes: list[str]) -> Data:
    if isinstance(selection, list):
        return [
            inner
            for item in selection
            for rewritten in [_selection(item, notes)]
            for inner in (rewritten if isinstance(rewritten, list) else [rewritten])
        ]
    if not isinstance(selection, dict):
        return selection
    choices = [_line(key, value, notes) for key, value in selection.items()]
    found: list[Data] = []
    for choice in product(*choices):
        joined = _joined(choice)
        if joined is not None:
            found.append(joined)
        if len(found) > MAX_ALTERNATIVES:
            raise NotPortable("it would become too many alternatives")
    if not found:
        raise NotPortable("it asks for two kinds of caller at once")
    return found[0] if len(found) == 1 else found


def _joined(choice: tuple[Lines, ...]) -> dict[str, Data] | None:
    """All lines of one choice together; None when they contradict each other."""
    plain: dict[str, Data] = {}
    for lines in choice:
        for line, wanted in lines.items():
            if line not in plain:
                plain[line] = wanted
                continue
            both = _both(line, plain[line], wanted)
            if both is None:
                return None
            plain[line] = both
    return plain


def _both(line: str, first: Data, second: Data) -> list[Data] | None:
    """Two demands on one field: the narrower beginnings where both are beginnings, both where both are denials."""
    ones, others = (one if isinstance(one, list) else [one] for one in (first, second))
    if line.endswith("|neq"):
        return [*ones, *others]
    if line != f"{NAME}|startswith":
        raise NotPortable(f"{line} would be asked for twice")
    pairs = [(str(one), str(other)) for one in ones for other in others]
    narrower = [
        max(pair, key=len) for pair in pairs if pair[0].startswith(pair[1]) or pair[1].startswith(pair[0])
    ]
    return [*dict.fromkeys(narrower)] or None


def _line(key: str, value: Data, notes: list[str]) -> list[Lines]:
    name, bar, modifiers = key.partition("|")
    if name in _LOOSER:
        notes.append(_LOOSER[name])
    if "fieldref" in modifiers.split("|") and _is_ours(str(value)):
        raise NotPortable(f"{value} is worked out by this product, so nothing can be compared with it")
    if name in _REWRITES:
        return _REWRITES[name](value, modifiers)
    if name in _ONLY_OURS:
        raise NotPortable(f"{name} is worked out by this product and stands in no one field")
    if name.startswith("pod."):
        notes.append(_POD)
        name = f"requestObject.spec.{name.removeprefix('pod.')}"
    return [{f"{name.replace('[]', '')}{bar}{modifiers}": value}]


def _is_ours(name: str) -> bool:
    return name in _REWRITES or name in _ONLY_OURS or name.startswith("pod.")


def _words(value: Data, modifiers: str, what: str) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    if modifiers or not all(isinstance(one, str) and one for one in listed):
        raise NotPortable(f"{what} is exported with plain values only")
    return [str(one) for one in listed]


def _truth(value: Data, modifiers: str, what: str) -> bool:
    if str(value).casefold() not in {"true", "false"} or modifiers:
        raise NotPortable(f"{what} is exported as plain true or false")
    return str(value).casefold() == "true"


def _resource(value: Data, modifiers: str) -> list[Lines]:
    pairs = sorted({split_text(one)[:0:-1] for one in _words(value, modifiers, "resource")})
    return [
        {"objectRef.resource": [pair[1] for pair in same], "objectRef.subresource": sub or None}
        for sub, same in ((sub, list(group)) for sub, group in groupby(pairs, key=lambda pair: pair[0]))
    ]


def _decision(wanted: bool) -> list[Lines]:
    return [{"annotations.authorization.k8s.io/decision": "allow" if wanted else "forbid"}]


def _kind(value: Data, modifiers: str) -> list[Lines]:
    """Kinds are told apart by reserved beginnings of names: those wanted, less those that are not."""
    words = set(_words(value, modifiers, "entity.kind"))
    if not words <= {*_KINDS, "human"}:
        raise NotPortable(f"there is no entity.kind {', '.join(sorted(words))}")
    found: list[Lines] = []
    if "human" in words:
        found.append({f"{NAME}|startswith|neq": "system:"})
    if "system" in words:
        missing: list[Data] = [prefix for kind, prefix in _KINDS.items() if kind not in words]
        found.append(
            {f"{NAME}|startswith": "system:", **({f"{NAME}|startswith|neq": missing} if missing else {})}
        )
    else:
        prefixes: list[Data] = [_KINDS[word] for word in sorted(words - {"human"})]
        if prefixes:
            found.append({f"{NAME}|startswith": prefixes})
    return found


def _namespace(value: Data, modifiers: str) -> list[Lines]:
    words = _words(value, modifiers, "entity.namespace")
    return [{f"{NAME}|startswith": [f"system:serviceaccount:{one}:" for one in words]}]


def _name(value: Data, modifiers: str) -> list[Lines]:
    if modifiers == "endswith":
        return [{f"{NAME}|endswith": value}]
    words = _words(value, modifiers, "entity.name")
    whole: list[Data] = [text for one in words for text in (one, f"system:{one}")]
    return [{NAME: whole}, {f"{NAME}|endswith": [f":{one}" for one in words]}]


def _interactive(value: Data, modifiers: str) -> list[Lines]:
    denied = "" if _truth(value, modifiers, "interactive") else "|neq"
    return [{f"userAgent|startswith{denied}": [*INTERACTIVE]}]


def _code_class(value: Data, modifiers: str) -> list[Lines]:
    words = _words(value, modifiers, "codeClass")
    if not set(words) <= set(_CLASSES):
        raise NotPortable(f"there is no codeClass {', '.join(words)}")
    return [
        {"responseStatus.code|gte": _CLASSES[one][0], "responseStatus.code|lte": _CLASSES[one][1]}
        for one in words
    ]


def _same(name: str) -> Callable[[Data, str], list[Lines]]:
    return lambda value, modifiers: [{f"{name}{'|' if modifiers else ''}{modifiers}": value}]


_REWRITES: Final[dict[str, Callable[[Data, str], list[Lines]]]] = {
    "address": _same("sourceIPs"),
    "allowed": lambda value, modifiers: _decision(_truth(value, modifiers, "allowed")),
    "codeClass": _code_class,
    "decision": _same("annotations.authorization.k8s.io/decision"),
    "entity.kind": _kind,
    "entity.name": _name,
    "entity.namespace": _namespace,
    "entity.username": _same(NAME),
    "impersonated": lambda value, modifiers: [
        {"impersonatedUser.username|exists": _truth(value, modifiers, "impersonated")}
    ],
    "interactive": _interactive,
    "path": _same("requestURI"),
    "refused": lambda value, modifiers: _decision(not _truth(value, modifiers, "refused")),
    "resource": _resource,
    "subresource": _same("objectRef.subresource"),
}
