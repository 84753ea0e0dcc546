"""What somebody who judges events needs the policy to write: for which requests, at which stage, how much of it.

Rules state theirs (`anomaly.rules.needs`), feature families theirs (`families`); anything shaped like these will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from anomaly.policy import known
from anomaly.policy.document import Level, Stage
from anomaly.policy.probes import HUMAN, WORKLOAD, Actor, ask
from anomaly.policy.request import Request

ANY: Final = "*"
_USUAL: Final = (
    ("", "pods"),
    ("", "secrets"),
    ("", "configmaps"),
    ("", "services"),
    ("apps", "deployments"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("example.com", "widgets"),
)
_PATHS: Final = ("/api", "/apis", "/metrics", "/logs/kube-apiserver.log")


@dataclass(frozen=True, slots=True)
class Need:
    """One sort of request that one owner looks at. `*` stands for any; an empty resource for requests of other paths.

    Below level `some` the owner sees nothing of it, from `whole` on everything; at the levels of `blind_at` it would fire on
    every such request, because it asks for something not to be there. Any one of `stages` is enough.
    """

    owner: str
    resource: str
    group: str = ""
    subresource: str = ""
    verbs: tuple[str, ...] = (ANY,)
    stages: tuple[str, ...] = (Stage.RESPONSE_COMPLETE,)
    some: Level = Level.METADATA
    whole: Level = Level.METADATA
    blind_at: frozenset[Level] = frozenset()
    fields: tuple[str, ...] = ()
    actors: tuple[Actor, ...] = (HUMAN, WORKLOAD)

    @property
    def targets(self) -> tuple[tuple[str, str], ...]:
        """Group and resource with subresource, wildcards replaced by what is served or usual; ("", path) for other paths."""
        if not self.resource:
            return tuple(("", path) for path in _PATHS)
        if self.resource == ANY:
            among = _USUAL if self.group in {ANY, ""} else _served_by(self.group)
            return tuple((group, _joined(name, self.subresource)) for group, name in among)
        group = self.group
        if group == ANY:
            rows = known.find(self.resource)
            group = rows[0].group if rows else "example.com"
        return ((group, _joined(self.resource, self.subresource)),)

    def requests(self) -> Iterator[Request]:
        """This will yield synthetic requests that stand for the need: each verb and target, by each actor."""
        for group, target in self.targets:
            for verb in self._verbs(target):
                for actor in self.actors:
                    yield ask(verb, target, actor, group=group)

    def _verbs(self, target: str) -> tuple[str, ...]:
        if target.startswith("/"):
            named = tuple(verb for verb in self.verbs if verb in known.PATH_VERBS)
            return named or ("get",)
        return known.RESOURCE_VERBS if ANY in self.verbs else self.verbs


class ReachLike(Protocol):
    """What a rule says of one target: `anomaly.rules.needs.Reach`."""

    @property
    def target(self) -> TargetLike: ...
    @property
    def some(self) -> str: ...
    @property
    def whole(self) -> str: ...
    @property
    def blind_below(self) -> tuple[str, ...]: ...


class TargetLike(Protocol):
    """Requests a rule looks at: `anomaly.rules.needs.Target`."""

    @property
    def verb(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def subresource(self) -> str: ...


class RuleNeedLike(Protocol):
    """What a rule says of itself: `anomaly.rules.needs.Need`."""

    @property
    def rule(self) -> str: ...
    @property
    def reaches(self) -> tuple[ReachLike, ...]: ...
    @property
    def stages(self) -> tuple[str, ...]: ...
    @property
    def bodies(self) -> tuple[str, ...]: ...


def of_rules(stated: Iterable[RuleNeedLike]) -> list[Need]:
    """This will turn what rules say of themselves into needs, one a target."""
    found = []
    for need in stated:
        for reach in need.reaches:
            target = reach.target
            if not exists(target.group, target.resource, target.subresource):
                continue
            sub = "" if target.subresource == ANY and target.resource != ANY else target.subresource
            found.append(
                Need(
                    owner=need.rule,
                    resource=target.resource,
                    group=target.group,
                    subresource="" if sub == ANY else sub,
                    verbs=(target.verb,),
                    stages=need.stages or (Stage.RESPONSE_COMPLETE,),
                    some=Level(reach.some),
                    whole=Level(reach.whole),
                    blind_at=frozenset(map(Level, reach.blind_below)),
                    fields=need.bodies,
                )
            )
    return found


def exists(group: str, resource: str, subresource: str) -> bool:
    """This will tell whether there can be such a target.

    What Kubernetes serves has its own group and subresources only: no pods in a group of Kubernetes that has none, but
    perhaps in the group of an extension.
    """
    named = known.find(resource)
    rows = [row for row in named if group in {ANY, row.group}]
    if not rows:
        return not named or group not in known.groups()
    return subresource in {"", ANY} or any(subresource in row.subresources for row in rows)


def _served_by(group: str) -> list[tuple[str, str]]:
    return [(group, row.name) for row in known.served() if row.group == group] or [(group, "widgets")]


def _joined(resource: str, subresource: str) -> str:
    return f"{resource}/{subresource}" if subresource and subresource != ANY else resource
