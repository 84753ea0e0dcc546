"""What an entity asks about: how many kinds, in how many places, and whether those places run the cluster itself."""

from __future__ import annotations

from anomaly.features.actions import DELETES, SENSITIVE, WRITES, ActionClass, class_of, sensitivity, split
from anomaly.features.masks import Column, count, distinct
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows

SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})


def _system(namespace: str) -> bool:
    return namespace in SYSTEM_NAMESPACES


def _path(resource: str) -> bool:
    return resource.startswith("/")


def _sensitive(action: str) -> bool:
    return sensitivity(action) >= SENSITIVE


def _settings(action: str) -> bool:
    return class_of(action) in {
        ActionClass.CONFIG_WRITE,
        ActionClass.NETWORK_WRITE,
        ActionClass.STORAGE_WRITE,
    }


def _cluster_settings(action: str) -> bool:
    return class_of(action) in {
        ActionClass.ADMISSION_WRITE,
        ActionClass.EXTENSION_WRITE,
        ActionClass.NODE_WRITE,
    }


def _changes_something(action: str) -> bool:
    verb, resource = split(action)
    return (verb in WRITES or verb in DELETES) and not resource.startswith("/")


def kinds(windows: Windows) -> Column:
    """This will return the different resources asked about. A job has its few, exploring has many.

    Unit: resources.
    """
    return windows.distinct(Dimension.RESOURCE)


def namespaces(windows: Windows) -> Column:
    """This will return the different namespaces. A team lives in its own; reaching across is rarely work.

    Unit: namespaces.
    """
    return windows.distinct(Dimension.NAMESPACE)


def places(windows: Windows) -> Column:
    """This will return the different pairs of resource and namespace. It rises with breadth in either direction.

    Unit: places.
    """
    return windows.distinct(Dimension.TARGET)


def system_namespaces(windows: Windows) -> Column:
    """This will return requests into kube-system and its like, where whoever can write owns the cluster.

    Unit: requests.
    """
    return count(windows, Dimension.NAMESPACE, _system)


def actions(windows: Windows) -> Column:
    """This will return the different actions (verb and resource). It is the breadth of what was done.

    Unit: actions.
    """
    return windows.distinct(Dimension.ACTION)


def sensitive_requests(windows: Windows) -> Column:
    """This will return requests of the classes that can give the cluster away: secrets, exec, RBAC, tokens, admission.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _sensitive)


def sensitive_actions(windows: Windows) -> Column:
    """This will return how many different such actions there were. An attack chains them, a job repeats one.

    Unit: actions.
    """
    return distinct(windows, Dimension.ACTION, _sensitive)


def kinds_written(windows: Windows) -> Column:
    """This will return how many different things were changed or deleted, as actions.

    Unit: actions.
    """
    return distinct(windows, Dimension.ACTION, _changes_something)


def settings_written(windows: Windows) -> Column:
    """This will return writes to config maps, services, ingresses, network policies and storage.

    DNS, routes and traffic rules are config: who changes them moves everybody's traffic.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _settings)


def cluster_settings_written(windows: Windows) -> Column:
    """This will return writes to admission webhooks and policies, API services, custom resource definitions and nodes.

    They change how every later request is treated, so few identities ever do it.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _cluster_settings)


def paths(windows: Windows) -> Column:
    """This will return the different request paths that are no resources. Probing walks through many.

    Unit: paths.
    """
    return distinct(windows, Dimension.RESOURCE, _path)
