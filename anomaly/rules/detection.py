"""Sigma's `detection` as our own tree: pySigma parses and applies modifiers, this file says what the result means here."""

from __future__ import annotations

from typing import Final

import re2
from sigma.conditions import ConditionAND, ConditionIdentifier, ConditionNOT, ConditionOR, ConditionSelector
from sigma.modifiers import SigmaEndswithModifier, SigmaStartswithModifier
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine, RegexPattern
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
    TimestampPart,
)

from anomaly.rules.expression import TOO_LARGE, expression
from anomaly.rules.fields import KEYWORDS, Field, field_of
from anomaly.rules.tree import Atom, Node, either, every, never
from anomaly.rules.value import Op, Test, wildcard

MAX_CONDITION: Final = 4_000
MAX_PARENTHESES: Final = 15
_COMPARE: Final = {
    CompareOperators.LT: Op.LT,
    CompareOperators.LTE: Op.LTE,
    CompareOperators.GT: Op.GT,
    CompareOperators.GTE: Op.GTE,
}
_PARTS: Final = {part: Op[part.name] for part in TimestampPart}
_FLAGS: Final = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}
_MANY, _ONE = SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE


class DetectionInvalid(ValueError):
    """A detection says something that cannot be; `selection` and `item` tell where, the hint what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class _QuietRe2(RE2RegexEngine):
    """RE2 that reports by exception alone; its default also writes to stderr."""

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        try:
            return expression(pattern)  # type: ignore[no-any-return]
        except re2.error as error:
            reason = _words(error)
            if "too large" in reason:
                raise DetectionInvalid(
                    f"regular expression {pattern[:80]!r}: {TOO_LARGE}", "repeat less, or split it"
                ) from None
            raise DetectionInvalid(
                f"regular expression {pattern[:80]!r}: {reason}",
                "look-around and back-references cannot be matched in linear time and are not supported",
            ) from None


POLICY: Final = SigmaPolicy(regex_engine=_QuietRe2())


def _words(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)


def selection_tree(detection: SigmaDetection) -> Node:
    """This will turn one selection into a tree. Raises DetectionInvalid."""
    parts = [
        item_tree(item) if isinstance(item, SigmaDetectionItem) else selection_tree(item)
        for item in detection.detection_items
    ]
    return every(parts) if detection.item_linking is ConditionAND else either(parts)


def item_tree(item: SigmaDetectionItem) -> Node:
    """This will turn one line of a selection, `field|modifiers: values`, into a tree. Raises DetectionInvalid."""
    if not item.value:
        raise DetectionInvalid(
            f"{item.field or 'keywords'} has an empty list of values", "say what it must be"
        )
    field = KEYWORDS if item.field is None else field_of(item.field)
    if field is None:
        raise DetectionInvalid(f"unknown field {item.field}")
    parts = [_value(field, value, item) for value in item.value]
    tree = every(parts) if item.value_linking is ConditionAND else either(parts)
    return never(tree) if item.negated else tree


def _value(field: Field, value: SigmaType, item: SigmaDetectionItem) -> Node:
    if isinstance(value, SigmaExpansion):
        return either([_value(field, inner, item) for inner in value.values])
    if isinstance(value, SigmaFieldReference):
        return _reference(field, value)
    return Atom(field, _test(field, value, item))


def _test(field: Field, value: SigmaType, item: SigmaDetectionItem) -> Test:
    if isinstance(value, SigmaString):
        return _string(value, inside=field is KEYWORDS)
    if isinstance(value, SigmaTimestampPart):
        return Test(_PARTS[value.timestamp_part], (value.number,))
    if isinstance(value, SigmaNumber):
        return Test(Op.CONTAINS if field is KEYWORDS else Op.EQUALS, (str(value.number),))
    if isinstance(value, SigmaBool):
        return Test(Op.EQUALS, ("true" if value.boolean else "false",))
    if isinstance(value, SigmaNull):
        return Test(Op.ABSENT)
    if isinstance(value, SigmaExists):
        return Test(Op.EXISTS, (bool(value),))
    if isinstance(value, SigmaRegularExpression):
        return Test(Op.REGEX, (_regex(value, item),))
    if isinstance(value, SigmaCIDRExpression):
        return Test(Op.NETWORK, (str(value.network),))
    if isinstance(value, SigmaCompareExpression) and value.op in _COMPARE:
        return Test(_COMPARE[value.op], (value.number.number,))
    raise DetectionInvalid(f"{type(value).__name__} is not supported here")


def _string(value: SigmaString, *, inside: bool) -> Test:
    cased = isinstance(value, SigmaCasedString)
    if any(isinstance(part, Placeholder) for part in value.s):
        raise DetectionInvalid(
            "the modifier `expand` needs a list that is not part of the rule", "write the values out"
        )
    parts = [part if isinstance(part, str) else None if part is _MANY else False for part in value.s]
    texts = [part if cased else part.casefold() for part in parts if isinstance(part, str)]
    suffix = "_CASED" if cased else ""
    if inside:
        parts = [*([] if parts[:1] == [None] else [None]), *parts, *([] if parts[-1:] == [None] else [None])]
    match parts:
        case []:
            return Test(Op.ABSENT)
        case [str()]:
            return Test(Op.CASED if cased else Op.EQUALS, (texts[0],))
        case [None]:
            return Test(Op.EXISTS, (True,))
        case [None, str(), None]:
            return Test(Op[f"CONTAINS{suffix}"], (texts[0],))
        case [str(), None]:
            return Test(Op[f"STARTS{suffix}"], (texts[0],))
        case [None, str()]:
            return Test(Op[f"ENDS{suffix}"], (texts[0],))
    return Test(Op.REGEX, (wildcard(parts, cased=cased),))


def _regex(value: SigmaRegularExpression, item: SigmaDetectionItem) -> str:
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    pattern = str(value.regexp)
    # searched for anywhere, so the anchored modifiers must say what pySigma leaves to whole-value engines
    if SigmaStartswithModifier in item.modifiers:
        pattern = rf"\A(?:{pattern})"
    if SigmaEndswithModifier in item.modifiers:
        pattern = rf"(?:{pattern})\z"
    return f"(?{flags}){pattern}" if flags else pattern


def _reference(field: Field, value: SigmaFieldReference) -> Node:
    other = field_of(value.field)
    if other is None:
        raise DetectionInvalid(f"unknown field {value.field}")
    ends = (value.starts_with, value.ends_with)
    op = {
        (True, True): Op.SAME_INSIDE,
        (True, False): Op.SAME_START,
        (False, True): Op.SAME_END,
        (False, False): Op.SAME,
    }
    return Atom(field, Test(op[ends]), other)


def condition_tree(detections: SigmaDetections, selections: dict[str, Node]) -> Node:
    """This will turn the condition (several: one must hold) into a tree over the selections. Raises DetectionInvalid."""
    parts: list[Node] = []
    for condition in detections.parsed_condition:
        check_condition(condition.condition)
        parts.append(_condition(condition.parse(postprocess=False), detections, selections))
    return either(parts)


def check_condition(condition: object) -> None:
    """This will refuse a condition that would be slow to parse, before it is parsed. Raises DetectionInvalid."""
    if not isinstance(condition, str):
        raise DetectionInvalid("the condition must be text")
    if len(condition) > MAX_CONDITION:
        raise DetectionInvalid(
            f"the condition is longer than {MAX_CONDITION:,} characters", "use 1 of selection*"
        )
    if condition.count("(") > 200 or _depth(condition) > MAX_PARENTHESES:
        raise DetectionInvalid(f"parentheses are nested more than {MAX_PARENTHESES} deep")


def _depth(text: str) -> int:
    depth = deepest = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        deepest = max(deepest, depth)
    return deepest


def _condition(node: object, detections: SigmaDetections, selections: dict[str, Node]) -> Node:
    if isinstance(node, ConditionSelector):
        found = [selections[one.identifier] for one in node.resolve_referenced_detections(detections)]
        if not found:
            raise DetectionInvalid(f"`{node.args[0]} of {node.pattern}` names no selection")
        return every(found) if node.cond_class is ConditionAND else either(found)
    if isinstance(node, ConditionIdentifier):
        if node.identifier not in selections:
            raise DetectionInvalid(f"the condition names {node.identifier!r}, which is no selection")
        return selections[node.identifier]
    if isinstance(node, ConditionAND | ConditionOR | ConditionNOT):
        parts = [_condition(part, detections, selections) for part in node.args]
        if isinstance(node, ConditionNOT):
            return never(parts[0])
        return every(parts) if isinstance(node, ConditionAND) else either(parts)
    raise DetectionInvalid("the condition is empty")
