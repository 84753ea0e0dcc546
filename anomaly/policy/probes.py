"""Synthetic requests: what people, controllers and strangers ask of an API server, said short, for asking a policy about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from anomaly.policy import known
from anomaly.policy.request import Request


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks. `user` None is a request with a bad credential (401)."""

    user: str | None
    groups: tuple[str, ...]


ALL: Final = "system:authenticated"
HUMAN: Final = Actor("someone@example.com", (ALL,))
ADMIN: Final = Actor("kubernetes-admin", ("system:masters", ALL))
WORKLOAD: Final = Actor(
    "system:serviceaccount:shop:web", ("system:serviceaccounts", "system:serviceaccounts:shop", ALL)
)
NODE: Final = Actor("system:node:worker-1", ("system:nodes", ALL))
ANONYMOUS: Final = Actor("system:anonymous", ("system:unauthenticated",))
NOBODY: Final = Actor(None, ())
PEOPLE: Final = (HUMAN, ADMIN, WORKLOAD)
NAMESPACES: Final = ("shop", "kube-system")
NAME: Final = "probe-object"


def ask(
    verb: str,
    target: str,
    actor: Actor = HUMAN,
    *,
    group: str = "",
    namespace: str = "shop",
    name: str = NAME,
) -> Request:
    """This will return one request. `target` is a resource with an optional subresource ("pods/exec"), or a path ("/healthz").

    Namespace and name are left away where no such request has one (cluster-scoped resources, lists, creates).
    """
    if target.startswith("/"):
        return Request(actor.user, actor.groups, verb, False, path=target)
    resource, _, subresource = target.partition("/")
    row = next((row for row in known.find(resource) if row.group == group), None)
    nameless = verb in {"list", "watch", "deletecollection"} or (verb == "create" and not subresource)
    inside = namespace if row is None or row.namespaced else ""
    own = "" if nameless else name
    if (group, resource) == ("", "namespaces"):
        own = "" if nameless else namespace
        inside = own
    parts = [f"/apis/{group}/v1" if group else "/api/v1"]
    parts += [f"/namespaces/{inside}"] if inside and resource != "namespaces" else []
    parts += [f"/{part}" for part in (resource, own, subresource) if part]
    path = "".join(parts)
    return Request(
        actor.user, actor.groups, verb, True, group, "v1", resource, subresource, own, inside, path
    )


def everything() -> Iterator[Request]:
    """This will yield a cross-section of all there is to ask: every built-in resource and verb, by people, nodes and strangers."""
    for row in known.served():
        for verb in known.RESOURCE_VERBS:
            for actor in (HUMAN, WORKLOAD, NODE):
                yield ask(verb, row.name, actor, group=row.group)
        for subresource in row.subresources:
            for verb in ("get", "create", "patch", "update"):
                yield ask(verb, f"{row.name}/{subresource}", group=row.group)
    for path in (
        "/healthz",
        "/livez",
        "/readyz",
        "/version",
        "/api",
        "/apis",
        "/openapi/v3",
        "/metrics",
        "/",
    ):
        for actor in (HUMAN, ANONYMOUS):
            yield ask("get", path, actor)
    yield ask("list", "secrets", ANONYMOUS)
    yield ask("list", "secrets", NOBODY)
