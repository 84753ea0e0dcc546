"""Ways into running pods and nodes: exec, attach, ephemeral containers, port-forward, proxy, logs."""

from __future__ import annotations

from anomaly.features.actions import ActionClass, class_of
from anomaly.features.masks import Column, count
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows


def _exec(action: str) -> bool:
    return class_of(action) is ActionClass.EXEC


def _forward(action: str) -> bool:
    return class_of(action) is ActionClass.PORT_FORWARD


def _proxy(action: str) -> bool:
    return class_of(action) is ActionClass.PROXY


def _logs(action: str) -> bool:
    return class_of(action) is ActionClass.LOGS


def _enters(action: str) -> bool:
    return class_of(action) in {ActionClass.EXEC, ActionClass.PORT_FORWARD, ActionClass.PROXY}


def execs(windows: Windows) -> Column:
    """This will return exec, attach and ephemeral containers: all that the pod may do, its token included.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _exec)


def pods_entered(windows: Windows) -> Column:
    """This will return the different pods entered. Debugging stays in one, hunting goes from pod to pod.

    Unit: pods.
    """
    return windows.distinct(Dimension.EXEC)


def forwards(windows: Windows) -> Column:
    """This will return port-forwards. They reach databases around every network policy.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _forward)


def proxied(windows: Windows) -> Column:
    """This will return requests through node, pod and service proxies. The node proxy is the kubelet's whole API.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _proxy)


def logs(windows: Windows) -> Column:
    """This will return reads of pod logs, where tokens and personal data often lie.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _logs)


def opened(windows: Windows) -> Column:
    """This will return exec, attach, port-forward and proxy sessions at their start; their end may be hours away.

    Unit: sessions.
    """
    return count(windows, Dimension.OPENED, _enters)


def refused(windows: Windows) -> Column:
    """This will return ways in that were refused.

    Unit: requests.
    """
    return count(windows, Dimension.DENIED, _enters)
