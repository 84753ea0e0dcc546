"""Our own door: the audit policy that is set here for a cluster, applied to what comes before anything of it is kept.

For clouds whose audit policy cannot be changed. What the policy writes nothing about is dropped, what it writes less about is
lowered; both are counted in the ledger, in the transaction that keeps the rest. Decisions are remembered by shape: a dictionary
look-up an event.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import msgspec
import psycopg

from anomaly.events.decode import Decoded
from anomaly.events.event import Event
from anomaly.events.shape import Shape
from anomaly.intake.lag import LIVE_US
from anomaly.policy.document import Level, Policy
from anomaly.policy.lower import lowered
from anomaly.policy.match import Decision, Matcher
from anomaly.policy.observed import request_of
from anomaly.policy.parse import read
from anomaly.store.canaries import PREFIX
from anomaly.store.door import DROPPED, LOWERED, NO_RULE, NOTHING_LEFT, Deed, Entry, InForce, Left, in_force

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[object, ...]]
Ask = Callable[[Callable[[Connection], list[InForce]]], list[InForce]]

RENEWED_SECONDS: Final = 5.0
"""How long a policy that was set or cleared is not heeded yet, at most."""
OTHERS: Final = "(others)"
_MOST_LINES: Final = 1_000
"""Lines of the ledger a policy may fill in an hour here; what is beyond it is counted as of others."""
_MOST_SHAPES: Final = 40_000
_MOST_NAMES: Final = 10_000
_RANKS: Final = {str(level): level.rank for level in Level}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Passed:
    """What is to be kept, and what is not."""

    decoded: Decoded
    left: Left = NOTHING_LEFT


class Door:
    """Policies in force, ready to be asked. For one thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._due: float | None = None
        self._gates: dict[int, Gate] = {}

    def renew(self, ask: Ask) -> None:
        """This will look which policies are in force, every few seconds. Raises what `ask` raises."""
        now = self._monotonic()
        if self._due is not None and now < self._due:
            return
        found = {one.cluster_id: one for one in ask(in_force)}
        gates = {}
        for cluster_id, one in found.items():
            known = self._gates.get(cluster_id)
            gate = known if known is not None and known.number == one.id else _gate(one)
            if gate is not None:
                gates[cluster_id] = gate
        self._gates = gates
        self._due = now + RENEWED_SECONDS

    def pass_through(self, cluster_id: int, decoded: Decoded, at_us: int | None = None) -> Passed:
        """This will return what of the input is to be kept. Without a policy, or with nothing to drop, it is the same object."""
        gate = self._gates.get(cluster_id)
        return Passed(decoded) if gate is None else gate.pass_through(decoded, at_us)


def _gate(one: InForce) -> Gate | None:
    policy = read(one.policy.encode(), "policy.yaml").policy
    if policy is None:
        # It was accepted when it was set; a later release may read it otherwise. Nothing may be dropped by mistake.
        log.error("the policy at the door cannot be read and drops nothing", extra={"policy": one.id})
        return None
    return Gate(one.id, policy)


class _Unknown:
    """That nothing is known of a shape yet."""


_UNKNOWN: Final = _Unknown()


@dataclass(frozen=True, slots=True)
class _ByName:
    """The decisions about a shape whose object's name counts."""

    decisions: dict[str, Decision | None]


