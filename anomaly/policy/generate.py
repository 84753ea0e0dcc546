"""The cheapest policy that keeps what a chosen set of rules and feature families needs, with a reason for every rule.

Bodies are written only where somebody reads them, never those of secrets and tokens; the rest is Metadata, or nothing when
nobody counts it. What comes out is read back and judged by `coverage`, so a promise it cannot keep is said and not made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from anomaly.policy import known
from anomaly.policy.coverage import Coverage, Sight, coverage
from anomaly.policy.document import GroupResources, Level, Policy, Rule, Stage
from anomaly.policy.need import ANY, Need
from anomaly.policy.parse import parse
from anomaly.policy.quiet import CHATTER, own_requests
from anomaly.policy.render import Remarked, render

_HEADING: Final = "Made by `anomaly policy generate`. The first rule that matches a request decides."
_ANSWERED: Final = (Stage.REQUEST_RECEIVED.value,)
_NEVER_WITH_BODY: Final = {
    ("", "secrets"),
    ("", "serviceaccounts/token"),
    ("authentication.k8s.io", "tokenreviews"),
}
_NOT_WITH_ALL: Final = {("", "configmaps")}

Cell = tuple[str, str]
"""Group and resource with subresource."""


@dataclass(frozen=True, slots=True)
class Generated:
    """The policy as text and as it is read, and what it covers. `unmet` are owners that see less than they need."""

    text: str
    policy: Policy
    coverage: tuple[Coverage, ...]

    @property
    def unmet(self) -> tuple[Coverage, ...]:
        return tuple(found for found in self.coverage if found.sight is not Sight.ALL)


def generate(needs: Sequence[Need], *, sink: str | None = None) -> Generated:
    """This will return the policy for the needs. `sink` is the username of the audit sink in the cluster, if it has one."""
    wanted = _wanted(needs)
    rest = max(
        (need.whole for need in needs if need.resource == ANY),
        key=lambda level: level.rank,
        default=Level.NONE,
    )
    bodies = [*_levels(wanted, needs, Level.REQUEST_RESPONSE), *_levels(wanted, needs, Level.REQUEST)]
    metadata = _levels(wanted, needs, Level.METADATA) if rest is Level.NONE else []
    rules = (
        _with_rest(rest, bodies, needs, sink) if rest is not Level.NONE else [*bodies, *metadata, _last(rest)]
    )
    text = render(rules, heading=_HEADING)
    policy = parse(text.encode(), "generated policy")
    return Generated(text, policy, tuple(coverage(policy, needs)))


def _with_rest(
    rest: Level, bodies: list[Remarked], needs: Sequence[Need], sink: str | None
) -> list[Remarked]:
    """When everything else is written too, chatter is left out as far as no need notices, below the rule on secrets."""
    first, later = _sensitive(rest), [*bodies, _last(rest)]
    goal = _sights([first, *later], needs)
    quiet = [own_requests(sink)] if sink else []
    for candidate in CHATTER:
        if _sights([first, *quiet, candidate, *later], needs) == goal:
            quiet.append(candidate)
    return [first, *quiet, *later]


def _wanted(needs: Iterable[Need]) -> dict[Cell, dict[str, Level]]:
    """The level each verb on each target needs; only for what is named, not for what stands for anything."""
    wanted: dict[Cell, dict[str, Level]] = {}
    for need in needs:
        if need.resource in {ANY, ""}:
            continue
        for target in need.targets:
            verbs = wanted.setdefault(target, {})
            for verb in known.RESOURCE_VERBS if ANY in need.verbs else need.verbs:
                if verb not in verbs or verbs[verb].rank < need.whole.rank:
                    verbs[verb] = need.whole
    return {cell: _capped(cell, verbs) for cell, verbs in wanted.items()}


def _capped(cell: Cell, verbs: dict[str, Level]) -> dict[str, Level]:
    return dict.fromkeys(verbs, Level.METADATA) if cell in _NEVER_WITH_BODY else verbs


def _levels(wanted: dict[Cell, dict[str, Level]], needs: Sequence[Need], level: Level) -> list[Remarked]:
    """The rules of one level: targets that need it for the same verbs share one. Patches stand alone where bodies are written."""
    together: dict[tuple[str, ...], list[Cell]] = {}
    for cell, verbs in wanted.items():
        needed = tuple(verb for verb in known.RESOURCE_VERBS if verbs.get(verb) is level)
        parts = (
            [needed]
            if level is Level.METADATA
            else [tuple(v for v in needed if v != "patch"), tuple(v for v in needed if v == "patch")]
        )
        for part in filter(None, parts):
            together.setdefault(part, []).append(cell)
    return [_rule(level, verbs, cells, needs) for verbs, cells in together.items()]


def _rule(level: Level, verbs: tuple[str, ...], cells: list[Cell], needs: Sequence[Need]) -> Remarked:
    groups: dict[str, list[str]] = {}
    for group, target in cells:
        groups.setdefault(group, []).append(target)
    entries = tuple(
        GroupResources(group, tuple(sorted(set(names)))) for group, names in sorted(groups.items())
    )
    owners = sorted({need.owner for need in needs if need.whole is level and set(need.targets) & set(cells)})
    comment = f"Read by {_listed(owners)}." if owners else "Written."
    if verbs == ("patch",) and level is not Level.METADATA:
        comment += " A patch whose body is no JSON has no other event than RequestReceived, so that stage is kept here."
        return comment, Rule(level, verbs=verbs, resources=entries)
    return comment, Rule(level, verbs=verbs, resources=entries, omit_stages=_ANSWERED)


def _sensitive(rest: Level) -> Remarked:
    cells = sorted(_NEVER_WITH_BODY | (_NOT_WITH_ALL if rest.rank > Level.METADATA.rank else set()))
    groups: dict[str, list[str]] = {}
    for group, target in cells:
        groups.setdefault(group, []).append(target)
    entries = tuple(GroupResources(group, tuple(names)) for group, names in groups.items())
    comment = "Secrets and tokens: who asked for them is written, their contents never."
    return comment, Rule(Level.METADATA, resources=entries, omit_stages=_ANSWERED)


def _last(rest: Level) -> Remarked:
    if rest is Level.NONE:
        return "Nothing else is needed by anybody.", Rule(Level.NONE)
    comment = "Everything else, failed logins (401) too: they match only rules without users and groups."
    return comment, Rule(rest, omit_stages=_ANSWERED)


def _sights(rules: Sequence[Remarked], needs: Sequence[Need]) -> list[tuple[str, int]]:
    policy = Policy(tuple(rule for _, rule in rules), omit_managed_fields=True)
    return [(found.owner, found.seen) for found in coverage(policy, needs)]


def _listed(owners: Sequence[str]) -> str:
    if len(owners) <= 6:
        return ", ".join(owners)
    return f"{', '.join(owners[:6])} and {len(owners) - 6} more"
