"""Exceptions: which matches of which rules make no finding, for whom, where, and until when.

The time of the event decides, never the time it arrives: an event from before the end that comes late is still excepted, one
from the end on is not, however soon it comes. So every replica and every order of arrival gives the same findings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from anomaly.errors import UsageError

LONGEST: Final = timedelta(days=366)
"""An exception that nobody has looked at for a year is a hole."""
LONGEST_TEXT: Final = 500
ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class RuleException:
    """One exception. In `rule`, `cluster`, `entity` (username), `namespace` and `name` (of the object), `*` stands for
    anything; an empty namespace or name means that there is none. `id` is 0 until it is saved."""

    rule: str
    owner: str
    reason: str
    ends_at: datetime
    cluster: str = ANY
    entity: str = ANY
    namespace: str = ANY
    name: str = ANY
    id: int = 0
    created_at: datetime | None = None

    def covers(self, rule: str, cluster: str, entity: str, namespace: str, name: str, at: datetime) -> bool:
        """This will tell whether a match of a rule on an event received at that time is excepted."""
        return (
            at < self.ends_at
            and fits(self.rule, rule)
            and fits(self.entity, entity)
            and fits(self.namespace, namespace)
            and fits(self.name, name)
            and fits(self.cluster, cluster)
        )


@dataclass(slots=True)
class Exceptions:
    """All exceptions that can still cover something; the one with the least id speaks when several do."""

    listed: tuple[RuleException, ...] = ()
    _of_rule: dict[str, tuple[RuleException, ...]] = field(default_factory=dict, repr=False)

    def covering(
        self, rule: str, cluster: str, entity: str, namespace: str, name: str, at: datetime
    ) -> RuleException | None:
        """This will return the exception that covers a match, or None."""
        known = self._of_rule.get(rule)
        if known is None:
            known = tuple(one for one in self.listed if fits(one.rule, rule))
            self._of_rule[rule] = known
        for one in known:
            if one.covers(rule, cluster, entity, namespace, name, at):
                return one
        return None


def checked(exception: RuleException, now: datetime, rules: Iterable[str]) -> RuleException:
    """This will return the exception, its texts trimmed, when it may be saved.

    Raises UsageError: without owner or reason, without an end, longer than a year, over everything, or for no rule there is.
    """
    made = replace(exception, owner=exception.owner.strip(), reason=exception.reason.strip())
    if not made.owner or not made.reason:
        raise UsageError("An exception needs an owner and a reason.")
    if made.ends_at <= now:
        raise UsageError("The exception would end in the past.")
    if made.ends_at > now + LONGEST:
        raise UsageError("An exception lasts a year at most.", hint="Look at it again then, and renew it.")
    scope = (made.rule, made.entity, made.namespace, made.name)
    if not any(part.strip(ANY) or part == "" for part in scope):
        raise UsageError(
            "This exception would silence every rule for everybody.",
            hint="Name a rule, an entity, a namespace or an object.",
        )
    if any(
        len(part) > LONGEST_TEXT or "\0" in part for part in (*scope, made.cluster, made.owner, made.reason)
    ):
        raise UsageError(f"The parts of an exception have at most {LONGEST_TEXT} characters, and no NUL.")
    if not any(fits(made.rule, rule) for rule in rules):
        raise UsageError(f"There is no rule {made.rule}.", hint="`anomaly rules list` shows them.")
    return made


def fits(pattern: str, text: str) -> bool:
    """This will tell whether the text is what the pattern says, `*` standing for anything, also nothing.

    Piece by piece from the left, so that no pattern and no text can make it slow (a regular expression could be).
    """
    if ANY not in pattern:
        return pattern == text
    first, *middle, last = pattern.split(ANY)
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
