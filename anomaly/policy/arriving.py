"""What rules and feature families can see of the events that really arrive, without anybody showing the policy.

A policy is judged by `coverage`; here there is only what it lets through. A request that never arrives may be dropped by the
policy or may never be made, and that cannot be told apart: it is called unseen, unless nothing at all arrives at the level or
stage that would be needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from anomaly.intake.arriving import Arriving
from anomaly.policy import known
from anomaly.policy.coverage import Sight
from anomaly.policy.document import Level
from anomaly.policy.need import ANY, Need
from anomaly.policy.probes import NOBODY

_READS: Final = frozenset({"get", "list", "watch"})
ENOUGH: Final = 1_000
"""Events from which on "none of them" says something about the policy, and not about a quiet hour."""


@dataclass(frozen=True, slots=True)
class View:
    """What one owner of needs sees of what arrives. `sight` None: unseen, nothing it looks at has arrived. `why` is a sentence,
    empty when all is seen."""

    owner: str
    sight: Sight | None
    why: str


def views(needs: Iterable[Need], arriving: Sequence[Arriving]) -> list[View]:
    """This will say of every owner of needs what it can see, in the order of their first need."""
    sorts = _Sorts(arriving)
    ceiling = max((_level(one) for one in arriving), key=lambda level: level.rank, default=Level.NONE)
    enough = sum(one.events for one in arriving) >= ENOUGH
    reads = any(one.verb in _READS for one in arriving)
    found: dict[str, list[tuple[Sight | None, str]]] = {}
    for need in needs:
        if need.actors == (NOBODY,):
            # Who was not let in (401) comes at another stage than the same request by others: sorts do not tell them apart.
            continue
        about = [sort.one for sort in sorts.near(need) if sort.fits(need)]
        if about:
            said = _seen(need, about)
        elif enough:
            said = _unseen(need, ceiling, reads)
        else:
            said = (None, "")
        found.setdefault(need.owner, []).append(said)
    return [_joined(owner, parts) for owner, parts in found.items()]


class _Sorts:
    """Each sort once: the same comes again for every hour, and which path it was does not matter here."""

    def __init__(self, arriving: Iterable[Arriving]) -> None:
        found: dict[tuple[str, ...], _Sort] = {}
        for one in arriving:
            parts = _split(one.resource)
            found.setdefault((one.verb, one.level, one.stage, *parts), _Sort(one, *parts))
        self._all = list(found.values())
        self._of: dict[str, list[_Sort]] = {}
        for sort in self._all:
            self._of.setdefault(sort.resource, []).append(sort)

    def near(self, need: Need) -> list[_Sort]:
        """Those of the need's resource, of any, or of none: the others cannot fit, and needs are many."""
        return self._all if need.resource == ANY else self._of.get(need.resource, [])


@dataclass(frozen=True, slots=True)
class _Sort:
    one: Arriving
    group: str
    resource: str
    subresource: str

    def fits(self, need: Need) -> bool:
        if ANY not in need.verbs and self.one.verb not in need.verbs:
            return False
        if not need.resource or not self.resource:
            return not need.resource and not self.resource
        if need.resource not in {ANY, self.resource}:
            return False
        if need.group not in {ANY, self.group} and not (need.resource == ANY and need.group == ""):
            return False
        return need.subresource in {ANY, self.subresource} or (need.resource == ANY and not need.subresource)


def _split(text: str) -> tuple[str, str, str]:
    """Group, resource and subresource of `apps/deployments`, `pods/exec`; three empty texts for a path."""
    parts = text.split("/")
    if not text or text.startswith("/") or len(parts) > 3:
        return "", "", ""
    if len(parts) == 3:
        return parts[0], parts[1], parts[2]
    if len(parts) == 2 and (parts[0] in known.groups() or "." in parts[0]):
        return parts[0], parts[1], ""
    return "", parts[0], parts[1] if len(parts) == 2 else ""


def _level(one: Arriving) -> Level:
    # Sources without levels (GKE) carry what a Metadata event has.
    return Level(one.level) if one.level else Level.METADATA


def _seen(need: Need, about: list[Arriving]) -> tuple[Sight | None, str]:
    what = _named(need)
    at_stage = [one for one in about if not one.stage or one.stage in need.stages]
    if not at_stage:
        stages = ", ".join(sorted({one.stage for one in about}))
        return Sight.BLIND, f"{what} arrive at {stages} only, and {' or '.join(need.stages)} is needed"
    level = max((_level(one) for one in at_stage), key=lambda level: level.rank)
    if level in need.blind_at:
        return (
            Sight.ALWAYS,
            f"{what} arrive at level {level}, where what it asks for is never there: it fires on each",
        )
    if level.rank < need.some.rank:
        return Sight.BLIND, f"{what} arrive at level {level}, and {need.some} is needed"
    if level.rank < need.whole.rank:
        return Sight.PART, f"{what} arrive at level {level}, and {need.whole} would show all"
    return Sight.ALL, ""


def _unseen(need: Need, ceiling: Level, reads: bool) -> tuple[Sight | None, str]:
    if ceiling.rank < need.some.rank:
        return Sight.BLIND, f"nothing here arrives above level {ceiling}, and {need.some} is needed"
    if not reads and ANY not in need.verbs and set(need.verbs) <= _READS:
        return Sight.BLIND, "no get, list or watch arrives here at all"
    return None, ""


def _named(need: Need) -> str:
    if not need.resource:
        return "requests of paths"
    name = "requests" if need.resource == ANY else need.resource
    verbs = "" if ANY in need.verbs else "/".join(need.verbs) + " "
    return f"{verbs}{name}/{need.subresource}" if need.subresource not in {"", ANY} else f"{verbs}{name}"


def _joined(owner: str, parts: list[tuple[Sight | None, str]]) -> View:
    """Seen nowhere is blind; somewhere less than whole is part. What has not arrived says nothing beside what has."""
    told = [(sight, why) for sight, why in parts if sight is not None]
    if not told:
        return View(owner, None, "")
    sights = {sight for sight, _ in told}
    if Sight.ALWAYS in sights:
        sight = Sight.ALWAYS
    elif sights == {Sight.ALL}:
        return View(owner, Sight.ALL, "")
    elif sights == {Sight.BLIND}:
        # Blind where it can be told, and perhaps not where nothing came yet.
        sight = Sight.BLIND if len(told) == len(parts) else Sight.PART
    else:
        sight = Sight.PART
    reasons = dict.fromkeys(why for one, why in told if why and (one is sight or sight is Sight.PART))
    listed = list(reasons)
    more = f"; and {len(listed) - 2} more" if len(listed) > 2 else ""
    return View(owner, sight, "; ".join(listed[:2]) + more)
