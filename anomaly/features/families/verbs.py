"""How an entity asks: looking, listing, watching, changing. A reader that starts to write has changed its job."""

from __future__ import annotations

from anomaly.features.actions import DELETES, WRITES
from anomaly.features.masks import Column, count, distinct, tenths
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows


def _get(verb: str) -> bool:
    return verb == "get"


def _list(verb: str) -> bool:
    return verb == "list"


def _watch(verb: str) -> bool:
    return verb == "watch"


def _create(verb: str) -> bool:
    return verb == "create"


def _change(verb: str) -> bool:
    return verb in {"update", "patch"}


def _writes(verb: str) -> bool:
    return verb in WRITES or verb in DELETES


def gets(windows: Windows) -> Column:
    """This will return the single objects and paths asked for. Reading objects one by one is how data is carried off.

    Unit: requests.
    """
    return count(windows, Dimension.VERB, _get)


def lists(windows: Windows) -> Column:
    """This will return the lists asked for. A list shows everything at once, values included.

    Unit: requests.
    """
    return count(windows, Dimension.VERB, _list)


def watches(windows: Windows) -> Column:
    """This will return the watches that ended. Controllers watch, people rarely do.

    Unit: requests.
    """
    return count(windows, Dimension.VERB, _watch)


def creates(windows: Windows) -> Column:
    """This will return the objects created, or tried to be. What was not there before is where footholds are.

    Unit: requests.
    """
    return count(windows, Dimension.VERB, _create)


def changes(windows: Windows) -> Column:
    """This will return updates and patches. Tampering with what is there makes no new object.

    Unit: requests.
    """
    return count(windows, Dimension.VERB, _change)


def write_share(windows: Windows) -> Column:
    """This will return how many of ten requests change something.

    A reader's share is near zero whatever its volume, so this moves when the role changes and not when the day is busy.

    Unit: tenths.
    """
    return tenths(count(windows, Dimension.VERB, _writes), windows.count(Dimension.REQUESTS))


def kinds_of_verb(windows: Windows) -> Column:
    """This will return how many different verbs were used. Trying out what works uses many.

    Unit: verbs.
    """
    return windows.distinct(Dimension.VERB)


def kinds_of_write(windows: Windows) -> Column:
    """This will return how many different changing verbs were used: create, update, patch, delete, deletecollection.

    Unit: verbs.
    """
    return distinct(windows, Dimension.VERB, _writes)
