"""What the doctor says: checks with a grade, of the installation and of each cluster, and the next step in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from anomaly.intake.tally import Tally


class Grade(StrEnum):
    """How it is: as it should be, worth knowing, in need of attention, or broken."""

    WELL = "well"
    NOTE = "note"
    WARNING = "warning"
    BROKEN = "broken"

    @property
    def rank(self) -> int:
        """0 for well to 3 for broken."""
        return list(Grade).index(self)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, in a sentence, and what to do about it, in another; none when it is well."""

    name: str
    grade: Grade
    says: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class Arrives:
    """What arrives of a cluster. `tally` is of the last 24 hours, `per_minute` live events of the last hour; shares are 0..1 of the newest
    events, by level and by stage."""

    last_event: datetime | None
    last_arrival: datetime | None
    tally: Tally
    per_minute: float
    sources: Mapping[str, int]
    levels: Mapping[str, float]
    stages: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Blind:
    """A rule or feature family that cannot see what it needs. `sees`: part, blind or always-fires; `why` in words."""

    owner: str
    sees: str
    why: str


@dataclass(frozen=True, slots=True)
class Patient:
    """One cluster. `unseen` counts the rules and families that look at requests of which none arrived; `whole` those that see all."""

    cluster: str
    checks: tuple[Check, ...]
    arrives: Arrives
    blind: tuple[Blind, ...] = ()
    unseen: int = 0
    whole: int = 0

    @property
    def step(self) -> str:
        """The next step, in one sentence."""
        return next_step(self.checks, "Nothing to do: what is needed arrives.")

    @property
    def grade(self) -> Grade:
        """The gravest of its checks."""
        return gravest(self.checks)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was looked at, at one moment."""

    at: datetime
    checks: tuple[Check, ...]
    clusters: tuple[Patient, ...] = ()

    @property
    def step(self) -> str:
        """The next step for the installation itself, in one sentence."""
        return next_step(self.checks, "Nothing to do: the installation is well.")

    @property
    def grade(self) -> Grade:
        """The gravest of everything."""
        grades = [gravest(self.checks), *(one.grade for one in self.clusters)]
        return max(grades, key=lambda grade: grade.rank)


def gravest(checks: Sequence[Check]) -> Grade:
    """This will return the gravest grade, well without checks."""
    return max((check.grade for check in checks), key=lambda grade: grade.rank, default=Grade.WELL)


def next_step(checks: Sequence[Check], otherwise: str) -> str:
    """This will return the step of the gravest check that has one, the first of several."""
    stepped = [check for check in checks if check.step]
    return max(stepped, key=lambda check: check.grade.rank).step if stepped else otherwise
