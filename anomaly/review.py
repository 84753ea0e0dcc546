"""A finding's way, second of the stories: it is opened by a rule or a judgement, people look at it, and their verdict teaches.

    open -> taken    somebody has it in hand; `assign` and `release` pass it on
    -> closed        with a verdict: `true`, `benign` or `false_alarm`; `reopen` and `undo` bring it back
    -> suppressed    a suppression hides it, kept and counted, until it outgrows what the suppression covers

Every step is kept with who made it and when, and nothing is forgotten by undoing. Whoever decides on what he saw says which version
that was: if somebody was faster, the step is refused (`Changed`) instead of overwriting. What verdicts then do stands in
`hearing.py`: alike findings sink or rise at once, and the next training leaves out confirmed attacks and hears the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from anomaly.errors import MoveNotAllowed, NotFound, UsageError
from anomaly.findings.suppress import Subject, Suppression, checked, first_hiding
from anomaly.findings.triage import Changed, Move, State, Verdict, moved
from anomaly.store import triage as store
from anomaly.store.triage import Kept, Step

PROGRAM: Final = "anomaly"
"""Who made the steps that suppressions make."""
LONGEST_NOTE: Final = 10_000
_NO_UNDO: Final = frozenset({Move.COMMENT, Move.UNDO})


def take(session: Connection, number: UUID, who: str, now: datetime, expected: int | None = None) -> Kept:
    """This will put an open finding into somebody's hands. Raises MoveNotAllowed, Changed, NotFound as all moves do."""
    return _make(session, number, Move.TAKE, who, now, "", expected)


def assign(
    session: Connection, number: UUID, to: str, who: str, now: datetime, expected: int | None = None
) -> Kept:
    """This will put a finding into somebody else's hands."""
    return _make(session, number, Move.ASSIGN, who, now, "", expected, to=_name(to))


def release(session: Connection, number: UUID, who: str, now: datetime, expected: int | None = None) -> Kept:
    """This will give a taken finding back to whoever comes next."""
    return _make(session, number, Move.RELEASE, who, now, "", expected)


def comment(session: Connection, number: UUID, note: str, who: str, now: datetime) -> Kept:
    """This will keep a remark; it conflicts with nobody's decision, so no version is asked for."""
    if not note.strip():
        raise UsageError("A comment needs words.")
    return _make(session, number, Move.COMMENT, who, now, note, None)


def close(
    session: Connection,
    number: UUID,
    verdict: Verdict,
    who: str,
    now: datetime,
    note: str = "",
    expected: int | None = None,
) -> Kept:
    """This will close a finding with a verdict, from which the next judgement and the next training learn."""
    return _make(session, number, Move.CLOSE, who, now, note, expected, verdict=verdict)


def reopen(
    session: Connection, number: UUID, who: str, now: datetime, note: str = "", expected: int | None = None
) -> Kept:
    """This will open a closed or suppressed finding again; its verdict is taken back. No suppression hides it after that."""
    return _make(session, number, Move.REOPEN, who, now, note, expected)


def undo(session: Connection, number: UUID, who: str, now: datetime, expected: int | None = None) -> Kept:
    """This will take back the last step that is not undone yet; comments stay. Raises MoveNotAllowed when there is none."""
    held = _held(session, number, expected)
    last = next(
        (
            step
            for step in reversed(store.steps_of(session, number))
            if step.move not in _NO_UNDO and not step.undone
        ),
        None,
    )
    if last is None:
        raise MoveNotAllowed("Nothing was done to this finding that could be undone.")
    store.mark_undone(session, last.id)
    note = f"{last.move.value} by {last.who}"
    version = store.record(session, number, now, _name(who), Move.UNDO, note, held.standing, last.before)
    return Kept(last.before, version)


@dataclass(frozen=True, slots=True)
class Wish:
    """A move that somebody wants to make, with what it needs: `to` for assign, `verdict` for close, `note` for comment."""

    move: Move
    note: str = ""
    to: str | None = None
    verdict: Verdict | None = None


