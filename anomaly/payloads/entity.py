"""An entity as data: who it is, what is usual for it, with whom it is compared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from anomaly.payloads.finding import SeverityWord
from anomaly.payloads.judging import JudgementPayload

if TYPE_CHECKING:
    from anomaly.store.known import Known
    from anomaly.usual import Usual


class EntityPayload(TypedDict):
    """An entity: its number, its cluster, who it is; findings open or taken, the gravest of these, when the last of all began."""

    id: int
    cluster: str
    username: str
    kind: str
    name: str
    namespace: str | None
    open_findings: int
    worst: SeverityWord | None
    last_finding_at: datetime | None


class SharePayload(TypedDict):
    """A value, and the share of windows in which it occurs."""

    value: str
    share: float


class UsualPayload(TypedDict):
    """What is usual: the most frequent actions, targets, addresses and agents; shares of 24 hours (UTC) of working days, then of
    weekends; the peer group and some of its members."""

    windows: int
    days: int
    hours: list[float]
    actions: list[SharePayload]
    targets: list[SharePayload]
    addresses: list[SharePayload]
    agents: list[SharePayload]
    peers: str
    members: list[str]


class BehaviourPayload(TypedDict):
    """An entity's usual behaviour (null before it was learned) and its present one, judged (null when it does nothing now)."""

    entity: EntityPayload
    usual: UsualPayload | None
    present: JudgementPayload | None


class HistogramPayload(TypedDict):
    """One window as counts: for each dimension how often each value came. It can be sent to be scored as it is."""

    start: datetime
    counts: dict[str, dict[str, int]]


def entity_payload(one: Known) -> EntityPayload:
    """This will return an entity as data."""
    who = one.identity
    return {
        "id": one.id,
        "cluster": one.cluster,
        "username": who.username,
        "kind": who.kind.value,
        "name": who.name,
        "namespace": who.namespace or None,
        "open_findings": one.open,
        "worst": one.worst.value if one.worst else None,
        "last_finding_at": one.last_finding_at,
    }


def usual_payload(one: Usual, names: Mapping[int, str]) -> UsualPayload:
    """This will return what is usual as data; `names` has usernames by id."""
    from anomaly.windows.dimension import Dimension

    def shares(dimension: Dimension) -> list[SharePayload]:
        return [{"value": text, "share": round(share, 4)} for text, share in one.mix.get(dimension, ())]

    return {
        "windows": one.windows,
        "days": one.days,
        "hours": [round(share, 4) for share in one.hours],
        "actions": shares(Dimension.ACTION),
        "targets": shares(Dimension.TARGET),
        "addresses": shares(Dimension.ADDRESS),
        "agents": shares(Dimension.AGENT),
        "peers": one.peers,
        "members": [names[number] for number in one.members if number in names],
    }
