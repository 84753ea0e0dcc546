"""The moves a finding can make between people: which are allowed where, and where each leads.

    open -> taken -> closed (with a verdict)      assign and release move it between people, reopen brings it back
    open -> suppressed -> open                    by suppressions alone; a person brings it back by reopen
    below                                         its day had no room for it (`merge.py`); people may still take or close it

Comments are allowed everywhere. A verdict says what the deed was, not who was right: `true` an attack or a breach, `benign` really
unusual but wanted, `false_alarm` not unusual at all.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

from anomaly.errors import MoveNotAllowed


class State(StrEnum):
    """Where a finding stands."""

    OPEN = "open"
    BELOW = "below"
    TAKEN = "taken"
    CLOSED = "closed"
    SUPPRESSED = "suppressed"


class Verdict(StrEnum):
    """What a reviewer found it to be."""

    TRUE = "true"
    BENIGN = "benign"
    FALSE_ALARM = "false_alarm"


class Move(StrEnum):
    """What can be done to a finding. The last two are made by suppressions, never by people."""

    TAKE = "take"
    ASSIGN = "assign"
    RELEASE = "release"
    COMMENT = "comment"
    CLOSE = "close"
    REOPEN = "reopen"
    UNDO = "undo"
    SUPPRESS = "suppress"
    SURFACE = "surface"


class Changed(MoveNotAllowed):
    """Somebody else changed this finding meanwhile; look at it again before you decide."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a finding stands: `assignee` has it in hand, `suppression` is the number of what hides it."""

    state: State = State.OPEN
    assignee: str | None = None
    verdict: Verdict | None = None
    suppression: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """This will give the standing as plain data, for the history."""
        return asdict(self)

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> Standing:
        """This will rebuild a standing from what `to_dict` gave."""
        verdict = said.get("verdict")
        return cls(
            State(said["state"]),
            said.get("assignee"),
            None if verdict is None else Verdict(verdict),
            said.get("suppression"),
        )


_FROM: Final[dict[Move, frozenset[State]]] = {
    Move.TAKE: frozenset({State.OPEN, State.BELOW}),
    Move.ASSIGN: frozenset({State.OPEN, State.BELOW, State.TAKEN}),
    Move.RELEASE: frozenset({State.TAKEN}),
    Move.COMMENT: frozenset(State),
    Move.CLOSE: frozenset({State.OPEN, State.BELOW, State.TAKEN}),
    Move.REOPEN: frozenset({State.CLOSED, State.SUPPRESSED, State.BELOW}),
    Move.SUPPRESS: frozenset({State.OPEN}),
    Move.SURFACE: frozenset({State.SUPPRESSED}),
}
_BY_PEOPLE: Final = tuple(move for move in _FROM if move not in {Move.SUPPRESS, Move.SURFACE})


def allowed(standing: Standing) -> tuple[Move, ...]:
    """This will return the moves that people can make now; undo depends on the history and is not among them."""
    return tuple(move for move in _BY_PEOPLE if standing.state in _FROM[move])


def moved(
    standing: Standing,
    move: Move,
    who: str,
    *,
    to: str | None = None,
    verdict: Verdict | None = None,
    suppression: int | None = None,
) -> Standing:
    """This will return where a move leads. `to` is the new assignee of assign, `verdict` that of close.

    Raises MoveNotAllowed when the move cannot be made from here or lacks what it needs.
    """
    if move is Move.UNDO or standing.state not in _FROM[move]:
        raise MoveNotAllowed(
            f"A finding that is {standing.state.value} cannot {move.value}.",
            hint=f"It can {', '.join(one.value for one in allowed(standing))}.",
        )
    if move is Move.CLOSE:
        if verdict is None:
            raise MoveNotAllowed("Closing needs a verdict: true, benign or false_alarm.")
        return replace(standing, state=State.CLOSED, verdict=verdict, assignee=standing.assignee or who)
    if move is Move.ASSIGN and not to:
        raise MoveNotAllowed("Assigning needs somebody to assign it to.")
    if move in {Move.TAKE, Move.ASSIGN}:
        return replace(standing, state=State.TAKEN, assignee=to or who)
    if move is Move.SUPPRESS:
        return replace(standing, state=State.SUPPRESSED, suppression=suppression)
    if move is Move.COMMENT:
        return standing
    return Standing()
