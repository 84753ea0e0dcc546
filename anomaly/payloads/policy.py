"""Answers about an audit policy, as data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.policy.cis import Check
    from anomaly.policy.coverage import Coverage
    from anomaly.policy.diff import Change, Side
    from anomaly.policy.generate import Generated
    from anomaly.policy.remark import Remark
    from anomaly.policy.simulate import Simulation, Tally


class RemarkPayload(TypedDict):
    """A trap of a policy: what it says, what follows from it, what to do. `path` is like `rules[0].users[0]`."""

    file: str
    id: str
    severity: str
    line: int
    says: str
    effect: str
    remedy: str
    path: str


class TallyPayload(TypedDict):
    """Counts of events by what becomes of them; with `unknown` ones, `bytes_after` is a lower bound."""

    events: int
    kept: int
    lowered: int
    raised: int
    dropped: int
    bytes_before: int
    bytes_after: int
    unknown: int


class RuleTallyPayload(TallyPayload):
    """The events one policy rule decides."""

    rule: str


class TalkerPayload(TallyPayload):
    """The events of one user and one action."""

    user: str
    action: str
    rule: int | None


class SimulationPayload(TypedDict):
    """A policy over observed events."""

    total: TallyPayload
    rules: list[RuleTallyPayload]
    talkers: list[TalkerPayload]
    notes: list[str]


class GapPayload(TypedDict):
    """A request that a rule or family does not see whole."""

    request: str
    sees: str
    level: str
    needs: str
    rule: int | None


class CoveragePayload(TypedDict):
    """What a rule or feature family sees under a policy: of `asked` requests it sees `whole` ones whole."""

    owner: str
    sees: str
    asked: int
    whole: int
    gaps: list[GapPayload]


class SidePayload(TypedDict):
    """What one policy does with a request."""

    rule: int | None
    level: str
    stages: list[str]
    omit_managed_fields: bool


class ChangePayload(TypedDict):
    """A request of which two policies write different things."""

    name: str
    request: str
    change: str
    before: SidePayload
    after: SidePayload


class GeneratedPayload(TypedDict):
    """A policy, what each rule and family sees under it, and which bodies were left out for whom."""

    policy: str
    coverage: list[CoveragePayload]
    withheld: dict[str, list[str]]


class CheckPayload(TypedDict):
    """One line of the CIS judgement."""

    control: str
    target: str
    verb: str
    passed: bool
    reason: str
    request: str
    level: str
    rule: int | None


def remark_payload(remark: Remark, file: str) -> RemarkPayload:
    """This will return a remark on a file as data."""
    made: Any = remark.as_json(file)
    return made  # type: ignore[no-any-return]


def tally_payload(tally: Tally) -> TallyPayload:
    """This will return counts as data."""
    return {
        "events": tally.events,
        "kept": tally.kept,
        "lowered": tally.lowered,
        "raised": tally.raised,
        "dropped": tally.dropped,
        "bytes_before": tally.bytes_before,
        "bytes_after": tally.bytes_after,
        "unknown": tally.unknown,
    }


def simulation_payload(result: Simulation, top: int) -> SimulationPayload:
    """This will return a simulation with so many talkers."""
    return {
        "total": tally_payload(result.total),
        "rules": [{"rule": rule_name(rule), **tally_payload(tally)} for rule, tally in result.rules.items()],
        "talkers": [
            {"user": one.user, "action": one.action, "rule": one.rule, **tally_payload(one.tally)}
            for one in result.top(top)
        ],
        "notes": list(result.notes),
    }


def coverage_payload(one: Coverage) -> CoveragePayload:
    """This will return what one rule or family sees as data."""
    made: Any = one.as_json()
    return made  # type: ignore[no-any-return]


def change_payload(change: Change) -> ChangePayload:
    """This will return a difference of two policies as data."""
    return {
        "name": change.name,
        "request": change.request.sentence,
        "change": change.kind,
        "before": _side(change.before),
        "after": _side(change.after),
    }


def generated_payload(result: Generated) -> GeneratedPayload:
    """This will return a generated policy as data."""
    return {
        "policy": result.text,
        "coverage": [coverage_payload(item) for item in result.coverage],
        "withheld": {owner: [str(name) for name in names] for owner, names in result.withheld.items()},
    }


def checks_payload(checks: Iterable[Check]) -> list[CheckPayload]:
    """This will return the CIS judgement as data."""
    return [
        {
            "control": check.control,
            "target": check.target,
            "verb": check.verb,
            "passed": check.passed,
            "reason": check.reason,
            "request": check.request,
            "level": check.level,
            "rule": check.rule,
        }
        for check in checks
    ]


def rule_name(rule: int | None) -> str:
    """This will return how a policy rule is called: `rules[0]`, or that there is none."""
    return "no rule" if rule is None else f"rules[{rule}]"


def _side(side: Side) -> SidePayload:
    return {
        "rule": side.rule,
        "level": str(side.level),
        "stages": [str(stage) for stage in side.stages],
        "omit_managed_fields": side.omit_managed_fields,
    }