def make(
    session: Connection, number: UUID, wish: Wish, who: str, now: datetime, expected: int | None = None
) -> Kept:
    """This will make a move, whichever it is. Raises as that move does, and UsageError for what people cannot ask for."""
    if wish.move is Move.UNDO:
        return undo(session, number, who, now, expected)
    if wish.move is Move.COMMENT:
        return comment(session, number, wish.note, who, now)
    if wish.move in {Move.SUPPRESS, Move.SURFACE}:
        raise UsageError(f"{wish.move.value.capitalize()} is made by suppressions alone.")
    to = None if wish.to is None else _name(wish.to)
    return _make(session, number, wish.move, who, now, wish.note, expected, to=to, verdict=wish.verdict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one finding of many: where it stands, or why it was not moved."""

    number: UUID
    kept: Kept | None
    reason: str | None


def make_many(
    session: Connection, numbers: Iterable[UUID], wish: Wish, who: str, now: datetime
) -> list[Outcome]:
    """This will make one move with each of many findings; those that cannot make it stay as they are and say why."""
    outcomes = []
    # In order of their numbers: two who move the same ones wait for each other, and never in a circle.
    for number in sorted(set(numbers)):
        try:
            with session.begin_nested():
                outcomes.append(Outcome(number, make(session, number, wish, who, now), None))
        except (MoveNotAllowed, NotFound) as refused:
            outcomes.append(Outcome(number, None, str(refused)))
    return outcomes


def history(session: Connection, number: UUID) -> list[Step]:
    """This will return who did what with a finding, oldest first. Raises NotFound."""
    store.standing_of(session, number)
    return store.steps_of(session, number)


def _make(
    session: Connection,
    number: UUID,
    move: Move,
    who: str,
    now: datetime,
    note: str,
    expected: int | None,
    *,
    to: str | None = None,
    verdict: Verdict | None = None,
) -> Kept:
    held = _held(session, number, expected)
    after = moved(held.standing, move, _name(who), to=to, verdict=verdict)
    version = store.record(session, number, now, _name(who), move, _note(note), held.standing, after)
    return Kept(after, version)


def _held(session: Connection, number: UUID, expected: int | None) -> Kept:
    held = store.standing_of(session, number, lock=True)
    if expected is not None and held.version != expected:
        last = store.steps_of(session, number)[-1:]
        faster = f"{last[0].who} was faster ({last[0].move.value})" if last else "Somebody was faster"
        raise Changed(
            f"{faster} and changed this finding meanwhile: it is {held.standing.state.value} now, in version"
            f" {held.version}; you saw version {expected}.",
            hint=f"`anomaly triage history {str(number)[:8]}` shows what happened.",
        )
    return held


def _name(who: str) -> str:
    if not who.strip() or len(who) > 200 or "\x00" in who:
        raise UsageError("A name has 1 to 200 characters.")
    return who.strip()


def _note(note: str) -> str:
    if len(note) > LONGEST_NOTE:
        raise UsageError(f"A note has at most {LONGEST_NOTE:,} characters.")
    return note.replace("\x00", "\u2400")


@dataclass(frozen=True, slots=True)
class Held:
    """What suppressions did: findings newly hidden, and hidden ones that outgrew them and are open again."""

    hidden: int
    surfaced: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a suppression would have hidden, newest first, and how many of those were confirmed attacks."""

    hidden: tuple[Subject, ...]
    confirmed: int
    looked_at: int


def preview(
    session: Connection, suppression: Suppression, now: datetime, back: timedelta = timedelta(days=30)
) -> Preview:
    """This will say what a suppression would have hidden of the last `back`, whatever became of it since."""
    seen = store.subjects_between(session, now - back, now, places=suppression.namespace is not None)
    hidden = tuple(one for one in seen if suppression.hides(one, now))
    verdicts = store.verdicts_among(session, [one.id for one in hidden])
    return Preview(hidden, list(verdicts.values()).count(Verdict.TRUE), len(seen))


def suppress(
    session: Connection, suppression: Suppression, now: datetime, even_confirmed: bool = False
) -> tuple[Suppression, Preview]:
    """This will keep a suppression; the findings it hides are hidden by the next `hold_back`.

    Raises UsageError when it is not sound, or would have hidden a confirmed attack of the last year and `even_confirmed` is not said.
    """
    sound = replace(checked(suppression, now), created_at=now)
    would = preview(session, sound, now, timedelta(days=366))
    if would.confirmed and not even_confirmed:
        raise UsageError(
            f"This would have hidden {would.confirmed} findings of the last year that were confirmed as attacks.",
            hint="Make it narrower, or say --even-confirmed.",
        )
    return replace(sound, id=store.add_suppression(session, sound)), would


def hold_back(session: Connection, now: datetime) -> Held:
    """This will hide open findings that a suppression covers, and open hidden ones again that outgrew all of them.

    A finding that a person touched is never hidden. One that was hidden stays so when its suppression ends: it was of that time.
    """
    holding = [one for one, _ in store.list_suppressions(session, now)]
    all_of_them = [one for one, _ in store.list_suppressions(session, now, ended=True)]
    if not all_of_them:
        return Held(0, 0)
    places = any(one.namespace is not None for one in all_of_them)
    hidden = surfaced = 0
    for one in store.untouched(session, State.OPEN, places) if holding else ():
        if (by := first_hiding(holding, one, now)) is not None:
            hidden += _step(session, one, Move.SUPPRESS, now, by)
    for one in store.untouched(session, State.SUPPRESSED, places):
        # Judged as of a moment when all still held: ending one must not bring back what it hid in its time.
        if not any(replace(each, ends_at=now + timedelta(days=1)).hides(one, now) for each in all_of_them):
            surfaced += _step(session, one, Move.SURFACE, now, None)
    return Held(hidden, surfaced)


def _step(session: Connection, one: Subject, move: Move, now: datetime, by: Suppression | None) -> bool:
    held = store.standing_of(session, one.id, lock=True)
    wanted = State.OPEN if move is Move.SUPPRESS else State.SUPPRESSED
    if held.standing.state is not wanted:
        return False
    after = moved(held.standing, move, PROGRAM, suppression=by.id if by else None)
    note = f"suppression {by.id} of {by.owner}: {by.reason}" if by else "it is more than what was suppressed"
    store.record(session, one.id, now, PROGRAM, move, note, held.standing, after)
    return True
