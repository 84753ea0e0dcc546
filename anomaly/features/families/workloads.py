"""Workloads written, and what they may do to their node. The body is seen only where the audit level keeps it."""

from __future__ import annotations

from anomaly.features.actions import ActionClass, class_of, split
from anomaly.features.masks import Column, count, distinct
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows

NODE_TAKING = frozenset(
    {"privileged", "hostPID", "hostIPC", "hostNetwork", "sensitive-hostPath", "shareProcessNamespace"}
)


def takes_node(risk: str) -> bool:
    """This will say whether a RISK text lets the pod reach its node: host namespaces, privileged, capabilities."""
    return risk in NODE_TAKING or risk.startswith("capability:")


def _written(action: str) -> bool:
    return class_of(action) is ActionClass.WORKLOAD_WRITE


def _lasting(action: str) -> bool:
    verb, resource = split(action)
    return verb == "create" and resource in {"cronjobs", "daemonsets", "deployments", "statefulsets"}


def written(windows: Windows) -> Column:
    """This will return workloads created or changed. Running code is the aim of most intrusions.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _written)


def lasting_created(windows: Windows) -> Column:
    """This will return created workloads that come back by themselves: cron jobs, daemon sets, deployments, stateful sets.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _lasting)


def risks(windows: Windows) -> Column:
    """This will return the different controls of the Pod Security Standards that written workloads step over.

    Unit: controls.
    """
    return windows.distinct(Dimension.RISK)


def node_taking(windows: Windows) -> Column:
    """This will return workloads that can take their node: privileged, host namespaces, sensitive host paths, capabilities.

    Unit: workload controls.
    """
    return count(windows, Dimension.RISK, takes_node)


def node_taking_kinds(windows: Windows) -> Column:
    """This will return how many different ways to the node were asked for. One may be needed, three are an escape.

    Unit: controls.
    """
    return distinct(windows, Dimension.RISK, takes_node)


def images(windows: Windows) -> Column:
    """This will return the different images put to run.

    Unit: images.
    """
    return windows.distinct(Dimension.IMAGE)


def registries(windows: Windows) -> Column:
    """This will return the different registries images came from. Most clusters know two or three.

    Unit: registries.
    """
    return windows.distinct(Dimension.REGISTRY)
