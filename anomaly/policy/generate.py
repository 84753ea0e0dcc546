"""The cheapest policy that keeps what a chosen set of rules and feature families needs, with a reason for every rule.

Bodies are written only where somebody reads them; those of secrets, tokens and ConfigMaps, which CIS 3.2.2 wants at
Metadata only, not even there unless they are asked for by name. The rest is Metadata, or nothing when nobody counts it. What
comes out is read back and judged by `coverage`, so a promise it cannot keep is said and not made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
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

Cell = tuple[str, str]
"""Group and resource with subresource."""

Wanted = dict[Cell, dict[str, Level]]
"""The level that each verb on each target needs."""


class Confidential(StrEnum):
    """What CIS 3.2.2 wants at Metadata only, and what holds a token as they do."""

    SECRETS = "secrets"
    CONFIG_MAPS = "configmaps"
    TOKENS = "serviceaccounts/token"
    TOKEN_REVIEWS = "tokenreviews"  # noqa: S105 -- a resource

    @property
    def cell(self) -> Cell:
        return ("authentication.k8s.io" if self is Confidential.TOKEN_REVIEWS else "", self.value)


@dataclass(frozen=True, slots=True)
class Generated:
    """The policy as text and as it is read, and what it covers. `unmet` are owners that see less than they need.

    `withheld` says of owners which confidential bodies they would read that the policy leaves out.
    """

    text: str
    policy: Policy
    coverage: tuple[Coverage, ...]
    withheld: Mapping[str, tuple[Confidential, ...]]

    @property
    def unmet(self) -> tuple[Coverage, ...]:
        return tuple(found for found in self.coverage if found.sight is not Sight.ALL)


def generate(
    needs: Sequence[Need], *, sink: str | None = None, bodies_of: Collection[Confidential] = ()
) -> Generated:
    """This will return the policy for the needs.

    `sink` is the username of the audit sink in the cluster, if it has one. Confidential bodies are written for `bodies_of`
    only, and only for the verbs that somebody needs them of.
    """
    closed = tuple(one for one in Confidential if one not in bodies_of)
    wanted = _wanted(needs, {one.cell for one in closed})
    rest = max(
        (need.whole for need in needs if _anything(need)),
        key=lambda level: level.rank,
        default=Level.NONE,
    )
    if rest is Level.NONE:
        rules = [*_bodies(wanted, needs), *_levels(wanted, needs, Level.METADATA), _last(rest)]
    else:
        rules = _with_rest(rest, wanted, needs, sink, closed)
    text = render(rules, heading=_HEADING)
    policy = parse(text.encode(), "generated policy")
    return Generated(text, policy, tuple(coverage(policy, needs)), _withheld(needs, closed))


def _with_rest(
    rest: Level, wanted: Wanted, needs: Sequence[Need], sink: str | None, closed: Sequence[Confidential]
) -> list[Remarked]:
    """When everything else is written too, chatter is left out as far as no need notices, below the rule on secrets."""
    confidential = {one.cell for one in Confidential}
    opened = _bodies({cell: verbs for cell, verbs in wanted.items() if cell in confidential}, needs)
    others = _bodies({cell: verbs for cell, verbs in wanted.items() if cell not in confidential}, needs)
    first = [*opened, *_confidential(rest, closed)]
    later = [*others, _last(rest)]
    goal = _sights([*first, *later], needs)
    quiet = [own_requests(sink)] if sink else []
    for candidate in CHATTER:
        if _sights([*first, *quiet, candidate, *later], needs) == goal:
            quiet.append(candidate)
    return [*first, *quiet, *later]


def _anything(need: Need) -> bool:
    return need.resource == ANY and need.group in {ANY, ""}


def _withheld(needs: Iterable[Need], closed: Iterable[Confidential]) -> dict[str, tuple[Confidential, ...]]:
    found: dict[str, tuple[Confidential, ...]] = {}
    for need in needs:
        if need.whole.rank <= Level.METADATA.rank:
            continue
        missing = [one for one in closed if one.cell in need.targets]
        if missing:
            found[need.owner] = tuple(sorted({*found.get(need.owner, ()), *missing}))
    return found


def _wanted(needs: Iterable[Need], closed: Collection[Cell]) -> Wanted:
    """The level each verb on each target needs; only for what is named, not for what stands for anything."""
    wanted: Wanted = {}
    for need in needs:
        if not need.resource or _anything(need):
            continue
        for target in need.targets:
            verbs = wanted.setdefault(target, {})
            for verb in known.RESOURCE_VERBS if ANY in need.verbs else need.verbs:
                if verb not in verbs or verbs[verb].rank < need.whole.rank:
                    verbs[verb] = need.whole
    return {
        cell: dict.fromkeys(verbs, Level.METADATA) if cell in closed else verbs
        for cell, verbs in wanted.items()
    }


def _bodies(wanted: Wanted, needs: Sequence[Need]) -> list[Remarked]:
    return [*_levels(wanted, needs, Level.REQUEST_RESPONSE), *_levels(wanted, needs, Level.REQUEST)]


def _levels(wanted: Wanted, needs: Sequence[Need], level: Level) -> list[Remarked]:
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


def _confidential(rest: Level, closed: Sequence[Confidential]) -> list[Remarked]:
    """What is confidential has rules of its own above the quiet ones, so that no access to it is left out as chatter."""
    if rest is Level.METADATA:
        return [_kept_at(Level.METADATA, tuple(Confidential))]
    opened = tuple(one for one in Confidential if one not in closed)
    return [_kept_at(level, ones) for level, ones in ((rest, opened), (Level.METADATA, closed)) if ones]


def _kept_at(level: Level, ones: Sequence[Confidential]) -> Remarked:
    groups: dict[str, list[str]] = {}
    for group, target in sorted(one.cell for one in ones):
        groups.setdefault(group, []).append(target)
    entries = tuple(GroupResources(group, tuple(names)) for group, names in groups.items())
    comment = (
        "Secrets, tokens and ConfigMaps: who asked for them is written here, not what is in them (CIS 3.2.2)."
        if level is Level.METADATA
        else "Confidential, and written with bodies because it was asked for (CIS 3.2.2 fails)."
    )
    return comment, Rule(level, resources=entries, omit_stages=_ANSWERED)


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
