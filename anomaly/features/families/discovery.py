"""Looking around: asking what one may do, listing across namespaces, walking through many kinds."""

from __future__ import annotations

from anomaly.features.actions import ActionClass, class_of, plain, split
from anomaly.features.masks import Column, count, distinct
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows

_MAP = frozenset(
    {
        "namespaces",
        "nodes",
        "roles",
        "clusterroles",
        "rolebindings",
        "clusterrolebindings",
        "serviceaccounts",
        "networkpolicies",
        "customresourcedefinitions",
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
    }
)


def _checks(action: str) -> bool:
    return class_of(action) is ActionClass.PERMISSION_CHECK


def _lists(action: str) -> bool:
    return split(action)[0] in {"list", "watch"}


def _everywhere(target: str) -> bool:
    return target.endswith(" @")


def _map(action: str) -> bool:
    verb, resource = split(action)
    return verb in {"list", "get"} and resource in _MAP


def _schema(resource: str) -> bool:
    return plain(resource).startswith(("/api", "/openapi", "/version", "/swagger"))


def checks(windows: Windows) -> Column:
    """This will return the times the entity asked what it may do. A new hand on a stolen credential asks first.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _checks)


def permissions_asked(windows: Windows) -> Column:
    """This will return the different permissions asked about. A tool asks for the one it needs, a scan for all.

    Unit: permissions.
    """
    return windows.distinct(Dimension.CHECKED)


def kinds_listed(windows: Windows) -> Column:
    """This will return how many different kinds of objects were listed or watched.

    Unit: actions.
    """
    return distinct(windows, Dimension.ACTION, _lists)


def cluster_wide(windows: Windows) -> Column:
    """This will return the different resources asked for without a namespace: cluster-wide lists and cluster objects.

    Unit: resources.
    """
    return distinct(windows, Dimension.TARGET, _everywhere)


def map_reads(windows: Windows) -> Column:
    """This will return the different reads of what maps a cluster: namespaces, nodes, roles, bindings, accounts, webhooks.

    Unit: actions.
    """
    return distinct(windows, Dimension.ACTION, _map)


def schema_reads(windows: Windows) -> Column:
    """This will return reads of the API's own description. Clients do it once at start; a scanner does it again and again.

    Unit: requests.
    """
    return count(windows, Dimension.RESOURCE, _schema)
