"""What a list of findings is asked for, as it stands in the URL: tab, filters, order and page; the inbox is one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from starlette.datastructures import QueryParams

from anomaly.errors import UsageError
from anomaly.findings.finding import FindingKind, Severity
from anomaly.findings.triage import State
from anomaly.rights import Principal
from anomaly.store.lines import Sought
from anomaly.web.console.scope import Scope, encoded

_LONGEST: Final = 300
PAGE: Final = 50
"""Rows of a page."""


class Tab(StrEnum):
    """Which part of the inbox."""

    TODO = "todo"
    MINE = "mine"
    NOBODYS = "nobodys"
    CLOSED = "closed"
    SUPPRESSED = "suppressed"
    BELOW = "below"
    ALL = "all"


STATES: Final[dict[Tab, tuple[State, ...]]] = {
    Tab.TODO: (State.OPEN, State.TAKEN),
    Tab.MINE: (State.OPEN, State.TAKEN),
    Tab.NOBODYS: (State.OPEN,),
    Tab.CLOSED: (State.CLOSED,),
    Tab.SUPPRESSED: (State.SUPPRESSED,),
    Tab.BELOW: (State.BELOW,),
    Tab.ALL: (),
}


@dataclass(frozen=True, slots=True)
class Sieve:
    """A question to the inbox. Texts are as they were typed; "" restricts nothing."""

    tab: Tab = Tab.TODO
    severity: tuple[Severity, ...] = ()
    kind: FindingKind | None = None
    name: str = ""
    entity: str = ""
    technique: str = ""
    assignee: str = ""
    q: str = ""
    newest: bool = False
    page: int = 1

    def sought(self, scope: Scope, who: Principal) -> Sought:
        """This will return the question for the store, held to the scope and to the clusters in sight."""
        clusters = frozenset({scope.cluster}) if scope.cluster else who.clusters
        assignee = who.name if self.tab is Tab.MINE else self.assignee or None
        return Sought(
            clusters,
            STATES[self.tab],
            self.severity,
            self.kind,
            self.name or None,
            self.entity or None,
            "" if self.tab is Tab.NOBODYS else assignee,
            self.technique or None,
            self.q or None,
            scope.since,
            scope.until,
        )

    def pairs(self) -> list[tuple[str, str]]:
        """This will return the question as parameters of a URL, nothing for what is as usual."""
        found = [("tab", self.tab.value)] if self.tab is not Tab.TODO else []
        found += [("severity", one.value) for one in self.severity]
        found += [("kind", self.kind.value)] if self.kind else []
        texts = ("name", "entity", "technique", "assignee", "q")
        found += [(name, getattr(self, name)) for name in texts if getattr(self, name)]
        found += [("sort", "newest")] if self.newest else []
        return found + ([("page", str(self.page))] if self.page > 1 else [])

    def url(self, scope: Scope, path: str = "/", **changed: object) -> str:
        """This will return the URL of this question with some of it changed; any change leads back to the first page."""
        if "tab" in changed:
            changed["tab"] = Tab(str(changed["tab"]))
        wanted = replace(self, **({"page": 1} | changed))  # type: ignore[arg-type]
        query = encoded([*scope.pairs(), *wanted.pairs()])
        return f"{path}?{query}" if query else path

    @property
    def filtered(self) -> bool:
        """Whether anything but the tab, order and page is restricted."""
        return any((self.severity, self.kind, self.name, self.entity, self.technique, self.assignee, self.q))


def sieve_of(given: QueryParams) -> Sieve:
    """This will read a question from a URL. Raises UsageError for a word it does not know or a text that is too long."""
    texts = {name: given.get(name, "").strip() for name in ("name", "entity", "technique", "assignee", "q")}
    if any(len(text) > _LONGEST or "\x00" in text for text in texts.values()):
        raise UsageError(f"A filter has at most {_LONGEST} characters.")
    page = given.get("page", "1")
    if not (page.isascii() and page.isdigit() and 1 <= int(page) <= 1000):
        raise UsageError("There is no such page.")
    kind = given.get("kind", "")
    return Sieve(
        Tab(_one_of(given.get("tab", "todo"), Tab, "tab")),
        tuple(Severity(_one_of(one, Severity, "severity")) for one in given.getlist("severity") if one),
        FindingKind(_one_of(kind, FindingKind, "kind")) if kind else None,
        **texts,
        newest=given.get("sort") == "newest",
        page=int(page),
    )


def _one_of(text: str, words: Iterable[str], what: str) -> str:
    if text not in list(words):
        raise UsageError(f"There is no {what} of this name.", hint=f"There are {', '.join(words)}.")
    return text
