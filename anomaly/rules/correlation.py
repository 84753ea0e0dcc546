"""Sigma correlations: several matches that together mean more, as a pure function of the matches stored.

No state is kept beside the matches. So a late event, a second replica or a replay gives the same answer: whoever has the same
set of matches finds the same (Sigma correlation rules specification 2). Times are microseconds since 1970.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)

from anomaly.events.event import Event
from anomaly.events.shape import Shape
from anomaly.rules.document import Data, Document, Where
from anomaly.rules.fields import Field, field_of
from anomaly.rules.problem import Problem, RuleFileInvalid, closest
from anomaly.rules.rule import Card, Rule
from anomaly.rules.view import View
from anomaly.rules.words import joined

MAX_TIMESPAN: Final = 30 * 86400
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}


class Kind(StrEnum):
    """What is counted in a window of the timespan."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"


class Match(NamedTuple):
    """One event that met a rule, as a correlation remembers it. `key` identifies the event; `value` is for value_count.

    A tuple, because a flood makes many of them and looks each up several times.
    """

    time: int
    key: str
    rule: str
    group: tuple[str, ...] = ()
    value: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Correlation:
    """A correlation over rules named in `rules`. `timespan` is in seconds, `threshold` is compared by `compare`.

    `aliases` gives, per alias and rule, the field that stands for it in `group_by`. `expression` is the tree of an extended
    condition: a rule's name, or ("and" | "or" | "not", parts...).
    """

    card: Card
    kind: Kind
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    timespan: int
    compare: str = "gte"
    threshold: float = 1
    counted: tuple[str, ...] = ()
    aliases: Mapping[str, Mapping[str, str]] | None = None
    expression: Any = None
    generate: bool = False
    timeframe: int = 3600

    @property
    def id(self) -> str:
        return self.card.id

    @property
    def title(self) -> str:
        return self.card.title

    @property
    def severity(self) -> str:
        return self.card.severity

    @property
    def attack(self) -> tuple[str, ...]:
        return self.card.attack

    def resolved(self, names: Mapping[str, str]) -> Correlation:
        """This will return the correlation with every reference replaced by a rule's id. Raises KeyError for an unknown one."""
        aliases = {
            alias: {names[ref]: field for ref, field in fields.items()}
            for alias, fields in (self.aliases or {}).items()
        }
        rules = tuple(dict.fromkeys(names[ref] for ref in self.rules))
        return replace(self, rules=rules, aliases=aliases, expression=_renamed(self.expression, names))

    def capture(self, rule: Rule, event: Event, shape: Shape, *, key: str, time: int) -> Match | None:
        """This will return what is to be stored of a match of `rule`, or None when the correlation does not look at it."""
        if rule.id not in self.rules:
            return None
        view = View(event, shape)
        group = tuple(joined(self._values(name, rule.id, view)) for name in self.group_by)
        value = tuple(joined(self._values(name, rule.id, view)) for name in self.counted)
        return Match(time, key, rule.id, group, value)

    def _values(self, name: str, rule: str, view: View) -> tuple[str | int | float | bool, ...]:
        real = (self.aliases or {}).get(name, {}).get(rule, name)
        field = field_of(real)
        return field.values(view) if field else ()

    def holds(self, number: float) -> bool:
        """This will compare a count with the threshold."""
        return _COMPARE[self.compare](number, self.threshold)

    def meets(self, present: set[str]) -> bool:
        """This will tell whether the rules present in a window satisfy a temporal correlation."""
        return (
            _evaluate(self.expression, present) if self.expression is not None else self.holds(len(present))
        )


def _evaluate(node: Any, present: set[str]) -> bool:
    if isinstance(node, str):
        return node in present
    word, *parts = node
    if word == "not":
        return not _evaluate(parts[0], present)
    results = (_evaluate(part, present) for part in parts)
    return all(results) if word == "and" else any(results)


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if node is None:
        return None
    if isinstance(node, str):
        return names[node]
    return (node[0], *(_renamed(part, names) for part in node[1:]))


