"""Taking away: how much was deleted, of how many kinds, and whether it hides traces."""

from __future__ import annotations

from anomaly.features.actions import DELETES, ActionClass, class_of, split
from anomaly.features.masks import Column, count
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows


def _tried(action: str) -> bool:
    return split(action)[0] in DELETES


def _collections(action: str) -> bool:
    return split(action)[0] == "deletecollection"


def _namespaces(action: str) -> bool:
    return class_of(action) is ActionClass.NAMESPACE_DELETE


def _events(target: str) -> bool:
    return "events" in target.partition(" ")[0]


def tried(windows: Windows) -> Column:
    """This will return the deletions asked for, allowed or not.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _tried)


def places(windows: Windows) -> Column:
    """This will return the different kinds and namespaces deleted from. Clean-up takes one kind, destruction takes all.

    Unit: places.
    """
    return windows.distinct(Dimension.DELETED)


def collections(windows: Windows) -> Column:
    """This will return deletions of whole collections: one request, everything gone.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _collections)


def namespaces(windows: Windows) -> Column:
    """This will return namespaces deleted, or tried to be, with all that lives in them.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _namespaces)


def traces(windows: Windows) -> Column:
    """This will return deletions of Kubernetes events: somebody wipes the floor behind him.

    Unit: requests.
    """
    return count(windows, Dimension.DELETED, _events)
