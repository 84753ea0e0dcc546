"""What rules and feature families see under a policy: all, part, nothing, or so little that they always fire.

Every need is asked as synthetic requests, through the same matching as the server's (`match`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from anomaly.policy.document import Level, Policy
from anomaly.policy.match import Matcher, stages_of
from anomaly.policy.need import Need
from anomaly.policy.request import Request


class Sight(StrEnum):
    """How much an owner of needs sees."""

    ALL = "all"
    PART = "part"
    BLIND = "blind"
    ALWAYS = "always-fires"


@dataclass(frozen=True, slots=True)
class Gap:
    """A request of which the owner sees less than it needs. `wanted` is the level that would do."""

    request: Request
    sight: Sight
    level: Level
    wanted: Level
    rule: int | None

    @property
    def sentence(self) -> str:
        blame = "no rule matches" if self.rule is None else f"rules[{self.rule}]"
        return f"{self.request.sentence}: {self.level} by {blame}, needs {self.wanted}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one owner sees. `asked` counts the synthetic requests, `seen` those seen whole."""

    owner: str
    sight: Sight
    asked: int
    seen: int
    gaps: tuple[Gap, ...]

    def as_json(self) -> dict[str, object]:
        """This will return it with the gaps in words."""
        gaps = [
            {
                "request": gap.request.sentence,
                "sees": str(gap.sight),
                "level": str(gap.level),
                "needs": str(gap.wanted),
                "rule": gap.rule,
            }
            for gap in self.gaps
        ]
        return {
            "owner": self.owner,
            "sees": str(self.sight),
            "asked": self.asked,
            "whole": self.seen,
            "gaps": gaps,
        }


def coverage(policy: Policy, needs: Iterable[Need]) -> list[Coverage]:
    """This will judge every owner of needs, in the order of their first need."""
    matcher = Matcher(policy)
    results: dict[str, list[Gap | None]] = {}
    for need in needs:
        results.setdefault(need.owner, []).extend(
            _asked(matcher, need, request) for request in need.requests()
        )
    return [_judged(owner, found) for owner, found in results.items()]


def _asked(matcher: Matcher, need: Need, request: Request) -> Gap | None:
    """The gap at one request, None when it is seen whole."""
    decision = matcher.decide(request)
    happening = [stage for stage in stages_of(request) if stage in need.stages]
    level = next(iter(decision.stages(happening or stages_of(request)).values()), Level.NONE)
    if level is Level.NONE or (level.rank < need.some.rank and level not in need.blind_at):
        return Gap(request, Sight.BLIND, level, need.whole, decision.rule)
    if level in need.blind_at:
        return Gap(request, Sight.ALWAYS, level, need.whole, decision.rule)
    return (
        Gap(request, Sight.PART, level, need.whole, decision.rule) if level.rank < need.whole.rank else None
    )


def _judged(owner: str, found: list[Gap | None]) -> Coverage:
    gaps = tuple(gap for gap in found if gap is not None)
    seen = len(found) - len(gaps)
    if any(gap.sight is Sight.ALWAYS for gap in gaps):
        sight = Sight.ALWAYS
    elif not gaps:
        sight = Sight.ALL
    else:
        sight = (
            Sight.BLIND
            if len(gaps) == len(found) and all(gap.sight is Sight.BLIND for gap in gaps)
            else Sight.PART
        )
    return Coverage(owner, sight, len(found), seen, gaps)