def parse_correlation(
    document: Document, data: dict[str, Data], card: Card, *, timeframe: int, **_unused: Any
) -> Correlation:
    """This will read a correlation document. Raises RuleFileInvalid."""
    where: Where = ("correlation",)
    body = data["correlation"]
    kind = body.get("type") if isinstance(body, dict) else None
    if not isinstance(body, dict) or kind not in set(Kind):
        hint = closest(str(kind), Kind) or f"one of {', '.join(Kind)}"
        raise RuleFileInvalid(
            [document.problem((*where, "type"), f"{kind!r} is no supported correlation", hint)]
        )
    try:
        sigma = SigmaCorrelationRule.from_dict(dict(data))
        found = _read(sigma, card, Kind(kind), timeframe, body)
    except Exception as error:  # pySigma meets wrong types with whatever exception comes first
        raise RuleFileInvalid([document.problem(where, str(error)[:300])]) from error
    problems = _faults(document, found)
    if problems:
        raise RuleFileInvalid(problems)
    return found


def _read(
    sigma: SigmaCorrelationRule, card: Card, kind: Kind, timeframe: int, body: dict[str, Data]
) -> Correlation:
    rules = tuple(reference.reference for reference in sigma.referenced_rules or sigma.rules or ())
    condition = sigma.condition
    expression = None
    compare, threshold = "gte", float(len(set(rules)))
    counted: tuple[str, ...] = ()
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        expression = _tree(condition.parsed)
        rules = rules or tuple(condition.get_referenced_rules())
    elif "condition" in body or kind is Kind.EVENT_COUNT:
        compare, threshold = condition.op.name.lower(), float(condition.count)
        fields = condition.fieldref or ()
        counted = (fields,) if isinstance(fields, str) else tuple(fields)
    aliases = {
        alias.alias: {reference.reference: str(name) for reference, name in alias.mapping.items()}
        for alias in sigma.aliases
    }
    return Correlation(
        card=card,
        kind=kind,
        rules=rules,
        group_by=tuple(sigma.group_by or ()),
        timespan=sigma.timespan.seconds,
        compare=compare,
        threshold=threshold,
        counted=counted,
        aliases=aliases,
        expression=expression,
        generate=sigma.generate,
        timeframe=timeframe,
    )


def _tree(node: object) -> Any:
    if isinstance(node, SigmaRuleReference):
        return node.reference
    words = {CorrelationConditionAND: "and", CorrelationConditionOR: "or", CorrelationConditionNOT: "not"}
    word = words[type(node)]  # type: ignore[index]
    return (word, *(_tree(part) for part in node.args))  # type: ignore[attr-defined]


def _faults(document: Document, found: Correlation) -> list[Problem]:
    problems = []
    if found.timespan > MAX_TIMESPAN:
        problems.append(document.problem(("correlation", "timespan"), "the timespan is longer than 30 days"))
    if not found.rules:
        problems.append(document.problem(("correlation", "rules"), "the correlation names no rules"))
    if found.kind is Kind.TEMPORAL_ORDERED and found.expression is not None:
        problems.append(
            document.problem(("correlation", "condition"), "an order cannot be told from an expression")
        )
    aliases = found.aliases or {}
    named: list[tuple[Where, str]] = [(("group-by",), one) for one in found.group_by if one not in aliases]
    named += [(("condition",), one) for one in found.counted]
    named += [(("aliases", alias), one) for alias, fields in aliases.items() for one in fields.values()]
    for where, name in named:
        if field_of(name) is None:
            from anomaly.rules.parse import field_hint

            problems.append(
                document.problem(("correlation", *where), f"unknown field {name!r}", field_hint(name))
            )
    return problems


def fields_tested(correlation: Correlation) -> set[Field]:
    """This will return the fields a correlation groups by or counts."""
    aliased = [one for fields in (correlation.aliases or {}).values() for one in fields.values()]
    names = {*correlation.group_by, *correlation.counted, *aliased}
    return {field for field in map(field_of, names) if field is not None}
