"""What an entity asked for and was refused, or failed at: probing and stolen credentials show here first."""

from __future__ import annotations

from anomaly.features.actions import SENSITIVE, sensitivity
from anomaly.features.masks import Column, count, tenths
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows


def _unauthorized(code: str) -> bool:
    return code == "401"


def _absent(code: str) -> bool:
    return code == "404"


def _conflict(code: str) -> bool:
    return code == "409"


def _server_error(code: str) -> bool:
    return code.startswith("5")


def _sensitive(action: str) -> bool:
    return sensitivity(action) >= SENSITIVE


def denied(windows: Windows) -> Column:
    """This will return the requests refused with 401 or 403. Who knows its rights is seldom refused.

    Unit: requests.
    """
    return windows.count(Dimension.DENIED)


def denied_actions(windows: Windows) -> Column:
    """This will return the different actions refused. One broken controller repeats one, a prober tries many.

    Unit: actions.
    """
    return windows.distinct(Dimension.DENIED)


def denied_share(windows: Windows) -> Column:
    """This will return how many of ten requests were refused, a few refusals alone counting less.

    Unit: tenths.
    """
    return tenths(windows.count(Dimension.DENIED), windows.count(Dimension.REQUESTS))


def denied_sensitive(windows: Windows) -> Column:
    """This will return the refused requests for secrets, exec, RBAC, tokens and the like: what an intruder tries.

    Unit: requests.
    """
    return count(windows, Dimension.DENIED, _sensitive)


def unauthenticated(windows: Windows) -> Column:
    """This will return requests answered 401. Expired, forged or guessed credentials end here.

    Unit: requests.
    """
    return count(windows, Dimension.CODE, _unauthorized)


def failed(windows: Windows) -> Column:
    """This will return the requests answered 400 or above that were not refused. Guessing and breaking both fail.

    Unit: requests.
    """
    return windows.count(Dimension.FAILED)


def failed_actions(windows: Windows) -> Column:
    """This will return the different actions that failed. A fault repeats itself, somebody trying things does not.

    Unit: actions.
    """
    return windows.distinct(Dimension.FAILED)


def absent(windows: Windows) -> Column:
    """This will return requests for what is not there (404). Guessing names makes many.

    Unit: requests.
    """
    return count(windows, Dimension.CODE, _absent)


def conflicts(windows: Windows) -> Column:
    """This will return conflicts (409). Two who write the same object, or one that repeats a script.

    Unit: requests.
    """
    return count(windows, Dimension.CODE, _conflict)


def server_errors(windows: Windows) -> Column:
    """This will return answers of 500 and above. A webhook that fails, a kubelet that cannot be reached, an exploit tried.

    Unit: requests.
    """
    return count(windows, Dimension.CODE, _server_error)
