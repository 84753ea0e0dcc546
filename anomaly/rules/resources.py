"""The resources Kubernetes itself serves, with their group and subresources: what a rule's values are checked against.

Custom resources cannot be known, so an unknown name is only remarked on when it looks like a slip (API reference 1.36).
"""

from __future__ import annotations

from typing import Final

_SCALABLE: Final = ("scale", "status")
_SERVED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "": {
        "bindings": (),
        "componentstatuses": (),
        "configmaps": (),
        "endpoints": (),
        "events": (),
        "limitranges": (),
        "namespaces": ("finalize", "status"),
        "nodes": ("proxy", "status", "metrics", "stats", "log", "spec", "healthz", "pods", "configz"),
        "persistentvolumeclaims": ("status",),
        "persistentvolumes": ("status",),
        "pods": (
            *("attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "proxy"),
            *("resize", "status"),
        ),
        "podtemplates": (),
        "replicationcontrollers": _SCALABLE,
        "resourcequotas": ("status",),
        "secrets": (),
        "serviceaccounts": ("token",),
        "services": ("proxy", "status"),
    },
    "admissionregistration.k8s.io": {
        "mutatingadmissionpolicies": (),
        "mutatingadmissionpolicybindings": (),
        "mutatingwebhookconfigurations": (),
        "validatingadmissionpolicies": ("status",),
        "validatingadmissionpolicybindings": (),
        "validatingwebhookconfigurations": (),
    },
    "apiextensions.k8s.io": {"customresourcedefinitions": ("status",)},
    "apiregistration.k8s.io": {"apiservices": ("status",)},
    "apps": {
        "controllerrevisions": (),
        "daemonsets": ("status",),
        "deployments": _SCALABLE,
        "replicasets": _SCALABLE,
        "statefulsets": _SCALABLE,
    },
    "authentication.k8s.io": {"selfsubjectreviews": (), "tokenreviews": ()},
    "authorization.k8s.io": {
        "localsubjectaccessreviews": (),
        "selfsubjectaccessreviews": (),
        "selfsubjectrulesreviews": (),
        "subjectaccessreviews": (),
    },
    "autoscaling": {"horizontalpodautoscalers": ("status",)},
    "batch": {"cronjobs": ("status",), "jobs": ("status",)},
    "certificates.k8s.io": {
        "certificatesigningrequests": ("approval", "status"),
        "clustertrustbundles": (),
        "podcertificaterequests": ("status",),
    },
    "coordination.k8s.io": {"leases": ()},
    "discovery.k8s.io": {"endpointslices": ()},
    "events.k8s.io": {"events": ()},
    "flowcontrol.apiserver.k8s.io": {"flowschemas": ("status",), "prioritylevelconfigurations": ("status",)},
    "networking.k8s.io": {
        "ingressclasses": (),
        "ingresses": ("status",),
        "ipaddresses": (),
        "networkpolicies": (),
        "servicecidrs": ("status",),
    },
    "node.k8s.io": {"runtimeclasses": ()},
    "policy": {"poddisruptionbudgets": ("status",), "podsecuritypolicies": ()},
    "rbac.authorization.k8s.io": {
        "clusterrolebindings": (),
        "clusterroles": (),
        "rolebindings": (),
        "roles": (),
    },
    "scheduling.k8s.io": {"priorityclasses": ()},
    "storage.k8s.io": {
        "csidrivers": (),
        "csinodes": (),
        "csistoragecapacities": (),
        "storageclasses": (),
        "volumeattachments": ("status",),
    },
}

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(group for group, served in _SERVED.items() if name in served)
    for served in _SERVED.values()
    for name in served
}
"""Resource to the groups that serve it."""
SUBRESOURCES: Final = frozenset(
    sub for served in _SERVED.values() for subs in served.values() for sub in subs
)
TEXTS: Final = frozenset(
    f"{group}/{name}{tail}".lstrip("/")
    for group, served in _SERVED.items()
    for name, subs in served.items()
    for tail in ("", *(f"/{sub}" for sub in subs))
)
"""Every `group/resource/subresource` text."""


def plural(name: str) -> str:
    """This will return the resource meant by a kind or a singular (`Pod`, `networkpolicy`), or an empty text."""
    folded = name.casefold()
    if folded in GROUPS:
        return folded
    guesses = (f"{folded}s", f"{folded}es", f"{folded[:-1]}ies" if folded.endswith("y") else folded)
    return next((guess for guess in guesses if guess in GROUPS), "")


def split_text(text: str) -> tuple[str, str, str]:
    """This will split a `resource` text into group, resource and subresource; a group holds a dot or is a known one."""
    first, _, rest = text.partition("/")
    if rest and ("." in first or (first in _SERVED and first)):
        resource, _, sub = rest.partition("/")
        return first, resource, sub
    return "", first, rest
