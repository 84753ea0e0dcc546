"""What a trial says about the product: what was found by what, how soon, how high up, how rightly, and what it cost in false ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from anomaly.findings.finding import Finding, FindingKind, Severity
from anomaly.trials.causes import names_cause
from anomaly.trials.labels import Episode, found_by
from anomaly.trials.trial import Outcome, Plan

DAY: Final = timedelta(days=1)
NEAR: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Met:
    """What became of one run of a scenario. Ranks count from 1; seconds are of the log's own time, from its first request to the
    end of the window that showed it (rules: to the request that matched)."""

    episode: Episode
    in_log: int
    rules: tuple[str, ...]
    behaviour: tuple[str, ...]
    rank: int | None
    behaviour_rank: int | None
    seconds: float | None
    behaviour_seconds: float | None
    cause: bool | None
    """Whether a finding names it rightly; None when nothing was found or the label names no technique."""
    behaviour_cause: bool | None
    missed: str = ""
    """Why behaviour did not find it."""

    @property
    def found(self) -> bool:
        return bool(self.rules or self.behaviour)


@dataclass(frozen=True, slots=True)
class Tally:
    """All runs of one scenario or technique."""

    name: str
    met: tuple[Met, ...]

    def first(self, wanted: Callable[[Met], float | None]) -> float | None:
        """This will return the least of a figure over the runs, None where none has it."""
        return min((figure for one in self.met if (figure := wanted(one)) is not None), default=None)

    @property
    def by_rules(self) -> bool:
        return any(one.rules for one in self.met)

    @property
    def by_behaviour(self) -> bool:
        return any(one.behaviour for one in self.met)

    @property
    def cause(self) -> bool | None:
        """Whether a finding names it rightly."""
        said = [one.cause for one in self.met if one.cause is not None]
        return any(said) if said else None

    @property
    def behaviour_cause(self) -> bool | None:
        said = [one.behaviour_cause for one in self.met if one.behaviour_cause is not None]
        return any(said) if said else None


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a trial against its labels. `days` are days of the budget in the judged time."""

    plan: Plan
    outcome: Outcome
    met: tuple[Met, ...]
    early: int
    """Runs that lie in the training time and were not tried."""
    days: float
    false: tuple[Finding, ...]
    """Findings that rest on no labelled request."""

    @property
    def scenarios(self) -> tuple[Tally, ...]:
        return _tallies([(one.episode.scenario, one) for one in self.met])

    @property
    def techniques(self) -> tuple[Tally, ...]:
        return _tallies([(name, one) for one in self.met for name in one.episode.techniques or ("unnamed",)])

    def count(self, kind: FindingKind | None = None, at_least: Severity = Severity.INFO) -> int:
        """This will count findings of a kind, or of both, from a severity on."""
        return sum(
            kind in {None, one.kind} and one.severity.rank >= at_least.rank for one in self.outcome.findings
        )

    def a_day(self, kind: FindingKind | None = None, at_least: Severity = Severity.INFO) -> float | None:
        """This will return the same for a day of the budget, a log of less than a day counting as one; None when no time was
        judged."""
        return self.count(kind, at_least) / max(self.days, 1.0) if self.days > 0 else None


def report_of(outcome: Outcome, episodes: Sequence[Episode], plan: Plan, in_log: frozenset[str]) -> Report:
    """This will compare findings with labels. `in_log` are the labelled audit ids that the log holds."""
    tried = [episode for episode in episodes if episode.ends >= plan.train_until]
    found = found_by(outcome.findings, tried)
    met = tuple(_met(episode, found[place], outcome, plan, in_log) for place, episode in enumerate(tried))
    resting = {one.id for listed in found.values() for one in listed}
    days = max(((outcome.until or plan.train_until) - plan.train_until) / DAY * plan.time_scale, 0.0)
    false = tuple(one for one in outcome.findings if one.id not in resting)
    return Report(plan, outcome, met, len(episodes) - len(tried), days, false)


