"""A suppression and what it hides, as data."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from anomaly.payloads.finding import KindWord, SeverityWord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anomaly.findings.suppress import Subject, Suppression
    from anomaly.review import Preview


class SuppressionPayload(TypedDict):
    """A suppression: null restricts nothing. `hides` counts the findings it hides now."""

    id: int
    name: str | None
    entity: str | None
    kind: KindWord | None
    cluster: str | None
    namespace: str | None
    up_to: SeverityWord
    owner: str
    reason: str
    created_at: datetime | None
    ends_at: datetime
    ended_by: str | None
    hides: int


class KeptSuppressionPayload(TypedDict):
    """A suppression that was just kept: how many findings it hides now, and how many of the last year it would have hidden."""

    suppression: int
    ends_at: datetime
    hidden_now: int
    would_have_hidden_in_a_year: int


class SubjectPayload(TypedDict):
    """A finding that a suppression would have hidden."""

    id: str
    severity: SeverityWord
    name: str
    entity: str


class SuppressionPreviewPayload(TypedDict):
    """What a suppression would have hidden; `confirmed` of these were attacks."""

    hidden: list[SubjectPayload]
    confirmed: int
    looked_at: int


def suppression_payload(one: Suppression, hides: int, clusters: Mapping[int, str]) -> SuppressionPayload:
    """This will return a suppression as data; `clusters` has the names by id."""
    return {
        "id": one.id,
        "name": one.name,
        "entity": one.entity,
        "kind": one.kind.value if one.kind else None,
        "cluster": None if one.cluster_id is None else clusters.get(one.cluster_id, ""),
        "namespace": one.namespace,
        "up_to": one.up_to.value,
        "owner": one.owner,
        "reason": one.reason,
        "created_at": one.created_at,
        "ends_at": one.ends_at,
        "ended_by": one.ended_by,
        "hides": hides,
    }


def kept_suppression_payload(one: Suppression, hidden: int, would: Preview) -> KeptSuppressionPayload:
    """This will return what keeping a suppression came to."""
    return {
        "suppression": one.id,
        "ends_at": one.ends_at,
        "hidden_now": hidden,
        "would_have_hidden_in_a_year": len(would.hidden),
    }


def subject_payload(one: Subject) -> SubjectPayload:
    """This will return a finding as suppressions see it."""
    return {"id": str(one.id), "severity": one.severity.value, "name": one.name, "entity": one.entity}


def suppression_preview_payload(would: Preview) -> SuppressionPreviewPayload:
    """This will return what a suppression would have hidden."""
    return {
        "hidden": [subject_payload(one) for one in would.hidden],
        "confirmed": would.confirmed,
        "looked_at": would.looked_at,
    }
