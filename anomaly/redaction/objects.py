"""Where Kubernetes keeps secrets: Secrets in every shape a request can give them, token requests, config maps, environments.

Of a Secret everything is replaced but what is known to be harmless (kind, type, metadata, names of keys), so that a shape nobody
thought of is replaced rather than kept. Anywhere else a value is replaced for its look or for the name it stands under.
Shapes: Secret, SecretList, Table, merge, strategic and JSON patch, apply, and copies in annotations and texts of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from anomaly.redaction.stand_in import WORD, Kind, is_stand_in
from anomaly.redaction.suspicion import suspicious
from anomaly.redaction.texts import NAMES, TOKENS, Texts
from anomaly.redaction.twice import hides
from anomaly.redaction.uris import FLAG, clean_uri

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
Put = Callable[[str], str]

HELD: Final = frozenset({"secrets"})
"""Resources whose bodies are taken for Secrets, whatever kind they say they are."""
CONFIGMAPS: Final = "configmaps"
BODIES: Final = frozenset({"requestObject", "responseObject"})
_MANAGED: Final = "managedFields"
_LAST_APPLIED: Final = "last-applied-configuration"
_VALUES: Final = frozenset({"data", "stringData", "binaryData"})
_HARMLESS: Final = frozenset(
    {"kind", "apiVersion", "type", "immutable", "$patch", "columnDefinitions", "cells"}
)
# Tuples, because a kind may be a list or an object, which no set can be asked for.
_SECRETS: Final = ("Secret", "SecretList")
_ANSWERS: Final = ("Status", "DeleteOptions")
_NOT_A_VALUE: Final = frozenset({"secretKey", "secretkey", "secret_key"})
_FIELD: Final = re.compile(rf"(?:{NAMES}|tokens?)", re.IGNORECASE)
_DATA_KEY: Final = re.compile(rf"(?:{NAMES}|token)$", re.IGNORECASE)
_VARIABLE: Final = re.compile(
    r"(?:password|passwd|passphrase|token|secret|key|credentials?|auth)$", re.IGNORECASE
)
_PATH: Final = re.compile(r"(?:/[a-z0-9._-]+){2,}/?")
_TAME: Final = frozenset({"", "true", "false", "null", "none", "yes", "no", "0", "1"})
_DEEPEST_TEXT: Final = 4
"""Texts of JSON within texts of JSON that are opened."""
_FOUND: Final = re.compile(
    rf"(?:{NAMES}\s?[:=]\s?)?(?:{'|'.join(re.escape(begin) for begin, _ in TOKENS)}|eyJ)?{WORD}[A-Za-z0-9.]*"
    r"|-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----",
    re.IGNORECASE,
)


class Objects:
    """Cleans decoded JSON. Returns new values; what holds nothing to replace comes back equal."""

    def __init__(self, texts: Texts, configmaps: bool) -> None:
        self._texts = texts
        self._configmaps = configmaps
        self._level = 0

    def event(self, event: dict[str, Json]) -> dict[str, Json]:
        """This will return a whole audit event, cleaned."""
        resource = resource_of(event.get("objectRef"))
        return {name: self.part(name, value, resource) for name, value in event.items()}

    def part(self, name: str, value: Json, resource: str) -> Json:
        """This will return one field of an audit event about this resource, cleaned."""
        if name in BODIES:
            return self._body(value, resource)
        if name == "requestURI" and isinstance(value, str):
            return clean_uri(value, self._texts)
        return self.any(value)

    def any(self, node: Json) -> Json:
        """This will return any JSON value, cleaned."""
        if isinstance(node, str):
            return self._text(node)
        if isinstance(node, list):
            return self._list(node)
        return self._dict(node) if isinstance(node, dict) else node

    def _body(self, node: Json, resource: str) -> Json:
        if resource in HELD:
            return self._held(node, self._secret_value)
        if resource == CONFIGMAPS:
            return self._held(node, self._configmap_value) if self._configmaps else self._configmap(node)
        return self.any(node)

    def _dict(self, node: dict[str, Json]) -> Json:
        kind = node.get("kind")
        if kind in _SECRETS and not node.keys().isdisjoint({*_VALUES, "items"}):
            return self._held(node, self._secret_value)
        if kind == "ConfigMap":
            return self._body(node, CONFIGMAPS)
        if ("requestObject" in node or "responseObject" in node) and "objectRef" in node:
            return self.event(node)
        name, value = node.get("name"), node.get("value")
        if isinstance(name, str) and isinstance(value, str) and _VARIABLE.search(name) and _is_real(value):
            node = {**node, "value": self._texts.replace(value, _kind_of(name))}
        return {self._key(key): self._field(key, value) for key, value in node.items()}

    def _key(self, key: str) -> str:
        return self._texts.clean(key) if len(key) >= 20 else key

    def _field(self, key: str, value: Json) -> Json:
        if not isinstance(value, str):
            # Names of fields and no values, and half of what an answer holds: a search costs a tenth of a walk.
            if key == _MANAGED and not suspicious(msgspec.json.encode(value)):
                return value
            return self.any(value)
        if _is_telling(key) and _is_real(value):
            return self._texts.replace(value, _kind_of(key))
        return self._text(value)

    def _list(self, node: list[Json]) -> Json:
        cleaned: list[Json] = []
        before: Json = ""
        for item in node:
            if (
                isinstance(item, str)
                and isinstance(before, str)
                and FLAG.fullmatch(before)
                and not item.startswith("-")
            ):
                cleaned.append(self._texts.replace(item, Kind.PASSWORD))
            else:
                cleaned.append(self.any(item))
            before = item
        return cleaned

    def _text(self, text: str) -> str:
        inner = text.strip()
        if (
            inner[:1] in {"{", "["}
            and self._level < _DEEPEST_TEXT
            and suspicious(inner.encode("utf-8", "replace"))
        ):
            again = self._inside(text, self.any)
            if again is not None:
                return again
        return self._texts.clean(text)

    def _inside(self, text: str, clean: Callable[[Json], Json]) -> str | None:
        """Clean a text of JSON as what it holds; None when it is none."""
        self._level += 1
        try:
            held: Json = msgspec.json.decode(text)
            cleaned = clean(held)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        finally:
            self._level -= 1
        if hidden := hides(text.encode("utf-8", "replace"), held):
            self._texts.tally[Kind.HIDDEN] += 1
        if cleaned == held and not hidden:
            return text
        return msgspec.json.encode(cleaned).decode() + ("\n" if text.endswith("\n") else "")

    # What holds values that are all to be replaced: a Secret, or a ConfigMap by setting.

    def _held(self, node: Json, put: Put) -> Json:
        if isinstance(node, list):
            return [
                self._operation(item, put)
                if isinstance(item, dict) and "op" in item
                else self._held(item, put)
                for item in node
            ]
        if not isinstance(node, dict):
            return _blank(node, put)
        if node.get("kind") in _ANSWERS:
            return self.any(node)
        cleaned: dict[str, Json] = {}
        for key, value in node.items():
            if key in _HARMLESS:
                cleaned[key] = self.any(value)
            elif key == "metadata":
                cleaned[key] = self._metadata(value, put)
            elif key in {"items", "object"}:
                cleaned[key] = self._held(value, put)
            elif key == "rows" and isinstance(value, list):
                cleaned[key] = [self._held(row, put) for row in value]
            elif key in {"conditions", "kind", "status"} and not isinstance(value, str):
                cleaned[key] = self.any(value)
            else:
                cleaned[key] = _blank(value, put)
        return cleaned

    def _metadata(self, node: Json, put: Put) -> Json:
        if not isinstance(node, dict):
            return self.any(node)
        return {
            key: self._annotations(value, put)
            if key == "annotations"
            else self._field(key, value)
            if key == _MANAGED
            else self.any(value)
            for key, value in node.items()
        }

    def _annotations(self, node: Json, put: Put) -> Json:
        if not isinstance(node, dict):
            return self.any(node)
        return {
            key: self._copy(value, put) if key.endswith(_LAST_APPLIED) else self.any(value)
            for key, value in node.items()
        }

    def _copy(self, value: Json, put: Put) -> Json:
        """A copy of the whole object in an annotation."""
        if not isinstance(value, str):
            return _blank(value, put)
        again = self._inside(value, lambda held: self._held(held, put))
        return _blank(value, put) if again is None else again

    def _operation(self, operation: dict[str, Json], put: Put) -> Json:
        """One operation of a JSON patch (RFC 6902): the path says what its value is a part of."""
        path = str(operation.get("path", ""))
        parts = path.split("/")[1:]
        value = operation.get("value")
        if not parts or parts == [""]:
            value = self._held(value, put)
        elif path == "/metadata":
            value = self._metadata(value, put)
        elif path == "/metadata/annotations":
            value = self._annotations(value, put)
        elif parts[0] == "metadata":
            value = self._copy(value, put) if parts[-1].endswith(_LAST_APPLIED) else self.any(value)
        elif parts[0] not in _HARMLESS:
            value = _blank(value, put)
        cleaned = {key: self.any(item) for key, item in operation.items() if key != "value"}
        return {**cleaned, "value": value} if "value" in operation else cleaned

    def _secret_value(self, value: str) -> str:
        return self._texts.replace(value, Kind.SECRET)

    def _configmap_value(self, value: str) -> str:
        """The credentials found in it stay to be seen, without what they were: rules look for them here."""
        if is_stand_in(value.partition(" ")[0]):
            return value
        looking, self._texts.looking = self._texts.looking, True
        found = " ".join(dict.fromkeys(_FOUND.findall(self._texts.clean(value))))
        self._texts.looking = looking
        whole = self._texts.replace(value, Kind.CONFIGMAP)
        return f"{whole} {found}" if found else whole

    def _configmap(self, node: Json) -> Json:
        if isinstance(node, list):
            return self._list([self._named_operation(item) for item in node])
        if not isinstance(node, dict):
            return self.any(node)
        cleaned: dict[str, Json] = {}
        for key, value in node.items():
            if key in _VALUES and isinstance(value, dict):
                cleaned[key] = {name: self._named(name, held) for name, held in value.items()}
            elif key == "items" and isinstance(value, list):
                cleaned[key] = [self._configmap(item) for item in value]
            else:
                cleaned[key] = self._field(key, value)
        return cleaned

    def _named_operation(self, item: Json) -> Json:
        if not isinstance(item, dict) or not isinstance(item.get("value"), str):
            return item
        return {**item, "value": self._named(str(item.get("path", "")), item["value"])}

    def _named(self, name: str, value: Json) -> Json:
        if isinstance(value, str) and _DATA_KEY.search(name) and _is_real(value):
            return self._texts.replace(value, _kind_of(name))
        return self.any(value)


def _blank(node: Json, put: Put) -> Json:
    """Replace every scalar; names of keys, null and booleans stay."""
    if isinstance(node, dict):
        return {key: _blank(value, put) for key, value in node.items()}
    if isinstance(node, list):
        return [_blank(item, put) for item in node]
    if node is None or isinstance(node, bool):
        return node
    return put(node if isinstance(node, str) else str(node))


@lru_cache(maxsize=1 << 12)
def _is_telling(key: str) -> bool:
    """Whether a field of this name holds what must not be read. Names repeat, so most are looked up."""
    return key not in _NOT_A_VALUE and _FIELD.fullmatch(key) is not None


def resource_of(ref: Json) -> str:
    """This will return the resource an objectRef names; empty when it names none."""
    resource = ref.get("resource") if isinstance(ref, dict) else None
    return resource if isinstance(resource, str) else ""


def _is_real(value: str) -> bool:
    """Whether a value under a telling name is one: not a reference, a path, or a word that says yes or no."""
    return value.lower() not in _TAME and not value.startswith(("$(", "${")) and not _PATH.fullmatch(value)


def _kind_of(name: str) -> Kind:
    return Kind.TOKEN if "token" in name.lower() else Kind.PASSWORD
