"""How mixed the window is: entropies. Exploring is even over many things, a job leans on a few."""

from __future__ import annotations

from anomaly.features.masks import Column, tenths
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows


def of_actions(windows: Windows) -> Column:
    """This will return the entropy of the actions.

    Unit: nats.
    """
    return windows.entropy(Dimension.ACTION)


def of_places(windows: Windows) -> Column:
    """This will return the entropy over resources and namespaces.

    Unit: nats.
    """
    return windows.entropy(Dimension.TARGET)


def of_objects(windows: Windows) -> Column:
    """This will return the entropy of the named objects. A sweep touches each once and comes out high.

    Unit: nats.
    """
    return windows.entropy(Dimension.NAME)


def of_answers(windows: Windows) -> Column:
    """This will return the entropy of the status codes. Trouble and probing mix them.

    Unit: nats.
    """
    return windows.entropy(Dimension.CODE)


def objects_each(windows: Windows) -> Column:
    """This will return how many different objects there are to ten requests. A sweep comes near ten.

    Unit: tenths.
    """
    return tenths(windows.distinct(Dimension.NAME), windows.count(Dimension.REQUESTS))
