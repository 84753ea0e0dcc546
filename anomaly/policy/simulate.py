"""A policy over events that were stored under another: what stays, what shrinks, what goes, and what cannot be known.

A lower level follows from a higher one; the other way round nobody knows, and the result says how often that was the case.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from anomaly.events.event import Event
from anomaly.policy.document import Level, Policy, Stage
from anomaly.policy.match import Decision, Matcher
from anomaly.policy.observed import request_of
from anomaly.policy.request import Request
from anomaly.policy.strip import size_at

_TALKERS: Final = 20
_RANKS: Final = {str(level): level.rank for level in Level}


@dataclass(slots=True)
class Tally:
    """Counts of events by what becomes of them; bytes as they were stored, and as they would be written."""

    events: int = 0
    kept: int = 0
    lowered: int = 0
    raised: int = 0
    dropped: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    unknown: int = 0

    def count(self, before: int, after: int, change: int, known: bool) -> None:
        """This will count one event that is written; `change` is the difference of levels."""
        self.events += 1
        self.kept += 1
        self.lowered += change < 0
        self.raised += change > 0
        self.bytes_before += before
        self.bytes_after += after
        self.unknown += not known

    def drop(self, before: int) -> None:
        """This will count one event that is not written."""
        self.events += 1
        self.dropped += 1
        self.bytes_before += before


@dataclass(slots=True)
class Talker:
    """One user and what it asks, over and over."""

    user: str
    action: str
    rule: int | None
    tally: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class Simulation:
    """The outcome: all events, by deciding rule (None: no rule matches), and by talker; the span they cover.

    `unknown` in a tally counts events whose bodies would be written but were not stored; its bytes are then a lower bound.
    """

    total: Tally = field(default_factory=Tally)
    rules: dict[int | None, Tally] = field(default_factory=dict)
    talkers: dict[tuple[str, str, int | None], Talker] = field(default_factory=dict)
    unreadable: int = 0
    first: datetime | None = None
    last: datetime | None = None
    received_seen: int = 0
    received_wanted: int = 0

    @property
    def notes(self) -> list[str]:
        """What cannot be known from these events, in words."""
        notes = ["requests that the policy in force did not write are not among these events"]
        if self.total.unknown:
            notes.append(
                f"{self.total.unknown:,} events were stored at a lower level than this policy asks for: their bytes are a lower bound"
            )
        if self.received_wanted and not self.received_seen:
            notes.append(
                f"{self.received_wanted:,} requests would also have a RequestReceived event, which these events do not hold"
            )
        if self.unreadable:
            notes.append(
                f"{self.unreadable:,} events have a user block that cannot be read and were left out"
            )
        return notes

    def top(self, most: int = _TALKERS) -> list[Talker]:
        """This will return the talkers that would fill the log most, then those whose events go."""
        order = sorted(
            self.talkers.values(),
            key=lambda talker: (
                -talker.tally.bytes_after,
                -talker.tally.bytes_before,
                talker.user,
                talker.action,
            ),
        )
        return order[:most]


class Simulator:
    """Takes events one by one, so that a file of any size can be simulated in little memory."""

    def __init__(self, policy: Policy) -> None:
        self._matcher = Matcher(policy)
        self.result = Simulation(rules={index: Tally() for index in range(len(policy.rules))})

    def add(self, event: Event, raw_size: int) -> None:
        """This will take one event with the size it was stored in."""
        try:
            request = request_of(event)
        except (msgspec.DecodeError, RecursionError):
            self.result.unreadable += 1
            return
        decision = self._matcher.decide(request)
        self._span(event)
        tallies = self._tallies(request, decision)
        if decision.level is Level.NONE or event.stage in decision.omit_stages:
            for tally in tallies:
                tally.drop(raw_size)
            return
        size = size_at(event, raw_size, decision.level, omit_managed_fields=decision.omit_managed_fields)
        change = decision.level.rank - _RANKS.get(event.level, decision.level.rank)
        for tally in tallies:
            tally.count(raw_size, size.bytes, change, size.known)
        self.result.received_seen += event.stage == Stage.REQUEST_RECEIVED
        missing = (
            event.stage == Stage.RESPONSE_COMPLETE and Stage.REQUEST_RECEIVED not in decision.omit_stages
        )
        self.result.received_wanted += missing

    def _tallies(self, request: Request, decision: Decision) -> tuple[Tally, Tally, Tally]:
        result = self.result
        user = request.user if request.user is not None else "(401)"
        key = (user, f"{request.verb} {request.target}", decision.rule)
        talker = result.talkers.get(key)
        if talker is None:
            talker = result.talkers[key] = Talker(*key)
        if decision.rule not in result.rules:
            result.rules[decision.rule] = Tally()
        return result.total, result.rules[decision.rule], talker.tally

    def _span(self, event: Event) -> None:
        at = event.stageTimestamp or event.requestReceivedTimestamp or event.timestamp
        if at is None:
            return
        result = self.result
        if result.first is None or at < result.first:
            result.first = at
        if result.last is None or at > result.last:
            result.last = at


def simulate(policy: Policy, events: Iterable[tuple[Event, int]]) -> Simulation:
    """This will run a policy over stored events, each with the bytes it takes."""
    simulator = Simulator(policy)
    for event, raw_size in events:
        simulator.add(event, raw_size)
    return simulator.result
