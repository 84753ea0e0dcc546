"""What a check of rules found, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.rules import Problem


class RuleProblemPayload(TypedDict):
    """A mistake in a rule file, with its place. `gravity` is error or remark."""

    file: str
    line: int
    column: int
    gravity: str
    message: str
    hint: str


class RuleCheckPayload(TypedDict):
    """What checking rules found: how many rules were read, how many problems are errors."""

    rules: int
    errors: int
    problems: list[RuleProblemPayload]


def rule_check_payload(rules: int, problems: list[Problem]) -> RuleCheckPayload:
    """This will return what a check found."""
    return {
        "rules": rules,
        "errors": sum(problem.gravity == "error" for problem in problems),
        "problems": [rule_problem_payload(one) for one in problems],
    }


def rule_problem_payload(one: Problem) -> RuleProblemPayload:
    """This will return one mistake as data."""
    return {
        "file": one.file,
        "line": one.line,
        "column": one.column,
        "gravity": str(one.gravity),
        "message": one.message,
        "hint": one.hint or "",
    }
