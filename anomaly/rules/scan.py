"""Rules over a stream of events, without a database: every match once, correlations at the end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from anomaly.events.decode import Decoded
from anomaly.events.event import Event
from anomaly.events.key import received_at
from anomaly.events.shape import Shape
from anomaly.rules.compile import Plan, RuleSet
from anomaly.rules.correlate import SECOND, Episode, correlate
from anomaly.rules.correlation import Correlation, Match
from anomaly.rules.rule import Rule
from anomaly.rules.words import printable

MAX_PLANS: Final = 1 << 15
MAX_REMEMBERED: Final = 1 << 17
"""Matches remembered so that one request is not told twice, at its opening and at its end."""
MAX_EVIDENCE: Final = 50


@dataclass(frozen=True, slots=True)
class Hit:
    """One match, or one episode of a correlation, as `anomaly scan` prints it. `evidence` are audit ids, oldest first."""

    time: datetime
    rule: str
    title: str
    severity: str
    attack: tuple[str, ...]
    entity: str
    entity_kind: str
    audit_id: str
    why: str
    group: tuple[str, ...]
    correlation: bool = False
    count: int = 1
    evidence: tuple[str, ...] = ()


class Scan:
    """Takes decoded events batch by batch. Counts what it saw: `events`, `hits`, and `rejects` of the decoder."""

    def __init__(self, rules: RuleSet) -> None:
        self.events = self.hits = self.rejects = 0
        self._rules = rules
        self._plans: dict[Shape, Plan] = {}
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._watched = {rule for one in rules.correlations for rule in one.rules}
        self._matches: dict[str, set[Match]] = {one.id: set() for one in rules.correlations}

    def feed(self, decoded: Decoded) -> Iterator[Hit]:
        """This will yield the matches of a batch in order. Silent rules only feed correlations."""
        self.events += len(decoded.events)
        self.rejects += len(decoded.rejects)
        plans = self._plans
        for event, shape in zip(decoded.events, decoded.shapes, strict=True):
            plan = plans.get(shape)
            if plan is None:
                if len(plans) >= MAX_PLANS:
                    plans.clear()
                plan = plans[shape] = self._rules.plan(shape)
            for rule in plan.certain:
                yield from self._hit(rule, event, shape)
            if plan.check is not None:
                for rule in plan.check(event, shape):
                    yield from self._hit(rule, event, shape)

    def finish(self) -> Iterator[Hit]:
        """This will yield the episodes of the correlations, over everything fed."""
        for correlation in self._rules.correlations:
            for episode in correlate(correlation, self._matches[correlation.id]):
                self.hits += 1
                yield _episode_hit(correlation, episode)

    def _hit(self, rule: Rule, event: Event, shape: Shape) -> Iterator[Hit]:
        moment = received_at(event) or datetime.fromtimestamp(0, UTC)
        key = "\0".join((event.auditID, shape.user.username, event.requestURI, moment.isoformat()))
        if (rule.id, key) in self._told:
            return
        self._told[rule.id, key] = None
        if len(self._told) > MAX_REMEMBERED:
            self._told.popitem(last=False)
        if rule.id in self._watched:
            self._keep(rule, event, shape, key, int(moment.timestamp() * SECOND))
        if not rule.silent:
            self.hits += 1
            yield _hit(rule, event, shape, moment)

    def _keep(self, rule: Rule, event: Event, shape: Shape, key: str, time: int) -> None:
        for correlation in self._rules.correlations:
            match = correlation.capture(rule, event, shape, key=key, time=time)
            if match is not None:
                self._matches[correlation.id].add(match)


def _hit(rule: Rule, event: Event, shape: Shape, moment: datetime) -> Hit:
    identity = shape.identity
    return Hit(
        time=moment,
        rule=rule.id,
        title=rule.title,
        severity=rule.severity,
        attack=rule.attack,
        entity=identity.username,
        entity_kind=identity.kind.value,
        audit_id=event.auditID,
        why=rule.why(event, shape),
        group=rule.group_key(event, shape),
        evidence=(event.auditID,),
    )


def _episode_hit(correlation: Correlation, episode: Episode) -> Hit:
    ids = [key.split("\0")[0] for key in episode.evidence]
    users = dict.fromkeys(key.split("\0")[1] for key in episode.evidence)
    minutes = max(1, round((episode.end - episode.start) / SECOND / 60))
    whom = printable(", ".join(episode.group)) or "all together"
    return Hit(
        time=datetime.fromtimestamp(episode.start / SECOND, UTC),
        rule=correlation.id,
        title=correlation.title,
        severity=correlation.severity,
        attack=correlation.attack,
        entity=next(iter(users)) if len(users) == 1 else "",
        entity_kind="",
        audit_id=ids[-1],
        why=f"{correlation.title}: {len(ids)} events of {', '.join(correlation.rules)} in {minutes} min for {whom}.",
        group=episode.group,
        correlation=True,
        count=len(ids),
        evidence=tuple(ids[:MAX_EVIDENCE]),
    )
