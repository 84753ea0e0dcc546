"""What people did with a finding, and where it stands, as data."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from anomaly.payloads.finding import StateWord

if TYPE_CHECKING:
    from uuid import UUID

    from anomaly.review import Outcome
    from anomaly.store.triage import Kept, Step

VerdictWord = Literal["true", "benign", "false_alarm"]
MoveWord = Literal["take", "assign", "release", "comment", "close", "reopen", "undo", "suppress", "surface"]


class StandingPayload(TypedDict):
    """Where a finding stands. `version` counts its steps; `suppression` is the number of what hides it."""

    finding: str
    state: StateWord
    assignee: str | None
    verdict: VerdictWord | None
    suppression: int | None
    version: int


class StepPayload(TypedDict):
    """One step: who made which move, and what it led to."""

    at: datetime
    who: str
    move: MoveWord
    state: StateWord
    assignee: str | None
    verdict: VerdictWord | None
    note: str | None
    undone: bool


class HistoryPayload(StandingPayload):
    """Where a finding stands, which moves people can make now, and every step, oldest first."""

    moves: list[MoveWord]
    steps: list[StepPayload]


def standing_payload(number: UUID, kept: Kept) -> StandingPayload:
    """This will return where a finding stands as data."""
    standing = kept.standing
    return {
        "finding": str(number),
        "state": standing.state.value,
        "assignee": standing.assignee,
        "verdict": standing.verdict.value if standing.verdict else None,
        "suppression": standing.suppression,
        "version": kept.version,
    }


def step_payload(step: Step) -> StepPayload:
    """This will return one step as data."""
    return {
        "at": step.at,
        "who": step.who,
        "move": step.move.value,
        "state": step.after.state.value,
        "assignee": step.after.assignee,
        "verdict": step.after.verdict.value if step.after.verdict else None,
        "note": step.note or None,
        "undone": step.undone,
    }


def history_payload(number: UUID, kept: Kept, steps: Iterable[Step]) -> HistoryPayload:
    """This will return where a finding stands with its steps."""
    from anomaly.findings.triage import allowed

    return {
        **standing_payload(number, kept),
        "moves": [move.value for move in allowed(kept.standing)],
        "steps": [step_payload(step) for step in steps],
    }


class MovedPayload(TypedDict):
    """What became of one finding of many: where it stands now, or why it could not be moved."""

    finding: str
    moved: bool
    state: StateWord | None
    version: int | None
    reason: str | None


def moved_payload(one: Outcome) -> MovedPayload:
    """This will return what became of one finding of many."""
    return {
        "finding": str(one.number),
        "moved": one.kept is not None,
        "state": one.kept.standing.state.value if one.kept else None,
        "version": one.kept.version if one.kept else None,
        "reason": one.reason,
    }
