"""What a request is about, in one word: the action classes that features count and that deviations are named by."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final

READS: Final = frozenset({"get", "list", "watch"})
WRITES: Final = frozenset({"create", "update", "patch"})
DELETES: Final = frozenset({"delete", "deletecollection"})
GROUPS_WITHOUT_DOT: Final = frozenset({"apps", "batch", "autoscaling", "policy", "extensions"})
WORKLOADS: Final = frozenset(
    {
        "pods",
        "deployments",
        "replicasets",
        "statefulsets",
        "daemonsets",
        "jobs",
        "cronjobs",
        "podtemplates",
        "replicationcontrollers",
    }
)


class ActionClass(StrEnum):
    """The classes, each once; `SENSITIVITY` says how much harm one request of a class can do."""

    SECRET_READ = "secret_read"  # noqa: S105
    SECRET_WRITE = "secret_write"  # noqa: S105
    EXEC = "exec"
    PORT_FORWARD = "port_forward"
    PROXY = "proxy"
    ROLE_WRITE = "role_write"
    BINDING_WRITE = "binding_write"
    TOKEN = "token"  # noqa: S105
    CERTIFICATE = "certificate"
    ACCOUNT_WRITE = "account_write"
    PERMISSION_CHECK = "permission_check"
    WORKLOAD_WRITE = "workload_write"
    ADMISSION_WRITE = "admission_write"
    EXTENSION_WRITE = "extension_write"
    NAMESPACE_DELETE = "namespace_delete"
    DELETE = "delete"
    NODE_WRITE = "node_write"
    CONFIG_WRITE = "config_write"
    NETWORK_WRITE = "network_write"
    STORAGE_WRITE = "storage_write"
    LOGS = "logs"
    OTHER_WRITE = "other_write"
    ROUTINE_WRITE = "routine_write"
    LIST = "list"
    READ = "read"
    PATH = "path"


SENSITIVITY: Final[dict[ActionClass, float]] = {
    ActionClass.SECRET_READ: 0.8,
    ActionClass.SECRET_WRITE: 0.6,
    ActionClass.EXEC: 0.9,
    ActionClass.PORT_FORWARD: 0.7,
    ActionClass.PROXY: 0.9,
    ActionClass.ROLE_WRITE: 0.9,
    ActionClass.BINDING_WRITE: 1.0,
    ActionClass.TOKEN: 0.9,
    ActionClass.CERTIFICATE: 0.9,
    ActionClass.ACCOUNT_WRITE: 0.6,
    ActionClass.PERMISSION_CHECK: 0.4,
    ActionClass.WORKLOAD_WRITE: 0.6,
    ActionClass.ADMISSION_WRITE: 1.0,
    ActionClass.EXTENSION_WRITE: 0.8,
    ActionClass.NAMESPACE_DELETE: 1.0,
    ActionClass.DELETE: 0.6,
    ActionClass.NODE_WRITE: 0.6,
    ActionClass.CONFIG_WRITE: 0.5,
    ActionClass.NETWORK_WRITE: 0.5,
    ActionClass.STORAGE_WRITE: 0.5,
    ActionClass.LOGS: 0.4,
    ActionClass.OTHER_WRITE: 0.4,
    ActionClass.ROUTINE_WRITE: 0.1,
    ActionClass.LIST: 0.2,
    ActionClass.READ: 0.1,
    ActionClass.PATH: 0.1,
}
"""0 (routine) to 1 (may give the cluster away); the order follows RBAC good practices of the Kubernetes documentation."""
SENSITIVE: Final = 0.5

_ROUTINE: Final = frozenset(
    {"events", "leases", "endpoints", "endpointslices", "tokenreviews", "subjectaccessreviews"}
)
_CHECKS: Final = frozenset(
    {
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
        "selfsubjectreviews",
        "localsubjectaccessreviews",
    }
)
_BY_SUBRESOURCE: Final = {
    "exec": ActionClass.EXEC,
    "attach": ActionClass.EXEC,
    "ephemeralcontainers": ActionClass.EXEC,
    "portforward": ActionClass.PORT_FORWARD,
    "proxy": ActionClass.PROXY,
    "log": ActionClass.LOGS,
    "token": ActionClass.TOKEN,
    "approval": ActionClass.CERTIFICATE,
    "status": ActionClass.ROUTINE_WRITE,
    "binding": ActionClass.ROUTINE_WRITE,
    "eviction": ActionClass.DELETE,
}
_BY_RESOURCE: Final = {
    "secrets": ActionClass.SECRET_WRITE,
    "roles": ActionClass.ROLE_WRITE,
    "clusterroles": ActionClass.ROLE_WRITE,
    "rolebindings": ActionClass.BINDING_WRITE,
    "clusterrolebindings": ActionClass.BINDING_WRITE,
    "certificatesigningrequests": ActionClass.CERTIFICATE,
    "serviceaccounts": ActionClass.ACCOUNT_WRITE,
    "users": ActionClass.ACCOUNT_WRITE,
    "groups": ActionClass.ACCOUNT_WRITE,
    "mutatingwebhookconfigurations": ActionClass.ADMISSION_WRITE,
    "validatingwebhookconfigurations": ActionClass.ADMISSION_WRITE,
    "mutatingadmissionpolicies": ActionClass.ADMISSION_WRITE,
    "mutatingadmissionpolicybindings": ActionClass.ADMISSION_WRITE,
    "validatingadmissionpolicies": ActionClass.ADMISSION_WRITE,
    "validatingadmissionpolicybindings": ActionClass.ADMISSION_WRITE,
    "apiservices": ActionClass.EXTENSION_WRITE,
    "customresourcedefinitions": ActionClass.EXTENSION_WRITE,
    "nodes": ActionClass.NODE_WRITE,
    "configmaps": ActionClass.CONFIG_WRITE,
    "services": ActionClass.NETWORK_WRITE,
    "ingresses": ActionClass.NETWORK_WRITE,
    "networkpolicies": ActionClass.NETWORK_WRITE,
    "persistentvolumes": ActionClass.STORAGE_WRITE,
    "persistentvolumeclaims": ActionClass.STORAGE_WRITE,
    "storageclasses": ActionClass.STORAGE_WRITE,
}


def plain(resource: str) -> str:
    """This will return a RESOURCE text without its API group.

    >>> plain("apps/deployments/scale"), plain("pods/exec")
    ('deployments/scale', 'pods/exec')
    """
    head, slash, rest = resource.partition("/")
    return rest if slash and ("." in head or head in GROUPS_WITHOUT_DOT) else resource


def split(action: str) -> tuple[str, str]:
    """This will return verb and resource (group left out) of an ACTION text."""
    verb, _, resource = action.partition(" ")
    return verb, plain(resource)


@lru_cache(maxsize=1 << 16)
def class_of(action: str) -> ActionClass:
    """This will return the class of an ACTION text ("get pods/exec").

    >>> class_of("get pods/exec"), class_of("list secrets"), class_of("get /livez")
    (<ActionClass.EXEC: 'exec'>, <ActionClass.SECRET_READ: 'secret_read'>, <ActionClass.PATH: 'path'>)
    """
    verb, resource = split(action)
    if resource.startswith("/") or not resource:
        return ActionClass.PATH
    kind, _, part = resource.partition("/")
    if kind in _CHECKS:
        return ActionClass.PERMISSION_CHECK
    if part in _BY_SUBRESOURCE and not (part in {"status", "token", "approval"} and verb in READS):
        return _BY_SUBRESOURCE[part]
    if verb in READS:
        if kind == "secrets":
            return ActionClass.SECRET_READ
        return ActionClass.READ if verb == "get" else ActionClass.LIST
    if verb in DELETES:
        return ActionClass.NAMESPACE_DELETE if kind == "namespaces" else ActionClass.DELETE
    if kind in _ROUTINE:
        return ActionClass.ROUTINE_WRITE
    if kind in WORKLOADS:
        return ActionClass.WORKLOAD_WRITE if not part else ActionClass.OTHER_WRITE
    return _BY_RESOURCE.get(kind, ActionClass.OTHER_WRITE)


def sensitivity(action: str) -> float:
    """This will return how much harm one such request can do, 0 to 1."""
    return SENSITIVITY[class_of(action)]
