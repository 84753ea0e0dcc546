"""Rules that leave out the control plane's chatter and nothing a person does: narrow in who, verb and resource."""

from __future__ import annotations

from typing import Final

from anomaly.policy.document import GroupResources, Rule
from anomaly.policy.render import Remarked

_SYSTEM: Final = (
    "system:apiserver",
    "system:kube-scheduler",
    "system:kube-controller-manager",
    "system:kube-proxy",
)
_LEASES: Final = GroupResources("coordination.k8s.io", ("leases",))

CHATTER: Final[tuple[Remarked, ...]] = (
    (
        "Health checks: many a second, by probes without a name. Other methods and paths stay.",
        Rule("None", verbs=("get",), non_resource_urls=("/healthz*", "/livez*", "/readyz*")),
    ),
    (
        "Leases the control plane renews every two seconds to stay the leader.",
        Rule("None", users=_SYSTEM, verbs=("get", "update"), resources=(_LEASES,)),
    ),
    (
        "Reads of the control plane itself. Its reads of secrets are written by the rule above, its writes below.",
        Rule("None", users=_SYSTEM, verbs=("get", "list", "watch")),
    ),
    (
        "Nodes reading what they run and reporting on it. Their token requests and reads of secrets stay.",
        Rule(
            "None",
            user_groups=("system:nodes",),
            verbs=("get", "list", "watch", "update", "patch"),
            resources=(
                GroupResources(
                    "", ("nodes", "nodes/status", "pods", "pods/status", "services", "configmaps")
                ),
                _LEASES,
                GroupResources("storage.k8s.io", ("csinodes", "csidrivers", "volumeattachments")),
                GroupResources("node.k8s.io", ("runtimeclasses",)),
            ),
        ),
    ),
    (
        "Events of the cluster as they are made; deleting them, which hides traces, stays.",
        Rule(
            "None",
            verbs=("create", "patch", "update"),
            resources=(GroupResources("", ("events",)), GroupResources("events.k8s.io", ("events",))),
        ),
    ),
)


def own_requests(sink: str) -> Remarked:
    """This will return the rule that keeps the audit sink's own requests from making new events."""
    resources = (
        GroupResources("authentication.k8s.io", ("tokenreviews",)),
        GroupResources("authorization.k8s.io", ("subjectaccessreviews",)),
        _LEASES,
        GroupResources("", ("namespaces",)),
    )
    comment = "What the audit sink does for each batch: written, it would make the next batch. Anything else it does is written."
    return comment, Rule("None", users=(sink,), verbs=("create", "get", "update"), resources=resources)