class _Leaving:
    """Counts what is left out of one input."""

    def __init__(self, at_us: int | None) -> None:
        self.counts: Counter[tuple[Shape, int, Deed]] = Counter()
        self.sizes: Counter[tuple[Shape, int, Deed]] = Counter()
        self.minutes: Counter[int] = Counter()
        self.live = False
        self._at_us = at_us

    def drop(self, event: Event, shape: Shape, raw: bytes, decision: Decision) -> None:
        """This will count an event that is not kept."""
        self._count(shape, len(raw), decision, DROPPED)
        at = event.stageTimestamp or event.requestReceivedTimestamp or event.timestamp
        if at is not None:
            seconds = (at - _EPOCH).total_seconds()
            self.minutes[int(seconds // 60)] += 1
            self.live = self.live or (self._at_us is not None and self._at_us - seconds * 1e6 <= LIVE_US)

    def lower(self, shape: Shape, size: int, decision: Decision) -> None:
        """This will count an event of which so many bytes are not kept."""
        self._count(shape, size, decision, LOWERED)

    def _count(self, shape: Shape, size: int, decision: Decision, deed: Deed) -> None:
        key = (shape, NO_RULE if decision.rule is None else decision.rule, deed)
        self.counts[key] += 1
        self.sizes[key] += size


@dataclass(slots=True)
class Gate:
    """One policy applied. For one thread."""

    number: int
    policy: Policy
    _matcher: Matcher = field(init=False)
    _named: bool = field(init=False)
    _known: dict[Shape, Decision | _ByName | None] = field(default_factory=dict)
    _lines: set[tuple[int, Deed, str, str]] = field(default_factory=set)
    _hour: int = 0

    def __post_init__(self) -> None:
        self._matcher = Matcher(self.policy)
        self._named = any(entry.resource_names for rule in self.policy.rules for entry in rule.resources)

    def pass_through(self, decoded: Decoded, at_us: int | None = None) -> Passed:
        """This will return what of the input this policy writes, at the levels it writes."""
        if len(self._known) > _MOST_SHAPES:
            self._known.clear()
        judged = self._judged(decoded)
        if not judged:
            return Passed(decoded)
        kept, left, begin = Decoded(rejects=decoded.rejects), _Leaving(at_us), 0
        for index, decision in judged:
            _extend(kept, decoded, begin, index)
            begin = index + 1
            event, shape, raw = decoded.events[index], decoded.shapes[index], decoded.raws[index]
            if decision.level is Level.NONE or shape.stage in decision.omit_stages:
                left.drop(event, shape, raw, decision)
                continue
            again = lowered(event, raw, decision.level, omit_managed_fields=decision.omit_managed_fields)
            if again is not None and _add(kept, again):
                left.lower(shape, len(raw) - len(again), decision)
            else:
                _extend(kept, decoded, index, begin)
        _extend(kept, decoded, begin, len(decoded.events))
        if not left.counts:
            return Passed(decoded)
        return Passed(kept, Left(self._entries(left), tuple(left.minutes.items()), left.live))

    def _judged(self, decoded: Decoded) -> list[tuple[int, Decision]]:
        """The events that may not be kept as they are, by index, with the decision about each."""
        known, found = self._known, []
        for index, shape in enumerate(decoded.shapes):
            decision = known.get(shape, _UNKNOWN)
            if decision is None:
                continue
            if isinstance(decision, Decision):
                found.append((index, decision))
            elif (decided := self._decide(decoded.events[index], shape, decision)) is not None:
                found.append((index, decided))
        return found

    def _decide(self, event: Event, shape: Shape, known: _Unknown | _ByName) -> Decision | None:
        """The decision, None for what passes: the policy writes all there is of it, or it is a canary."""
        if _is_canary(event, shape):
            return None
        if isinstance(known, _Unknown):
            # A namespace is in its own name; canaries are told by theirs.
            named = shape.is_resource and (self._named or shape.resource in {"namespaces", "configmaps"})
            if not named:
                decision = self._known[shape] = self._worked_out(event, shape)
                return decision
            known = self._known[shape] = _ByName({})
        name = event.objectRef.name if event.objectRef is not None else ""
        if name not in known.decisions:
            if len(known.decisions) > _MOST_NAMES:
                known.decisions.clear()
            known.decisions[name] = self._worked_out(event, shape)
        return known.decisions[name]

    def _worked_out(self, event: Event, shape: Shape) -> Decision | None:
        try:
            decision = self._matcher.decide(request_of(event))
        except (msgspec.MsgspecError, ValueError):
            return None
        written = decision.level is not Level.NONE and shape.stage not in decision.omit_stages
        whole = _RANKS.get(shape.level, Level.METADATA.rank) <= decision.level.rank
        return None if written and whole and not decision.omit_managed_fields else decision

    def _entries(self, left: _Leaving) -> tuple[Entry, ...]:
        hour = int(time.monotonic() // 3600)
        if hour != self._hour:
            self._hour = hour
            self._lines.clear()
        found = []
        for (shape, rule, deed), events in left.counts.items():
            user, action = shape.user.username or "(401)", f"{shape.verb} {shape.resource_text}"
            line = (rule, deed, user, action)
            if line not in self._lines and len(self._lines) >= _MOST_LINES:
                user = action = OTHERS
            else:
                self._lines.add(line)
            found.append(Entry(self.number, rule, deed, user, action, events, left.sizes[shape, rule, deed]))
        return tuple(found)


def _is_canary(event: Event, shape: Shape) -> bool:
    """Whether it is a request of ours that must arrive, or completeness could not be held against it."""
    ref = event.objectRef
    return shape.resource == "configmaps" and ref is not None and ref.name.startswith(PREFIX)


def _extend(kept: Decoded, decoded: Decoded, begin: int, end: int) -> None:
    """Append the events of [begin, end) as they are."""
    kept.events += decoded.events[begin:end]
    kept.shapes += decoded.shapes[begin:end]
    kept.raws += decoded.raws[begin:end]


def _add(kept: Decoded, raw: bytes) -> bool:
    """Append one event decoded from its new bytes; False when it is none, which nobody has seen."""
    again = Decoded()
    again.add(raw)
    _extend(kept, again, 0, len(again.events))
    return bool(again.events)
