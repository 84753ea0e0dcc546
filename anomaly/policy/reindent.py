"""Gives a file back the indentation it lost on its way through a web page, so that its other mistakes can be named too.

Only leading white space changes: every line keeps its number. The field names say where a line belongs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_KEY: Final = re.compile(r"(- )?([A-Za-z][\w-]*):(?:\s+(.*))?\Z")
_TOP: Final = frozenset({"apiVersion", "kind", "metadata", "rules"})
_RULE: Final = frozenset(
    {
        "level",
        "users",
        "userGroups",
        "verbs",
        "resources",
        "namespaces",
        "nonResourceURLs",
        "omitStages",
        "omitManagedFields",
    }
)
_ENTRY: Final = frozenset({"group", "resources", "resourceNames"})
_LISTS: Final = frozenset({"clusters", "users", "contexts"})
_HOLDERS: Final = {"cluster": "clusters", "user": "users", "context": "contexts"}


def reindented(data: bytes) -> bytes | None:
    """This will return an audit policy with its indentation as its field names mean it, or None if there is nothing to gain."""
    return _rewritten(data, _PolicyPlace())


def reindented_kubeconfig(data: bytes) -> bytes | None:
    """This will do the same for a kubeconfig."""
    return _rewritten(data, _KubeconfigPlace())


def _rewritten(data: bytes, place: _PolicyPlace | _KubeconfigPlace) -> bytes | None:
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return None
    out = []
    for line in lines:
        text = line.strip()
        out.append(text if not text or text.startswith("#") else " " * place.of(text) + text)
    rewritten = ("\n".join(out) + "\n").encode()
    return rewritten if rewritten != data and place.found else None


@dataclass(slots=True)
class _PolicyPlace:
    """Follows rules and resource entries line by line and says how far in each line belongs."""

    in_rules: bool = False
    in_entries: bool = False
    entry: set[str] = field(default_factory=set)
    list_at: int = 0

    @property
    def found(self) -> bool:
        return self.in_rules

    def of(self, text: str) -> int:
        match = _KEY.match(text)
        if match is None:
            return self.list_at + 2
        dash, key, value = bool(match[1]), match[2], match[3]
        depth = self._depth(dash, key, value)
        self.list_at = depth + (2 if dash else 0)
        return depth

    def _depth(self, dash: bool, key: str, value: str | None) -> int:
        if key in _TOP and not dash:
            self.in_rules = self.in_rules or key == "rules"
            return 0
        if not self.in_rules:
            return 0
        if dash and key in _ENTRY and (self.in_entries or key != "resources"):
            self.entry = {key}
            return 6
        if dash:
            self.in_entries, self.entry = key == "resources" and not value, set()
            return 2
        if self.in_entries and key in _ENTRY and key not in self.entry and self.entry:
            self.entry.add(key)
            return 8
        self.in_entries, self.entry = key == "resources" and not value, set()
        return 4


@dataclass(slots=True)
class _KubeconfigPlace:
    """Follows the lists of a kubeconfig: a name and a holder (`cluster:`) an item, with the fields below the holder."""

    section: str = ""
    in_holder: bool = False
    nested: bool = False

    @property
    def found(self) -> bool:
        return bool(self.section)

    def of(self, text: str) -> int:
        match = _KEY.match(text)
        if match is None:
            return 2
        dash, key, value = bool(match[1]), match[2], match[3]
        if not dash and not value and key in _LISTS:
            self.section, self.in_holder, self.nested = key, False, False
            return 0
        if not self.section or key in {"apiVersion", "kind", "current-context", "preferences"}:
            return 0
        if dash:
            self.in_holder, self.nested = False, False
            return 2
        if _HOLDERS.get(key) == self.section and not value:
            self.in_holder, self.nested = True, False
            return 4
        if self.in_holder and not value:
            self.nested = True
            return 6
        return 8 if self.nested else 6 if self.in_holder else 4
