"""What the doctor found, as data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from anomaly.payloads.tally import IntakeTallyPayload, tally_payload

if TYPE_CHECKING:
    from anomaly.intake.diagnosis import Check, Diagnosis, Patient

GradeWord = Literal["well", "note", "warning", "broken"]


class CheckupPayload(TypedDict):
    """One thing that was looked at. `step` is null when there is nothing to do about it."""

    name: str
    grade: GradeWord
    says: str
    step: str | None


class ArrivesPayload(TypedDict):
    """What arrives. `day` is of the last 24 hours; `per_minute` events of the last hour; shares of the newest events, 0..1."""

    last_event_at: datetime | None
    last_arrival_at: datetime | None
    per_minute: float
    day: IntakeTallyPayload
    sources: dict[str, int]
    levels: dict[str, float]
    stages: dict[str, float]


class BlindPayload(TypedDict):
    """A rule or feature family that cannot see all it looks for: `sees` is part, blind or always-fires."""

    owner: str
    sees: str
    why: str


class PatientPayload(TypedDict):
    """One cluster. `whole`: rules and families that see all they need; `unseen`: those of whose requests none arrived."""

    cluster: str
    grade: GradeWord
    step: str
    checks: list[CheckupPayload]
    arrives: ArrivesPayload
    blind: list[BlindPayload]
    whole: int
    unseen: int


class DiagnosisPayload(TypedDict):
    """The installation and its clusters at one moment; `grade` is the gravest of all, `step` is for the installation."""

    at: datetime
    grade: GradeWord
    step: str
    checks: list[CheckupPayload]
    clusters: list[PatientPayload]


def diagnosis_payload(one: Diagnosis) -> DiagnosisPayload:
    """This will return the whole diagnosis as data."""
    return {
        "at": one.at,
        "grade": one.grade.value,
        "step": one.step,
        "checks": _checks(one.checks),
        "clusters": [patient_payload(patient) for patient in one.clusters],
    }


def patient_payload(one: Patient) -> PatientPayload:
    """This will return what was found of one cluster as data."""
    arrives = one.arrives
    return {
        "cluster": one.cluster,
        "grade": one.grade.value,
        "step": one.step,
        "checks": _checks(one.checks),
        "arrives": {
            "last_event_at": arrives.last_event,
            "last_arrival_at": arrives.last_arrival,
            "per_minute": round(arrives.per_minute, 3),
            "day": tally_payload(arrives.tally),
            "sources": dict(arrives.sources),
            "levels": {name: round(share, 6) for name, share in arrives.levels.items()},
            "stages": {name: round(share, 6) for name, share in arrives.stages.items()},
        },
        "blind": [{"owner": blind.owner, "sees": blind.sees, "why": blind.why} for blind in one.blind],
        "whole": one.whole,
        "unseen": one.unseen,
    }


def _checks(checks: Sequence[Check]) -> list[CheckupPayload]:
    return [
        {"name": check.name, "grade": check.grade.value, "says": check.says, "step": check.step or None}
        for check in checks
    ]
