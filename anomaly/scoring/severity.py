"""How bad it would be if it were what it looks like: from what was done, never from the score alone."""

from __future__ import annotations

from typing import Final

from anomaly.events.identity import EntityKind
from anomaly.features.families.privileges import EVERYBODY, STRONG_ROLES
from anomaly.features.families.resources import SYSTEM_NAMESPACES
from anomaly.features.families.workloads import takes_node
from anomaly.scoring.catalogue import CATALOGUE
from anomaly.scoring.naming import Naming
from anomaly.scoring.sight import USUAL, Sight
from anomaly.windows.dimension import Dimension

LEVELS: Final = ("info", "low", "medium", "high", "critical")
_UNKNOWN: Final = 0.05
_AT_HOME: Final = (EntityKind.NODE, EntityKind.SYSTEM)
_MACHINES: Final = (*_AT_HOME, EntityKind.SERVICE_ACCOUNT)
_SEVERAL: Final = 2
"""So many other grave names in the same window make it a chain and no accident."""


def severity_of(naming: Naming, sight: Sight, confidence: float = 1.0) -> str:
    """This will return info, low, medium, high or critical.

    The name's own severity; one step down when everything was refused; one step up for power over the whole cluster, for the
    system's namespaces, or when several grave names meet in one window. At least low unless nothing in particular stands out.
    Machines of which nothing is known do everything for the first time when they join: one step down unless they are refused
    something, and the system's namespaces are where nodes and system components work.
    """
    level = LEVELS.index(naming.name.severity)
    if naming.refused:
        level -= 1
    elif _whole_cluster(sight) or (_system(naming, sight) and naming.name.severity != "info"):
        level += 1
    if confidence <= _UNKNOWN and sight.kind in _MACHINES and not sight.of(Dimension.DENIED):
        level -= 1
    grave = sum(
        LEVELS.index(CATALOGUE[other.name].severity) >= LEVELS.index("high") for other, _ in naming.also
    )
    if grave >= _SEVERAL and not naming.refused:
        level += 1
    least = LEVELS.index("info" if naming.name.name == "unusual_mix" else "low")
    return LEVELS[max(least, min(level, len(LEVELS) - 1))]


def _whole_cluster(sight: Sight) -> bool:
    grants = {term.text for term in sight.of(Dimension.GRANT)}
    if (grants & STRONG_ROLES and "role:cluster-admin" in grants) or grants & set(EVERYBODY):
        return True
    return sum(1 for _ in sight.of(Dimension.RISK, takes_node)) >= _SEVERAL


def _system(naming: Naming, sight: Sight) -> bool:
    """The deeds that name it were done in the system's namespaces, and that is unusual."""
    if sight.kind in _AT_HOME:
        return False
    touched = {term.text.partition(" ")[2] for term in naming.terms if term.dimension is Dimension.ACTION}
    for term in sight.of(Dimension.TARGET):
        resource, _, namespace = term.text.rpartition(" @")
        if term.most >= USUAL and namespace in SYSTEM_NAMESPACES and resource in touched:
            return True
    return False
