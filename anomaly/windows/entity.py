"""Who is judged: one caller in one cluster."""

from __future__ import annotations

from dataclasses import dataclass

from anomaly.events.identity import EntityKind, Identity

CLUSTER_WIDE = 0
"""The entity id under which the firsts of a whole cluster are kept."""


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity as it is kept: `identity.username` is unique in its cluster."""

    id: int
    cluster_id: int
    identity: Identity

    @property
    def kind(self) -> EntityKind:
        return self.identity.kind

    @property
    def title(self) -> str:
        """What people call it: the username of a person, "namespace/name" of a service account."""
        who = self.identity
        return f"{who.namespace}/{who.name}" if who.service_account else who.username
