"""Suppressions: what is not to be shown for a while, by whom, why and until when. What they hide is kept and counted.

A suppression hides as little as it can: it names a rule or deviation or an entity, ends by itself, and stops at a severity. With a
namespace it hides only findings all of whose events lie there, since one event of many is easily placed by an intruder.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from anomaly.errors import UsageError
from anomaly.findings.finding import FindingKind, Severity

LONGEST: Final = timedelta(days=366)
MOST_STARS: Final = 8
_LONGEST_TEXT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Suppression:
    """What to hide; None restricts nothing. `name` and `entity` may hold `*` for anything. Times are aware UTC."""

    name: str | None
    entity: str | None
    owner: str
    reason: str
    ends_at: datetime
    kind: FindingKind | None = None
    cluster_id: int | None = None
    namespace: str | None = None
    up_to: Severity = Severity.HIGH
    created_at: datetime | None = None
    ended_by: str | None = None
    id: int = 0

    def hides(self, one: Subject, now: datetime) -> bool:
        """This will say whether it hides a finding now."""
        return (
            now < self.ends_at
            and one.severity.rank <= self.up_to.rank
            and self.kind in {None, one.kind}
            and self.cluster_id in {None, one.cluster_id}
            and (self.name is None or matches(self.name, one.name))
            and (self.entity is None or matches(self.entity, one.entity))
            and (self.namespace is None or one.namespaces == frozenset({self.namespace}))
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """A finding as suppressions see it. `namespaces` are those of all its events ("" for none); None: not known any more."""

    id: UUID
    kind: FindingKind
    name: str
    entity: str
    cluster_id: int
    severity: Severity
    namespaces: frozenset[str] | None = None


def checked(one: Suppression, now: datetime) -> Suppression:
    """This will return a suppression that may be kept, or raise UsageError saying what is wrong with it."""
    texts = (one.name, one.entity, one.namespace, one.owner, one.reason)
    if not one.owner.strip() or not one.reason.strip():
        raise UsageError("A suppression needs an owner and a reason: somebody will ask.")
    if any(text is not None and (len(text) > _LONGEST_TEXT or "\x00" in text) for text in texts):
        raise UsageError(f"A text of a suppression has at most {_LONGEST_TEXT:,} characters and no NUL.")
    if any(text is not None and text.count("*") > MOST_STARS for text in (one.name, one.entity)):
        raise UsageError(f"A pattern has at most {MOST_STARS} stars.")
    if not any((text or "").strip("*") for text in (one.name, one.entity)):
        raise UsageError(
            "A suppression needs a name or an entity; one that hides everything is a switch-off.",
            hint="Give --name with a rule or deviation, or --entity with a username.",
        )
    if not now < one.ends_at <= now + LONGEST:
        raise UsageError("A suppression ends in the future, within a year; it can be made again.")
    return one


def first_hiding(suppressions: Iterable[Suppression], one: Subject, now: datetime) -> Suppression | None:
    """This will return the oldest suppression that hides a finding, or None."""
    hiding = (each for each in suppressions if each.hides(one, now))
    return min(hiding, key=lambda each: each.id, default=None)


def matches(pattern: str, text: str) -> bool:
    """This will say whether the text is the pattern, `*` standing for anything. Linear in the text, which an intruder chose."""
    first, *middle = pattern.split("*")
    if not middle:
        return pattern == text
    last = middle.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True
