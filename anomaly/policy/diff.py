"""What changes between two policies: not in their text, but in what is written of requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from anomaly.policy.document import Policy
from anomaly.policy.match import Decision, Matcher, stages_of
from anomaly.policy.request import Request


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the policies does with a request."""

    rule: int | None
    level: str
    stages: tuple[str, ...]
    omit_managed_fields: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A request of which the two policies write different things. `name` is the request's own, or "" for a synthetic one."""

    name: str
    request: Request
    before: Side
    after: Side

    @property
    def kind(self) -> str:
        """`Metadata to None`, or what else changes when the level stays."""
        if self.before.level != self.after.level:
            return f"{self.before.level} to {self.after.level}"
        return "stages" if self.before.stages != self.after.stages else "managedFields"


def diff(
    before: Policy, after: Policy, asked: Iterable[tuple[str, Request, tuple[str, ...] | None]]
) -> list[Change]:
    """This will return the requests that the policies treat differently. Each comes with its name and, if known, its stages."""
    old, new = Matcher(before), Matcher(after)
    changes = []
    for name, request, happening in asked:
        stages = happening if happening is not None else stages_of(request)
        left, right = _side(old.decide(request), stages), _side(new.decide(request), stages)
        if (left.level, left.stages, left.omit_managed_fields) != (
            right.level,
            right.stages,
            right.omit_managed_fields,
        ):
            changes.append(Change(name, request, left, right))
    return changes


def _side(decision: Decision, happening: tuple[str, ...]) -> Side:
    """Nothing written is level None, whatever the rule says; managedFields matter only where there are bodies."""
    written = decision.stages(happening)
    if not written:
        return Side(decision.rule, "None", (), False)
    managed = decision.omit_managed_fields and decision.level.rank > 1
    return Side(decision.rule, str(decision.level), tuple(written), managed)
