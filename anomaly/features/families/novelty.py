"""Never before: for this entity, for its peers, for its kind, for the cluster.

Each new thing counts by how unusual news is there: with k new things in T spans so far, as (T + 1) / (k + 1/2) - 1. Who shows
something new every hour is not strange for one more; who never did in a year is. These are odds, so their logarithm, which
the detector takes, is the surprise in nats.
"""

from __future__ import annotations

import numpy as np

from anomaly.features.actions import sensitivity
from anomaly.features.circles import Circle, Topic
from anomaly.features.history import Past
from anomaly.features.masks import Column, weighed
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows

_DEEDS = (Topic.ACTIONS, Topic.PLACES)
_CONTENT = (Topic.IDENTITIES, Topic.SECRETS, Topic.SOFTWARE, Topic.RISKS, Topic.GRANTS, Topic.PODS)


def _own(past: Past, *wanted: Topic) -> Column:
    return past.news(None, *wanted)


def _others(past: Past, circle: Circle, *wanted: Topic) -> Column:
    return past.news(circle, *wanted)


def actions(windows: Windows, past: Past) -> Column:
    """This will return actions the entity never made before. A new kind of deed is a new purpose.

    Unit: spans without.
    """
    return _own(past, Topic.ACTIONS)


def places(windows: Windows, past: Past) -> Column:
    """This will return namespaces, and resources within them, that the entity never went to before.

    Unit: spans without.
    """
    return _own(past, Topic.PLACES)


def addresses(windows: Windows, past: Past) -> Column:
    """This will return addresses the entity never came from before.

    Unit: spans without.
    """
    return _own(past, Topic.ADDRESSES)


def tools(windows: Windows, past: Past) -> Column:
    """This will return tools (user agents without their version) the entity never used before.

    Unit: spans without.
    """
    return _own(past, Topic.TOOLS)


def identities(windows: Windows, past: Past) -> Column:
    """This will return users the entity never acted as before.

    Unit: spans without.
    """
    return _own(past, Topic.IDENTITIES)


def secrets(windows: Windows, past: Past) -> Column:
    """This will return secrets the entity never read before. Applications read the same ones for ever.

    Unit: spans without.
    """
    return _own(past, Topic.SECRETS)


def software(windows: Windows, past: Past) -> Column:
    """This will return images and registries the entity never put to run before.

    Unit: spans without.
    """
    return _own(past, Topic.SOFTWARE)


def powers(windows: Windows, past: Past) -> Column:
    """This will return workload privileges and RBAC grants the entity never wrote before.

    Unit: spans without.
    """
    return _own(past, Topic.RISKS, Topic.GRANTS)


def pods_entered(windows: Windows, past: Past) -> Column:
    """This will return pods the entity never entered before.

    Unit: spans without.
    """
    return _own(past, Topic.PODS)


def refusals(windows: Windows, past: Past) -> Column:
    """This will return actions the entity was never refused before.

    Unit: spans without.
    """
    return _own(past, Topic.REFUSALS)


def deeds_unlike_peers(windows: Windows, past: Past) -> Column:
    """This will return new actions and places that no other of the peer group has shown before.

    Holds for a stranger too: doing what its peers do stays at zero.

    Unit: spans without.
    """
    return _others(past, Circle.PEERS, *_DEEDS)


def deeds_unlike_kind(windows: Windows, past: Past) -> Column:
    """This will return new actions and places that no other of the whole kind has shown before.

    Unit: spans without.
    """
    return _others(past, Circle.KIND, *_DEEDS)


def deeds_unlike_anybody(windows: Windows, past: Past) -> Column:
    """This will return new actions and places that nobody in the cluster has shown before.

    Unit: spans without.
    """
    return _others(past, Circle.CLUSTER, *_DEEDS)


def content_unlike_kind(windows: Windows, past: Past) -> Column:
    """This will return identities, secrets, images, privileges, grants and pods new to the whole kind.

    Unit: spans without.
    """
    return _others(past, Circle.KIND, *_CONTENT)


def content_unlike_anybody(windows: Windows, past: Past) -> Column:
    """This will return identities, secrets, images, privileges, grants and pods new to the whole cluster.

    Unit: spans without.
    """
    return _others(past, Circle.CLUSTER, *_CONTENT)


def tools_unlike_anybody(windows: Windows, past: Past) -> Column:
    """This will return tools that nobody in the cluster has used before.

    Unit: spans without.
    """
    return _others(past, Circle.CLUSTER, Topic.TOOLS)


def refusals_unlike_kind(windows: Windows, past: Past) -> Column:
    """This will return actions that nobody else of the kind was ever refused.

    Unit: spans without.
    """
    return _others(past, Circle.KIND, Topic.REFUSALS)


def sensitive_deeds(windows: Windows, past: Past) -> Column:
    """This will return new actions weighted by the harm they can do, for the entity and its kind together.

    Unit: spans without, weighted.
    """
    fresh = past.fresh
    weight = weighed(windows, Dimension.ACTION, sensitivity, fresh.term)
    surprise = np.maximum(fresh.surprise, fresh.others[:, Circle.KIND])
    return fresh.total(windows.n, np.expm1(weight * surprise), Topic.ACTIONS)
