"""What a rule needs the audit policy to keep, worked out from the rule itself.

Asked of every sort of request the rule tells apart (see `worlds`): at which audit level can it match, at which does it see all
it looks for, and where would a lower level make it fire blindly, because it asks for something *not* to be there?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from anomaly.events.shape import Shape
from anomaly.rules.compile import RuleSet, narrow_knowledge
from anomaly.rules.correlation import Correlation
from anomaly.rules.fields import LEVELS, VERBS
from anomaly.rules.rule import Rule, Stages
from anomaly.rules.tree import Node, every, fields_of, reduce
from anomaly.rules.worlds import OTHER, OUTCOME_FIELDS, dead, shape_for, targets_of

ANY: Final = "*"
_OUTCOMES: Final = (
    (200, "allow"),
    (101, "allow"),
    (201, "allow"),
    (403, "forbid"),
    (404, "allow"),
    (401, ""),
    (500, "allow"),
)
_NAMES: Final = {
    Stages.FINAL: "ResponseComplete",
    Stages.OPENED: "ResponseStarted",
    Stages.RECEIVED: "RequestReceived",
}


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """Requests a rule looks at. `*` stands for any; an empty resource for requests of other paths than resources."""

    verb: str
    group: str
    resource: str
    subresource: str


@dataclass(frozen=True, slots=True)
class Reach:
    """What is needed for one target: the lowest level at which the rule can match at all, and that at which it sees all.

    `blind_below` names levels at which the rule would match without having seen what it asks about.
    """

    target: Target
    some: str
    whole: str
    blind_below: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """A rule's needs. `stages` are kube-apiserver's names; `fields` all fields tested, `bodies` those inside bodies."""

    rule: str
    reaches: tuple[Reach, ...]
    stages: tuple[str, ...]
    fields: tuple[str, ...]
    bodies: tuple[str, ...]

    @property
    def level(self) -> str:
        """The level that lets the rule see all it looks for."""
        return max((reach.whole for reach in self.reaches), key=LEVELS.index, default="Metadata")


def needs(rules: RuleSet) -> list[Need]:
    """This will return the needs of every rule, and of every correlation as those of its rules together."""
    by_rule = {rule.id: need_of(rule) for rule in rules.rules}
    return [*by_rule.values(), *(_joined(one, by_rule) for one in rules.correlations)]


def need_of(rule: Rule) -> Need:
    """This will return what one rule needs."""
    fields = sorted(fields_of(rule.condition), key=lambda field: field.name)
    asked = {field.name for field in fields}
    return Need(
        rule.id,
        tuple(_reaches(rule.condition, asked)),
        _stages(rule),
        tuple(field.name for field in fields),
        tuple(field.name for field in fields if field.level != "Metadata"),
    )


def _joined(correlation: Correlation, by_rule: dict[str, Need]) -> Need:
    parts = [by_rule[rule] for rule in correlation.rules if rule in by_rule]

    def union(texts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(sorted({text for listed in texts for text in listed}))

    return Need(
        correlation.id,
        tuple(dict.fromkeys(reach for part in parts for reach in part.reaches)),
        union(part.stages for part in parts),
        union(part.fields for part in parts),
        union(part.bodies for part in parts),
    )


def _stages(rule: Rule) -> tuple[str, ...]:
    if rule.stages is not None:
        return tuple(_NAMES[stage] for stage in Stages if stage in rule.stages)
    return tuple(
        stage
        for stage in ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
        if any(
            not dead(reduce(rule.condition, narrow_knowledge(shape)))
            for shape in _shapes(rule.condition, {"verb"}, "RequestResponse", stage)
        )
    )


def _reaches(condition: Node, asked: set[str]) -> Iterator[Reach]:
    """One reach a target; verbs are told apart only when the rule does."""
    found: dict[Target, list[Shape]] = {}
    for shape in _shapes(condition, asked, LEVELS[-1], ""):
        found.setdefault(_target(shape, asked), []).append(shape)
    # Without bodies, and where the level itself is not asked, every level answers alike.
    alike = all(field.level == LEVELS[0] and field.name != "level" for field in fields_of(condition))
    for target, shapes in found.items():
        full = [_at(condition, shape, LEVELS[-1]) for shape in shapes]
        results = {
            level: full
            if alike or level == LEVELS[-1]
            else [_at(condition, shape, level) for shape in shapes]
            for level in LEVELS
        }
        seen = [level for level in LEVELS if any(not dead(node) for node in results[level])]
        if not seen:
            continue
        whole = next(level for level in LEVELS if results[level] == results[LEVELS[-1]])
        blind = tuple(
            level
            for level in LEVELS[:-1]
            if any(
                low is True and high is not True
                for low, high in zip(results[level], results[LEVELS[-1]], strict=True)
            )
        )
        yield Reach(target, seen[0], whole, blind)


def _at(condition: Node, shape: Shape, level: str) -> Node:
    at = (
        shape
        if level == shape.level
        else shape_for(
            *(
                shape.verb,
                shape.group,
                shape.resource,
                shape.subresource,
                shape.code,
                shape.decision,
                shape.stage,
                level,
            )
        )
    )
    node = reduce(condition, narrow_knowledge(at))
    return every([node])


def _shapes(condition: Node, asked: set[str], level: str, stage: str) -> Iterator[Shape]:
    """Outcomes are told apart only where a field does: most rules look at none, and seven shapes would answer alike."""
    verbs = (
        VERBS
        if "verb" in asked or any(field.level != "Metadata" for field in fields_of(condition))
        else (ANY,)
    )
    outcomes = ((0, ""),) if stage == "RequestReceived" else _OUTCOMES
    if not any(field.name in OUTCOME_FIELDS for field in fields_of(condition)):
        outcomes = outcomes[:1]
    for group, resource, sub in targets_of(condition):
        for verb in verbs:
            for code, decision in outcomes:
                yield shape_for(
                    verb, group, resource, sub, code, decision, stage or "ResponseComplete", level
                )


def _target(shape: Shape, asked: set[str]) -> Target:
    def shown(text: str) -> str:
        return ANY if text in {OTHER, "example.com"} else text

    return Target(shape.verb, shown(shape.group), shown(shape.resource), shown(shape.subresource))