def _met(episode: Episode, found: list[Finding], outcome: Outcome, plan: Plan, in_log: frozenset[str]) -> Met:
    ours = [one for one in found if one.kind is FindingKind.BEHAVIOUR]
    places = {one.id: place for place, one in enumerate(outcome.findings, start=1)}
    own = [one for one in outcome.findings if one.kind is FindingKind.BEHAVIOUR]
    own_places = {one.id: place for place, one in enumerate(own, start=1)}
    met = Met(
        episode,
        len(episode.ids & in_log),
        tuple(dict.fromkeys(one.name for one in found if one.kind is FindingKind.RULE)),
        tuple(dict.fromkeys(one.name for one in ours)),
        min((places[one.id] for one in found), default=None),
        min((own_places[one.id] for one in ours), default=None),
        min((_delay(one, episode, plan) for one in found), default=None),
        min((_delay(one, episode, plan) for one in ours), default=None),
        _right(found, episode),
        _right(ours, episode),
    )
    if ours or not plan.behaviour:
        return met
    return replace(met, missed=_why_missed(episode, met.in_log, outcome, plan))


def _right(found: list[Finding], episode: Episode) -> bool | None:
    said = [names_cause(one, episode.techniques) for one in found]
    return None if not said or not episode.techniques else any(said)


def _delay(finding: Finding, episode: Episode, plan: Plan) -> float:
    seen = min(max(finding.start, episode.begins), max(episode.ends, finding.start))
    if finding.kind is FindingKind.BEHAVIOUR:
        since = seen - plan.train_until
        seen = plan.train_until + (since // plan.span + 1) * plan.span
    return max((seen - episode.begins).total_seconds(), 0.0)


def _why_missed(episode: Episode, in_log: int, outcome: Outcome, plan: Plan) -> str:
    if outcome.untrained:
        return f"no model: {outcome.untrained}"
    if episode.ids and not in_log:
        return "none of its requests is in the log"
    crowded = found_by(outcome.below, [episode])[0]
    if crowded:
        weightiest = max(crowded, key=lambda one: one.score)
        return f"its day had no room: {weightiest.name} is below the line, p = {weightiest.details.get('p-value', '?')}"
    near = [
        one.p_value
        for one in outcome.standings
        if one.username in episode.who
        and one.start < episode.ends + NEAR
        and episode.begins - NEAR < one.start + plan.span
    ]
    if not near:
        return "none of its users has a window then"
    line = outcome.judged.threshold.p_value if outcome.judged else 0.0
    if min(near) <= line:
        return f"its window deviates (p = {min(near):.2g}), but for another cause than its labelled requests"
    return f"its strangest window has p = {min(near):.2g}, above the line of {line:.2g}"


def _tallies(named: list[tuple[str, Met]]) -> tuple[Tally, ...]:
    found: dict[str, list[Met]] = {}
    for name, one in named:
        found.setdefault(name, []).append(one)
    return tuple(Tally(name, tuple(listed)) for name, listed in found.items())


def recall(tallies: Sequence[Tally], wanted: Callable[[Tally], bool]) -> dict[str, Any]:
    """This will return how many of the tallies are wanted, of how many, and the share."""
    found = sum(map(wanted, tallies))
    return {"found": found, "of": len(tallies), "share": found / len(tallies) if tallies else None}


def summary(report: Report) -> Mapping[str, Any]:
    """This will return the figures of a report as plain data."""
    scenarios = report.scenarios
    causes = [each for each in scenarios if each.cause is not None]
    own = [each for each in scenarios if each.behaviour_cause is not None]
    both = recall(scenarios, lambda each: each.by_rules or each.by_behaviour)
    return {
        "scenarios": {
            "rules": recall(scenarios, lambda each: each.by_rules),
            "behaviour": recall(scenarios, lambda each: each.by_behaviour),
            "both": both,
            "cause_named_right": recall(causes, lambda each: bool(each.cause)),
            "cause_named_right_by_behaviour": recall(own, lambda each: bool(each.behaviour_cause)),
        },
        "techniques": {
            "rules": recall(report.techniques, lambda each: each.by_rules),
            "behaviour": recall(report.techniques, lambda each: each.by_behaviour),
            "both": recall(report.techniques, lambda each: each.by_rules or each.by_behaviour),
        },
        "findings": {
            kind: {
                "all": report.count(of),
                "at_least_low": report.count(of, Severity.LOW),
                "a_day": report.a_day(of),
                "a_day_at_least_low": report.a_day(of, Severity.LOW),
                "false": sum(of in {None, one.kind} for one in report.false),
            }
            for kind, of in {
                "rules": FindingKind.RULE,
                "behaviour": FindingKind.BEHAVIOUR,
                "both": None,
            }.items()
        },
        "days": report.days,
    }
