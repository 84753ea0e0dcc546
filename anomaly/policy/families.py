"""What each feature family needs the policy to write. The names are those of the files in `anomaly.features.families`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from anomaly.policy.document import Level, Stage
from anomaly.policy.need import ANY, Need
from anomaly.policy.probes import NOBODY

_RBAC: Final = "rbac.authorization.k8s.io"
_WRITES: Final = ("create", "update", "patch")
_EVERYTHING: Final = (
    "hours",
    "novelty",
    "origins",
    "rarity",
    "resources",
    "rhythm",
    "variety",
    "verbs",
    "volume",
)
"""Families that count all requests of an entity, whatever they are."""
_WORKLOADS: Final = (
    ("", "pods"),
    ("apps", "deployments"),
    ("apps", "daemonsets"),
    ("apps", "statefulsets"),
    ("apps", "replicasets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
)


def families() -> list[Need]:
    """This will return the needs of every feature family."""
    return [*_of_everything(), *_of_credentials(), *_of_access(), *_of_bodies()]


def _of_everything() -> Iterator[Need]:
    for owner in (*_EVERYTHING, "credentials", "denials", "discovery"):
        yield Need(owner, ANY, ANY)
    yield Need("denials", "secrets", verbs=("list",), stages=(Stage.RESPONSE_STARTED,), actors=(NOBODY,))


def _of_credentials() -> Iterator[Need]:
    yield Need("credentials", "serviceaccounts", subresource="token", verbs=("create",))


def _of_access() -> Iterator[Need]:
    yield Need("secrets", "secrets", verbs=("get", "list", "watch"))
    for subresource in ("exec", "attach", "portforward"):
        yield Need("entering", "pods", subresource=subresource, verbs=("get", "create"))
    yield Need("entering", "pods", subresource="ephemeralcontainers", verbs=("patch",))
    for group, resource in (
        ("", "pods"),
        ("", "secrets"),
        ("", "namespaces"),
        ("", "events"),
        ("apps", "deployments"),
    ):
        yield Need("deletion", resource, group, verbs=("delete", "deletecollection"))


def _of_bodies() -> Iterator[Need]:
    request = ("requestObject",)
    for group, resource in _WORKLOADS:
        yield Need("workloads", resource, group, verbs=_WRITES, whole=Level.REQUEST, fields=request)
    for resource in ("roles", "clusterroles", "rolebindings", "clusterrolebindings"):
        yield Need("privileges", resource, _RBAC, verbs=_WRITES, whole=Level.REQUEST, fields=request)
    for resource in ("selfsubjectaccessreviews", "selfsubjectrulesreviews"):
        yield Need(
            "discovery",
            resource,
            "authorization.k8s.io",
            verbs=("create",),
            whole=Level.REQUEST,
            fields=request,
        )
