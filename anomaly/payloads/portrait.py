"""An entity as data: a line of the list, and its portrait."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.findings.risk import Risk
    from anomaly.portrait import Habit, Listed, Portrait


class ListedPayload(TypedDict):
    """One entity of a list. `risk` is 0 to 100, `why` the title of the finding that has the largest part in it. `one_of` n above 1:
    requests are estimated from each n-th window."""

    cluster: str
    entity: str
    kind: str
    requests: int
    risk: float
    why: str | None
    findings: int
    one_of: int


def listed_payload(one: Listed) -> ListedPayload:
    """This will return an entity of a list as data."""
    return {
        "cluster": one.cluster,
        "entity": one.username,
        "kind": one.kind.value,
        "requests": round(one.requests),
        "risk": round(one.risk, 1),
        "why": one.why or None,
        "findings": one.findings,
        "one_of": one.one_of,
    }


class RiskPartPayload(TypedDict):
    """What one finding has in a risk: `share` of the whole, 0 to 1."""

    finding: str
    title: str
    at: datetime
    share: float


def risk_payload(risk: Risk) -> list[RiskPartPayload]:
    """This will return what makes up a risk, the largest part first."""
    return [
        {"finding": part.mark.id, "title": part.mark.title, "at": part.mark.at, "share": round(part.share, 4)}
        for part in risk.parts
    ]


def portrait_payload(one: Portrait) -> dict[str, Any]:
    """This will return a portrait as data."""
    return {
        "cluster": one.cluster,
        "entity": one.identity.username,
        "kind": one.kind.value,
        "since": one.since,
        "until": one.until,
        "first_seen": one.first_seen,
        "last_seen": one.last_seen,
        "requests": round(one.requests),
        "usual_requests": None if one.usual_requests is None else round(one.usual_requests, 1),
        "groups": list(one.groups),
        "images": list(one.images),
        "dangers": list(one.dangers),
        "credentials": one.credentials,
        "risk": round(one.risk.value, 1),
        "risk_parts": risk_payload(one.risk),
        "risk_over_time": [{"at": at, "risk": round(value, 1)} for at, value in one.risks],
        "rhythm": [[round(count) for count in day] for day in one.rhythm],
        "habits": {
            dimension.name.lower(): [_habit(habit) for habit in found]
            for dimension, found in one.habits.items()
        },
        "firsts": [
            {
                "what": first.dimension.name.lower(),
                "text": first.text,
                "at": first.at,
                "new_to_cluster": first.for_cluster,
            }
            for first in one.firsts
        ],
        "peers": None if one.peers is None else {"group": one.peers.name, "members": list(one.peers.members)},
        "findings": [str(judged.finding.id) for judged in one.findings],
    }


def _habit(one: Habit) -> dict[str, Any]:
    return {
        "text": one.text,
        "now": round(one.now),
        "usual": None if one.usual is None else round(one.usual, 1),
        "share": round(one.share, 4),
        "peers": None if one.peers is None else round(one.peers, 4),
    }
