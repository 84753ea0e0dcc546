"""Rules over stored history: which events can match at all, by the narrow columns alone, and what the matches add up to.

A stored event has a row of numbers beside its raw bytes. What those say decides most conditions, exactly as a shape does; only
events for which it leaves something open are decoded again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import msgspec

from anomaly.events.decode import Decoded
from anomaly.events.event import User
from anomaly.events.identity import EntityKind, identity_of
from anomaly.events.key import event_key, microseconds, received_at
from anomaly.events.shape import Shape
from anomaly.rules.compile import Plan, RuleSet
from anomaly.rules.fields import Field
from anomaly.rules.rule import Rule
from anomaly.rules.tree import fields_of, reduce
from anomaly.rules.view import Values
from anomaly.rules.worlds import shape_for

EXAMPLES: Final = 3
"""Examples kept of one finding: the earliest."""
MAX_PLANS: Final = 1 << 15
_ALWAYS: Final = frozenset(
    {"verb", "stage", "level", "resource", "path", "responseStatus.code", "codeClass", "allowed", "refused"}
    | {"objectRef.resource", "objectRef.subresource", "objectRef.apiGroup", "subresource"}
)
_BY_COLUMN: Final = {
    "objectRef.namespace": "namespace",
    "user.username": "username",
    "entity.kind": "username",
    "entity.name": "username",
    "entity.namespace": "username",
    "entity.username": "username",
    "userAgent": "agent",
    "interactive": "agent",
    "address": "address",
    "impersonated": "acting",
    "impersonatedUser.username": "acting",
}


@dataclass(frozen=True, slots=True)
class Narrow:
    """What the columns say of a sort of event; None where they do not know (a text that was cut, or was not asked for)."""

    verb: str | None
    resource: str | None
    code: int | None
    stage: str
    level: str
    allowed: bool
    final: bool
    namespace: str | None = None
    username: str | None = None
    agent: str | None = None
    address: str | None = None
    acting: str | None = None


class Replayed(msgspec.Struct, gc=False):
    """What events of one cluster add to one finding of a rule: times in microseconds, the earliest audit ids with reasons."""

    cluster: int
    rule: str
    group: tuple[str, ...]
    bucket: int
    start: int
    end: int
    count: int
    examples: list[tuple[int, str, str, str]]
    """(time, audit id, entity, why)"""
    requests: set[tuple[str, str, str, int]] = msgspec.field(default_factory=set)
    """Which requests they were, of rules that may match several events of one."""

    def add(self, other: Replayed) -> None:
        """This will join what other events add to the same finding."""
        self.start, self.end = min(self.start, other.start), max(self.end, other.end)
        self.count += other.count - len(self.requests & other.requests)
        self.requests |= other.requests
        self.examples = sorted([*self.examples, *other.examples])[:EXAMPLES]


class Fed(msgspec.Struct, gc=False):
    """One match that a correlation looks at."""

    cluster: int
    correlation: str
    rule: str
    time: int
    key: str
    group: tuple[str, ...]
    value: tuple[str, ...]
    audit_id: str
    entity: str


def columns_asked(rules: RuleSet) -> tuple[str, ...]:
    """This will return which columns beside the few-valued ones the conditions ask about."""
    asked = {field.name for rule in rules.rules for field in fields_of(rule.condition)}
    return tuple(sorted({_BY_COLUMN[name] for name in asked if name in _BY_COLUMN}))


def may_match(rules: RuleSet, narrow: Narrow) -> bool:
    """This will tell whether an event with these columns can match one of the rules. False is certain, True is not."""
    for group, resource, sub in _readings(narrow.resource):
        shape = _shape(narrow, group, resource, sub)
        known = _knowledge(narrow, shape)
        for rule in rules.rules:
            if rule.sees(shape) and reduce(rule.condition, known) is not False:
                return True
    return False


def _readings(text: str | None) -> Iterable[tuple[str, str, str]]:
    """Two parts are group and resource or resource and subresource: anybody can ask for either, so both are tried."""
    if text is None or text.startswith("/") or not text:
        return (("", "", ""),)
    parts = text.split("/")
    if len(parts) == 1:
        return (("", text, ""),)
    if len(parts) == 2:
        return ((parts[0], parts[1], ""), ("", parts[0], parts[1]))
    return ((parts[0], parts[1], "/".join(parts[2:])), ("", parts[0], "/".join(parts[1:])))


def _shape(narrow: Narrow, group: str, resource: str, sub: str) -> Shape:
    made = shape_for(
        narrow.verb or "", group, resource, sub, narrow.code or 0, "", narrow.stage, narrow.level
    )
    return replace(
        made,
        allowed=narrow.allowed,
        final=narrow.final,
        namespace=narrow.namespace or "",
        path="" if resource else narrow.resource or "",
        user=User(username=narrow.username or ""),
        identity=identity_of(narrow.username or ""),
        agent=narrow.agent or "",
        address=narrow.address or "",
        impersonated=User(username=narrow.acting) if narrow.acting else None,
    )


def _knowledge(narrow: Narrow, shape: Shape) -> Callable[[Field], Values | None]:
    unknown = _unknown(narrow, shape)

    def known(asked: Field) -> Values | None:
        name = asked.name
        if asked.of_shape is None:
            settled = narrow.level and narrow.verb is not None and narrow.resource is not None
            return () if settled and asked.possible is not None and not asked.possible(shape) else None
        if name in unknown or (name not in _ALWAYS and name not in _BY_COLUMN):
            return None
        return asked.of_shape(shape)

    return known


def _unknown(narrow: Narrow, shape: Shape) -> set[str]:
    unknown = {name for name, column in _BY_COLUMN.items() if getattr(narrow, column) is None}
    if narrow.verb is None:
        unknown.add("verb")
    if narrow.resource is None:
        unknown |= {"resource", "path", "subresource"}
        unknown |= {"objectRef.resource", "objectRef.subresource", "objectRef.apiGroup"}
    if narrow.code is None:
        unknown |= {"responseStatus.code", "codeClass"}
    if not narrow.stage:
        unknown.add("stage")
    if not narrow.level:
        unknown.add("level")
    if shape.identity.kind is EntityKind.ANONYMOUS:
        # After a 401 the event names nobody, while its entity is the anonymous user.
        unknown.add("user.username")
    return unknown


class Replay:
    """Takes decoded events of one cluster at a time and gathers what they add to findings; `take` hands it over."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._plans: dict[Shape, Plan] = {}
        self._found: dict[tuple[object, ...], Replayed] = {}
        self._fed: list[Fed] = []
        self._feeding = {rule for one in rules.correlations for rule in one.rules}

    def feed(self, cluster: int, decoded: Decoded) -> None:
        """This will match all events."""
        plans = self._plans
        for index, shape in enumerate(decoded.shapes):
            plan = plans.get(shape)
            if plan is None:
                if len(plans) >= MAX_PLANS:
                    plans.clear()
                plan = plans[shape] = self._rules.plan(shape)
            if plan.certain or plan.check is not None:
                event = decoded.events[index]
                checked = plan.check(event, shape) if plan.check is not None else ()
                for rule in chain(plan.certain, checked):
                    self._match(cluster, rule, decoded, index)

    def take(self) -> tuple[list[Replayed], list[Fed]]:
        """This will return what was gathered since the last time."""
        found, fed = list(self._found.values()), self._fed
        self._found, self._fed = {}, []
        return found, fed

    def _match(self, cluster: int, rule: Rule, decoded: Decoded, index: int) -> None:
        event, shape = decoded.events[index], decoded.shapes[index]
        moment = received_at(event)
        assert moment is not None
        time = microseconds(moment)
        if rule.id in self._feeding:
            stage = event.stageTimestamp
            key = event_key(event, shape.user.username, time, microseconds(stage) if stage else time).hex()
            self._capture(cluster, rule, decoded, index, time, key)
        if rule.silent:
            return
        group = rule.group_key(event, shape)
        frame = rule.timeframe * 1_000_000
        place = (cluster, rule.id, group, time - time % frame)
        found = self._found.get(place)
        if found is None:
            found = self._found[place] = Replayed(*place, time, time, 0, [])
        found.start, found.end = min(found.start, time), max(found.end, time)
        request = (event.auditID, shape.user.username, event.requestURI, time)
        found.count += request not in found.requests
        if rule.sees_stages:
            found.requests.add(request)
        if len(found.examples) < EXAMPLES or (time, event.auditID) < found.examples[-1][:2]:
            example = (time, event.auditID, shape.identity.username, rule.why(event, shape))
            found.examples = sorted([*found.examples, example])[:EXAMPLES]

    def _capture(self, cluster: int, rule: Rule, decoded: Decoded, index: int, time: int, key: str) -> None:
        event, shape = decoded.events[index], decoded.shapes[index]
        for one in self._rules.correlations:
            match = one.capture(rule, event, shape, key=key, time=time)
            if match is not None:
                username = shape.identity.username
                self._fed.append(
                    Fed(
                        cluster, one.id, rule.id, time, key, match.group, match.value, event.auditID, username
                    )
                )
