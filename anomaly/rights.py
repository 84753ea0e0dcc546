"""Who may do what: the rights there are, which of them a role has, and whoever asks as one value. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal


class Right(StrEnum):
    """What one may be allowed to do; the scopes of tokens have the same names."""

    INGEST = "ingest"
    """Send audit events of a cluster."""
    SCORE = "score"
    """Have windows and events judged, without anything being kept."""
    READ = "read"
    """See events, entities, findings, models and what else is kept of a cluster."""
    TRIAGE = "triage"
    """Take, comment, close and suppress findings."""
    ADMIN = "admin"
    """Everything else that changes something: clusters, people, tokens, models, rules; and all of the above."""


class Role(StrEnum):
    """What a person may do, in one word."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"


EVERYTHING: Final = frozenset(Right)

RIGHTS_OF: Final = MappingProxyType(
    {
        Role.VIEWER: frozenset({Right.READ, Right.SCORE}),
        Role.ANALYST: frozenset({Right.READ, Right.SCORE, Right.TRIAGE}),
        Role.ADMIN: EVERYTHING,
    }
)


def granted(scopes: Iterable[Right]) -> frozenset[Right]:
    """This will return the rights of a token with these scopes: the same ones, and with `admin` every one."""
    given = frozenset(scopes)
    return EVERYTHING if Right.ADMIN in given else given


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever asks, once that is certain. `id` is a number among its kind; `clusters` None means every cluster."""

    kind: Literal["token", "person", "certificate"]
    id: int
    name: str
    rights: frozenset[Right]
    clusters: frozenset[str] | None

    def may(self, right: Right) -> bool:
        """This will say whether it has the right, on its clusters."""
        return right in self.rights

    def may_see(self, cluster: str) -> bool:
        """This will say whether the cluster of this name is within its scope, whether or not there is such a cluster."""
        return self.clusters is None or cluster in self.clusters

    def covers(self, clusters: frozenset[str] | None) -> bool:
        """This will say whether its scope holds the whole of another: what one may give to others, or change in them."""
        return self.clusters is None or (clusters is not None and clusters <= self.clusters)
