"""What judging came to, and single windows with their reason, as data."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from anomaly.payloads.finding import ContributionPayload, SeverityWord

if TYPE_CHECKING:
    from anomaly.appraising import Appraisal
    from anomaly.nightly import Judged
    from anomaly.scoring import Deviation


class JudgedPayload(TypedDict):
    """What judging a cluster's windows came to; `line` is the p-value under which a window becomes part of a finding."""

    cluster: str
    model: int
    windows: int
    findings: int
    over_the_budget: int
    new: int
    windows_over_the_line: int
    no_room: int
    below_the_line: int
    line: float
    expected_a_quiet_day: float
    at_most_a_quiet_day: float
    promised: bool


class BelowPayload(TypedDict):
    """A strange window that stays under the line."""

    cluster: str
    start: datetime
    p_value: float
    entity: str
    name: str
    severity: str
    reason: str


def judged_payload(cluster: str, judged: Judged) -> JudgedPayload:
    """This will return what judging came to as data."""
    line = judged.threshold
    return {
        "cluster": cluster,
        "model": judged.model_id,
        "windows": judged.windows,
        "findings": judged.findings,
        "over_the_budget": judged.beyond,
        "new": judged.new,
        "windows_over_the_line": judged.over,
        "no_room": judged.full,
        "below_the_line": judged.below,
        "line": line.p_value,
        "expected_a_quiet_day": line.expected,
        "at_most_a_quiet_day": line.high,
        "promised": line.promised,
    }


def below_payload(cluster: str, one: Deviation) -> BelowPayload:
    """This will return a window under the line as data."""
    from anomaly.events.key import EPOCH

    return {
        "cluster": cluster,
        "start": EPOCH + timedelta(microseconds=one.start_us),
        "p_value": round(one.p_value, 6),
        "entity": one.entity.identity.username,
        "name": one.name,
        "severity": one.severity,
        "reason": one.reason,
    }


class JudgementPayload(TypedDict):
    """What the model in use says of one window, and why.

    It `deviates` when its p-value is at or below `line`, which follows from the alert budget. `confidence` 0..1 says how far the
    judgement rests on the entity's own past; a `stranger` was not there at the training and is judged by its `peers`.
    """

    cluster: str
    entity: str
    entity_kind: str
    start: datetime
    end: datetime
    name: str
    title: str
    severity: SeverityWord
    attack: list[str]
    score: float
    p_value: float
    line: float
    deviates: bool
    confidence: float
    stranger: bool
    peers: str
    reason: str
    normal: str | None
    contributions: list[ContributionPayload]
    also: list[str]
    model: int


def judgement_payload(cluster: str, one: Appraisal) -> JudgementPayload:
    """This will return a judged window as data."""
    from anomaly.events.key import EPOCH

    told = one.deviation
    start = EPOCH + timedelta(microseconds=told.start_us)
    return {
        "cluster": cluster,
        "entity": told.entity.identity.username,
        "entity_kind": told.entity.kind.value,
        "start": start,
        "end": start + timedelta(microseconds=told.span_us),
        "name": told.name,
        "title": told.title,
        "severity": told.severity,  # type: ignore[typeddict-item]
        "attack": list(told.attack),
        "score": told.score,
        "p_value": told.p_value,
        "line": one.line,
        "deviates": one.deviates,
        "confidence": told.confidence,
        "stranger": one.stranger,
        "peers": told.details.get("peers", ""),
        "reason": told.reason,
        "normal": told.normal or None,
        "contributions": [
            {
                "feature": part.feature,
                "title": part.title,
                "unit": part.unit,
                "value": part.value,
                "usual": part.usual,
                "peers": part.peers,
                "share": part.share,
            }
            for part in told.parts
        ],
        "also": list(told.also),
        "model": one.model_id,
    }
