"""When an entity acts: how evenly over the window, and in how sharp a burst."""

from __future__ import annotations

from anomaly.features.masks import Column, share
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows

MINUTE_US = 60_000_000


def busiest_minute(windows: Windows) -> Column:
    """This will return the requests of the busiest minute. A script does in one what a person does in an hour.

    Unit: requests.
    """
    return windows.largest(Dimension.MINUTE)


def burst(windows: Windows) -> Column:
    """This will return how far the busiest minute lies above the mean of the minutes with requests.

    Unit: times.
    """
    mean = share(windows.count(Dimension.MINUTE), windows.distinct(Dimension.MINUTE))
    return share(windows.largest(Dimension.MINUTE), mean)


def spread(windows: Windows) -> Column:
    """This will return how evenly the requests lie over the minutes, as the entropy of the minutes.

    A loop is even, a person clusters: a rise in a person means a machine.

    Unit: nats.
    """
    return windows.entropy(Dimension.MINUTE)
