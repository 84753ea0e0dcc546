"""A rule's own examples, run: does it fire where it should, and stay quiet where it should?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from anomaly.events.decode import Decoded, decode_lines
from anomaly.events.key import received_at
from anomaly.rules.compile import RuleSet
from anomaly.rules.correlate import SECOND, correlate
from anomaly.rules.correlation import Correlation, Match
from anomaly.rules.rule import Example, Rule


@dataclass(frozen=True, slots=True)
class Trial:
    """One example and what became of it; `fault` is empty when it went as it should."""

    rule: str
    example: Example
    fault: str

    @property
    def passed(self) -> bool:
        return not self.fault


def trials(rules: RuleSet) -> Iterator[Trial]:
    """This will run every example of every rule and correlation of the set."""
    for rule in rules.rules:
        for example in rule.card.examples:
            yield Trial(rule.id, example, _fault(rules, rule, example))
    for correlation in rules.correlations:
        for example in correlation.card.examples:
            yield Trial(correlation.id, example, _fault(rules, correlation, example))


def _fault(rules: RuleSet, one: Rule | Correlation, example: Example) -> str:
    decoded = decode_lines(b"\n".join(example.events))
    if decoded.rejects:
        return f"the example is no audit event: {decoded.rejects[0].reason}"
    if isinstance(one, Correlation):
        fired = bool(correlate(one, captured(rules, one, decoded)))
    else:
        fired = any(
            one in rules.matches(event, shape)
            for event, shape in zip(decoded.events, decoded.shapes, strict=True)
        )
    if fired is example.firing:
        return ""
    return "it stays quiet and should fire" if example.firing else "it fires and should stay quiet"


def captured(rules: RuleSet, correlation: Correlation, decoded: Decoded) -> list[Match]:
    """This will return the matches of decoded events that a correlation works on, keyed by their place in the batch."""
    found = []
    for place, (event, shape) in enumerate(zip(decoded.events, decoded.shapes, strict=True)):
        moment = received_at(event)
        time = int(moment.timestamp() * SECOND) if moment else 0
        for rule in rules.matches(event, shape):
            match = correlation.capture(rule, event, shape, key=str(place), time=time)
            if match is not None:
                found.append(match)
    return found
