"""How much an entity did: the plainest sign of automation where a person used to be, and the yardstick of the other families."""

from __future__ import annotations

from anomaly.features.masks import Column, share
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows


def requests(windows: Windows) -> Column:
    """This will return the requests made. Scripts, floods and stolen credentials in a tool's hands raise it.

    Unit: requests.
    """
    return windows.count(Dimension.REQUESTS)


def objects(windows: Windows) -> Column:
    """This will return the different named objects touched. One object polled is a habit, hundreds touched once are a sweep.

    Unit: objects.
    """
    return windows.distinct(Dimension.NAME)


def active_minutes(windows: Windows) -> Column:
    """This will return the minutes with at least one request. A person comes and goes, a loop never rests.

    Unit: minutes.
    """
    return windows.distinct(Dimension.MINUTE)


def bytes_logged(windows: Windows) -> Column:
    """This will return the size of the audit events. Large bodies written or returned show here before they show elsewhere.

    Unit: bytes.
    """
    return windows.count(Dimension.BYTES)


def bytes_each(windows: Windows) -> Column:
    """This will return the mean size of one event. It rises when small polls give way to whole objects.

    Unit: bytes a request.
    """
    return share(windows.count(Dimension.BYTES), windows.count(Dimension.REQUESTS))


def streams_opened(windows: Windows) -> Column:
    """This will return the long-running requests opened (watch, exec, attach, port-forward, proxy, log).

    They count when they start, since they may end hours later or never.

    Unit: requests.
    """
    return windows.count(Dimension.OPENED)


def repeated_most(windows: Windows) -> Column:
    """This will return how often the most frequent action was made. A retry loop or a brute-force has one that towers.

    Unit: requests.
    """
    return windows.largest(Dimension.ACTION)
