"""What to look at first when a deviation of this name is reviewed: what tells the harmless case from the other one soonest.

Rules carry theirs in their own files; these are the same for deviations, by the names of `anomaly.scoring.catalogue`.
"""

from __future__ import annotations

from typing import Final

_OTHER_CALLS: Final = (
    "what the entity did in the hour before and after, from which address and with which agent"
)
_WAS_IT_PLANNED: Final = "whether the change was announced or belongs to a deployment of that time"

FIRST_LOOKS: Final[dict[str, tuple[str, ...]]] = {
    "secrets_accessed": (
        "which secrets were read and whether the entity's work needs them",
        "whether what is in them was used afterwards, from another address",
    ),
    "role_created": (
        "which verbs and resources the role grants now",
        "who is bound to the role, and since when",
        _WAS_IT_PLANNED,
    ),
    "role_binding_created": (
        "who gained which role, and whether that entity acted with it since",
        "whether the one who bound it could have granted the rights by other means",
    ),
    "exec_in_pod": (
        "the entity's other exec calls in the 24 hours before",
        "whether the pod's service account was used from a new address afterwards",
    ),
    "workload_deployed": (
        "the image, its registry and the command",
        "which service account it runs as",
        _WAS_IT_PLANNED,
    ),
    "workload_privileged": (
        "which of the node's resources the pod reaches: its namespaces, files and devices",
        "on which node it ran and what else runs there",
        "what was executed in the pod since",
    ),
    "workload_sensitive_mount": (
        "which directory of the node is mounted, and whether for writing",
        "what was executed in the pod since",
    ),
    "permission_checked": (
        "what was asked for beyond what the entity usually does",
        "whether it did afterwards what was allowed",
    ),
    "secrets_enumerated": (
        "which secrets were really read, not only asked for",
        "whether credentials among them were used since, from which address",
        "whether they must be renewed",
    ),
    "mass_deletion": (
        "what was deleted and whether it came back by itself",
        "whether backups of it exist and are whole",
        _WAS_IT_PLANNED,
    ),
    "objects_deleted": ("what was deleted and whether something else replaced it", _WAS_IT_PLANNED),
    "namespace_deleted": ("what was in the namespace", "who else worked there that day", _WAS_IT_PLANNED),
    "traces_removed": (
        "what the entity did just before",
        "the events of that time in this log, which the cluster no longer has",
    ),
    "denied_probe": (
        "whether the refusals follow a list, one resource after the other",
        "whether anything of it was allowed in the end",
    ),
    "anonymous_probe": (
        "the address: yours, a scanner you pay for, or neither",
        "whether anything was answered with 200",
    ),
    "impersonation": (
        "whom it acted as and with which rights",
        "what was done under that name",
        "whether the entity is meant to impersonate at all",
    ),
    "token_minted": (
        "for which service account and for how long",
        "whether that account was used from a new address since",
    ),
    "certificate_requested": (
        "the name and groups in the request",
        "who approved it, and whether it was used since",
    ),
    "account_created": ("what the account was given to do", "whether a workload runs as it"),
    "port_forward": (
        "which pod and port it led to",
        "whether the pod holds data that its service would have guarded",
    ),
    "proxy_used": (
        "which node or pod was reached through the proxy, and which path",
        "whether the kubelet's exec or run was among it",
    ),
    "logs_read": ("whose logs were read and whether secrets are written there",),
    "webhook_changed": (
        "where the webhook sends what it is asked, and for which objects",
        "whether admission still refuses what it should",
    ),
    "extension_changed": ("which API it adds and who serves it", _WAS_IT_PLANNED),
    "dns_tampered": (
        "which names resolve elsewhere since",
        "whether the change is still in place",
        _WAS_IT_PLANNED,
    ),
    "config_changed": ("what changed in it and which workloads read it", _WAS_IT_PLANNED),
    "secret_changed": ("which credential it is and who uses it", _WAS_IT_PLANNED),
    "node_changed": ("labels, taints and addresses before and after", "what was scheduled there since"),
    "node_out_of_scope": (
        "whether the request came from the node's own address",
        "with which tool: a kubelet has one agent",
        "what else that address did",
    ),
    "credential_moved": (
        "whether the new address and agent belong to the same person or workload",
        "what was done from there that the entity never did before",
    ),
    "new_address": ("to whom the address belongs", "whether the agent is a tool that this entity uses"),
    "origin_disguised": (
        "the last address of the list, which is the connection's own",
        "what else came from there",
    ),
    "cluster_mapped": ("whether the listing goes on to secrets, roles or pods", _OTHER_CALLS),
    "off_hours": ("whether it is on call, travelling or on leave", _OTHER_CALLS),
    "unusual_errors": ("what fails and since which change", _OTHER_CALLS),
    "unusual_volume": ("what is repeated and whether a loop or a new release explains it", _OTHER_CALLS),
    "unusual_mix": ("the two or three features that carry most of the score", _OTHER_CALLS),
}
