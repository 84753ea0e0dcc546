"""What an RBAC object gives: the roles bound, to whom, and the dangerous verbs and wildcards of a role.

Follows "Privilege escalation prevention" and "RBAC good practices" of the Kubernetes documentation: wildcards, `escalate`,
`bind`, `impersonate`, secrets, exec, node proxy, token and webhook writes are what lets its holder become somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from anomaly.events.event import Event

RBAC: Final = frozenset({"roles", "clusterroles", "rolebindings", "clusterrolebindings"})
WRITES: Final = frozenset({"create", "update", "patch"})
POWER_VERBS: Final = frozenset({"*", "escalate", "bind", "impersonate", "approve", "sign"})
POWER_RESOURCES: Final = frozenset(
    {
        "*",
        "secrets",
        "pods/exec",
        "pods/attach",
        "pods/ephemeralcontainers",
        "nodes/proxy",
        "serviceaccounts/token",
        "clusterrolebindings",
        "rolebindings",
        "certificatesigningrequests/approval",
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
    }
)
_MOST: Final = 64


class _RoleRef(msgspec.Struct, gc=False):
    name: str = ""
    kind: str = ""


class _Subject(msgspec.Struct, gc=False):
    kind: str = ""
    name: str = ""
    namespace: str = ""


class _Rule(msgspec.Struct, gc=False):
    verbs: list[str] | None = None
    resources: list[str] | None = None


class _Body(msgspec.Struct, gc=False):
    roleRef: _RoleRef | None = None
    subjects: list[_Subject] | None = None
    rules: list[_Rule] | None = None


_bodies: Final = msgspec.json.Decoder(_Body)


def grants_of(event: Event) -> tuple[str, ...]:
    """This will return what the written RBAC object gives, at most 64 texts; empty for anything else or without a body."""
    ref = event.objectRef
    if ref is None or ref.resource not in RBAC or event.verb not in WRITES:
        return ()
    try:
        body = _bodies.decode(bytes(event.requestObject) or bytes(event.responseObject) or b"{}")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ()
    return tuple(dict.fromkeys(_texts(body)))[:_MOST]


def _texts(body: _Body) -> Iterator[str]:
    if body.roleRef is not None and body.roleRef.name:
        yield f"role:{body.roleRef.name}"
    for subject in body.subjects or ():
        owner = f"{subject.namespace}:" if subject.namespace else ""
        yield f"subject:{subject.kind}/{owner}{subject.name}"
    for rule in body.rules or ():
        for verb in rule.verbs or ():
            if verb in POWER_VERBS:
                yield f"verb:{verb}"
        for resource in rule.resources or ():
            if resource in POWER_RESOURCES:
                yield f"resource:{resource}"
