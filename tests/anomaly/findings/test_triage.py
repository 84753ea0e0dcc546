"""Which moves lead where, for every state and move there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.errors import MoveNotAllowed
from anomaly.findings.triage import Move, Standing, State, Verdict, allowed, moved

EVERY = {"to": "bea", "verdict": Verdict.BENIGN, "suppression": 7}


@given(st.lists(st.sampled_from([move for move in Move if move is not Move.UNDO]), max_size=20))
def test_whatever_is_tried_a_verdict_belongs_to_what_is_closed_alone(moves):
    standing = Standing()
    for move in moves:
        try:
            standing = moved(standing, move, "ann", **EVERY)
        except MoveNotAllowed:
            assert move not in allowed(standing)
        assert (standing.verdict is not None) == (standing.state is State.CLOSED)
        assert (standing.suppression is not None) == (standing.state is State.SUPPRESSED)
        assert standing.state is not State.TAKEN or standing.assignee is not None
        assert Standing.from_dict(standing.to_dict()) == standing


@pytest.mark.parametrize("state", list(State))
def test_what_is_said_to_be_allowed_is(state):
    verdict = Verdict.TRUE if state is State.CLOSED else None
    for move in allowed(Standing(state, "ann", verdict)):
        moved(Standing(state, "ann", verdict), move, "ann", **EVERY)


@pytest.mark.parametrize("move", [Move.SUPPRESS, Move.SURFACE, Move.UNDO])
def test_people_are_not_offered_what_suppressions_do(move):
    assert all(move not in allowed(Standing(state)) for state in State)


def test_closing_needs_a_verdict_and_assigning_somebody():
    with pytest.raises(MoveNotAllowed, match="needs a verdict"):
        moved(Standing(), Move.CLOSE, "ann")
    with pytest.raises(MoveNotAllowed, match="somebody to assign it to"):
        moved(Standing(), Move.ASSIGN, "ann")
