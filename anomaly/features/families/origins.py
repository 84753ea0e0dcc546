"""Where requests come from and what sends them: addresses, claims about addresses, user agents."""

from __future__ import annotations

import numpy as np

from anomaly.features.masks import Column, distinct, tenths
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows

_SCRIPTING = (
    "python",
    "curl/",
    "wget",
    "go-http-client",
    "okhttp",
    "java/",
    "node-fetch",
    "axios",
    "ruby",
    "powershell",
)
_LONGEST = 256


def scripting(agent: str) -> bool:
    """This will say whether a user agent is a general HTTP tool and no Kubernetes client, or none at all."""
    return not agent or agent.lower().startswith(_SCRIPTING)


def _overlong(agent: str) -> bool:
    return len(agent) > _LONGEST


def addresses(windows: Windows) -> Column:
    """This will return the different addresses. A credential used from two places at once is in two hands.

    Unit: addresses.
    """
    return windows.distinct(Dimension.ADDRESS)


def claimed(windows: Windows) -> Column:
    """This will return the different forwarded-for claims, which anybody can write. Who usually sends none is hiding.

    Unit: addresses.
    """
    return windows.distinct(Dimension.CLAIMED)


def claims_share(windows: Windows) -> Column:
    """This will return how many of ten requests carry a forwarded-for claim.

    Unit: tenths.
    """
    requests = windows.count(Dimension.REQUESTS)
    return tenths(np.minimum(windows.count(Dimension.CLAIMED), requests), requests)


def agents(windows: Windows) -> Column:
    """This will return the different user agents. One person has one or two tools.

    Unit: agents.
    """
    return windows.distinct(Dimension.AGENT)


def scripted_agents(windows: Windows) -> Column:
    """This will return the different general HTTP tools among the user agents (curl, python-requests, none at all).

    Unit: agents.
    """
    return distinct(windows, Dimension.AGENT, scripting)


def overlong_agents(windows: Windows) -> Column:
    """This will return the user agents of more than 256 characters, which no client sends.

    Unit: agents.
    """
    return distinct(windows, Dimension.AGENT, _overlong)
