"""What verdicts teach: alike findings rise or sink at once, the next training leaves out attacks and hears the rest.

Verdicts are bounded threefold, so that nobody can whiten an attack technique by closing findings:

- a window moves by at most so many nats, whatever the number of verdicts (`training.feedback`);
- of the verdicts "benign" and "false alarm" on one technique at most so many are heard (`training.verdicts_per_technique`);
- a training whose lessons would hide the same deed, done *by somebody unknown and several times over*, is made again without the
  verdicts on that technique.

Confirmed attacks and planted deviations that were found must still be found, or the lessons are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray

from anomaly.events.key import EPOCH
from anomaly.features.history import History
from anomaly.features.registry import extract, layout
from anomaly.findings.finding import FindingKind
from anomaly.findings.triage import Verdict
from anomaly.scoring.context import KIND_NAMES
from anomaly.store.entities import all_entities
from anomaly.store.firsts import load_firsts
from anomaly.store.verdicts import Told, windows_with_verdict
from anomaly.store.windows import Span, read_windows
from anomaly.windows.peers import groups_of
from anomaly.windows.window import Windows
from models import Model
from models.layout import Treatment
from training import Candidate, Matrix
from training.evaluate import judge_matrix
from training.feedback import Reviewed

if TYPE_CHECKING:
    from anomaly.windows.entity import Entity

Connection = psycopg.Connection[tuple[object, ...]]
Train = Callable[[Reviewed | None], Candidate]

REMEMBERED: Final = timedelta(days=180)
"""How far back verdicts are heard: habits of half a year ago are no witness."""
NO_TECHNIQUE: Final = "no technique"
TIMES: Final = 4.0
"""How many times over a stranger does the deed that no verdicts may hide: what is four times as much was never judged harmless."""
STRANGER: Final = -1
"""An entity, and a peer group, that no model knows."""


@dataclass(frozen=True, eq=False)
class Verdicts:
    """The verdicts a training hears: `confirmed` marks rows of its matrix; `rows` tells the window of each reviewed row."""

    confirmed: NDArray[np.bool_]
    reviewed: Reviewed | None
    rows: tuple[Told, ...]
    passed_over: dict[str, int]
    """Verdicts beyond the bound, by technique."""

    def without(self, techniques: frozenset[str]) -> Verdicts:
        """This will leave out the benign verdicts and false alarms on some techniques."""
        if self.reviewed is None:
            return self
        kept = [
            place
            for place, told in enumerate(self.rows)
            if told.verdict is Verdict.TRUE or techniques.isdisjoint(techniques_of(told))
        ]
        part = Reviewed(self.reviewed.matrix.part(kept), self.reviewed.true[kept])
        return replace(self, reviewed=part, rows=tuple(self.rows[place] for place in kept))


@dataclass(frozen=True, slots=True)
class Heard:
    """What verdicts did in a training; `vanished` are findings that its model would not make again, because of verdicts."""

    findings: int
    confirmed_windows: int
    vanished: tuple[UUID, ...]
    whitened: tuple[str, ...]
    """Techniques on which verdicts were not heard, because the deed done by a stranger would have gone unseen."""
    passed_over: dict[str, int]
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """This will give it as plain data, to be kept with the model."""
        return {
            "findings": self.findings,
            "confirmed_windows": self.confirmed_windows,
            "vanished": [str(one) for one in self.vanished],
            "whitened": list(self.whitened),
            "passed_over": self.passed_over,
            "reason": self.reason,
        }


def techniques_of(told: Told) -> tuple[str, ...]:
    """This will return the ATT&CK techniques of a finding; one that has none counts under a name of its own."""
    return told.attack or (NO_TECHNIQUE,)


def bounded(told: Sequence[Told], most: int) -> tuple[list[Told], dict[str, int]]:
    """This will return the verdicts that may be heard, of each technique at most the newest `most` findings that were found
    harmless, and how many findings were passed over by technique. Confirmed attacks are always heard."""
    heard: dict[UUID, bool] = {}
    used: Counter[str] = Counter()
    over: Counter[str] = Counter()
    kept = []
    for one in told:
        if one.verdict is not Verdict.TRUE and one.finding_id not in heard:
            names = techniques_of(one)
            heard[one.finding_id] = all(used[name] < most for name in names)
            (used if heard[one.finding_id] else over).update(names)
        if one.verdict is Verdict.TRUE or heard[one.finding_id]:
            kept.append(one)
    return kept, dict(over)


def verdicts_on(
    connection: Connection,
    cluster_id: int,
    span: timedelta,
    matrix: Matrix,
    windows: Windows,
    history: History,
    until: datetime,
    most: int,
) -> Verdicts:
    """This will gather the verdicts for a training on the matrix of these windows. Harmless verdicts on rules are left to the
    rules: the forest did not raise them."""
    told = windows_with_verdict(connection, cluster_id, span, until - REMEMBERED, until)
    place = {
        key: row for row, key in enumerate(zip(windows.entity.tolist(), windows.start.tolist(), strict=True))
    }
    attacks = {(one.entity_id, one.start_us) for one in told if one.verdict is Verdict.TRUE}
    confirmed = np.zeros(len(matrix), dtype=np.bool_)
    confirmed[[place[key] for key in attacks if key in place]] = True
    about = [
        one
        for one in told
        if one.kind is FindingKind.BEHAVIOUR
        # Of two verdicts on one window the grave one holds.
        and (one.verdict is Verdict.TRUE or (one.entity_id, one.start_us) not in attacks)
    ]
    heard, over = bounded(about, most)
    found, rows = _matrix_of(connection, cluster_id, span, heard, matrix, place, history)
    true = np.array([one.verdict is Verdict.TRUE for one in rows], dtype=np.bool_)
    return Verdicts(confirmed, Reviewed(found, true) if rows else None, tuple(rows), over)


def _matrix_of(
    connection: Connection,
    cluster_id: int,
    span: timedelta,
    told: list[Told],
    matrix: Matrix,
    place: dict[tuple[int, int], int],
    history: History,
) -> tuple[Matrix, list[Told]]:
    """Windows of the training's matrix are taken from it; older and later ones are read and their features made."""
    inside = [one for one in told if (one.entity_id, one.start_us) in place]
    outside = [one for one in told if (one.entity_id, one.start_us) not in place]
    own = matrix.part([place[one.entity_id, one.start_us] for one in inside])
    if not outside:
        return own, inside
    keys = [(one.entity_id, one.start_us) for one in outside]
    other, there = read_matrix(connection, cluster_id, span, keys, history)
    where = {key: row for row, key in enumerate(there)}
    kept = [one for one in outside if (one.entity_id, one.start_us) in where]
    return stacked([own, other.part([where[one.entity_id, one.start_us] for one in kept])]), inside + kept


def read_matrix(
    connection: Connection,
    cluster_id: int,
    span: timedelta,
    keys: Sequence[tuple[int, int]],
    history: History,
) -> tuple[Matrix, list[tuple[int, int]]]:
    """This will return the matrix of single windows, given as (entity id, start in us), and which of them are still there."""
    wanted = set(keys)
    width = span // timedelta(microseconds=1)
    starts = [start for _, start in wanted] or [0]
    first, last = (EPOCH + timedelta(microseconds=edge(starts)) for edge in (min, max))
    ids = tuple(sorted({entity for entity, _ in wanted}))
    block = Span(first, last, cluster_id, ids, closed=True)
    windows = read_windows(connection, block, width)
    found = list(zip(windows.entity.tolist(), windows.start.tolist(), strict=True))
    rows = np.array([row for row, key in enumerate(found) if key in wanted], dtype=np.int64)
    windows = windows.take(rows)
    known = {one.id: one for one in all_entities(connection, cluster_id)}
    return matrix_for(windows, history, known, connection, cluster_id), [found[row] for row in rows]


def matrix_for(
    windows: Windows, history: History, known: dict[int, Entity], connection: Connection, cluster_id: int
) -> Matrix:
    """This will make the matrix of any windows of a cluster, strangers among them."""
    present = [known[number] for number in sorted(set(windows.entity.tolist()))]
    peers = history.peers.with_strangers(present, groups_of(windows))
    fresh = history.refreshed(load_firsts(connection, cluster_id), peers)
    entity = windows.entity.astype(np.int64)
    values = extract(windows, fresh)[1] if windows.n else np.zeros((0, len(layout())))
    kinds = KIND_NAMES[peers.kind_of(entity)]
    return Matrix.of(layout(), values, entity, kinds, peers.group_of(entity), windows.start)


def stacked(parts: Sequence[Matrix]) -> Matrix:
    """This will put matrices of one layout one below another."""
    return Matrix(
        parts[0].layout,
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.entity for part in parts]),
        np.concatenate([part.kind for part in parts]),
        np.concatenate([part.group for part in parts]),
        np.concatenate([part.at for part in parts]),
    )


def train_hearing(train: Train, verdicts: Verdicts, jobs: int = 1) -> tuple[Candidate, Heard]:
    """This will train with the verdicts, and again without those on techniques that they would whiten.

    Takes one more training, without any verdict, to compare with, only where something may have been whitened.
    """
    hidden: frozenset[str] = frozenset()
    plain: Candidate | None = None
    while True:
        heard = verdicts.without(hidden)
        candidate = train(heard.reviewed if heard.rows else None)
        if whitened(candidate, heard, None, jobs):
            plain = plain or train(None)
            if lost := whitened(candidate, heard, plain, jobs):
                hidden |= lost
                continue
        return candidate, _told_of(candidate, heard, hidden)


def whitened(
    candidate: Candidate, verdicts: Verdicts, plain: Candidate | None = None, jobs: int = 1
) -> frozenset[str]:
    """This will return the techniques of harmless verdicts whose deed, done four times over by a stranger, lessons hide.

    `plain` was trained without verdicts. Without it the candidate with its lessons taken off stands for that, which marks too much:
    its calibration has heard them.
    """
    taught = candidate.taught
    if verdicts.reviewed is None or taught is None or not taught.strength:
        return frozenset()
    rows = np.flatnonzero(~verdicts.reviewed.true)
    part = verdicts.reviewed.matrix.part(rows)
    nobody = np.full(len(part), STRANGER, dtype=np.int64)
    counted = np.array([one.treatment is Treatment.RELATIVE for one in part.layout])
    deeds = replace(part, values=np.where(counted, TIMES, 1.0) * part.values, entity=nobody, group=nobody)
    every = np.arange(len(deeds))
    line = candidate.report.threshold.p_value
    before = plain.model if plain else _unlearned(candidate.model)
    seen = judge_matrix(before, deeds, every, jobs) <= (plain.report.threshold.p_value if plain else line)
    still = judge_matrix(candidate.model, deeds, every, jobs) <= line
    hidden = rows[np.flatnonzero(seen & ~still)]
    return frozenset(name for row in hidden for name in techniques_of(verdicts.rows[int(row)]))


def _unlearned(model: Model) -> Model:
    return replace(
        model,
        detectors={
            kind: replace(detector, lessons=None, _near={}) for kind, detector in model.detectors.items()
        },
    )


def _told_of(candidate: Candidate, verdicts: Verdicts, hidden: frozenset[str]) -> Heard:
    taught = candidate.taught
    gone = set(taught.vanished) if taught else set()
    by_finding: dict[UUID, list[int]] = {}
    for row, told in enumerate(verdicts.rows):
        by_finding.setdefault(told.finding_id, []).append(row)
    # A finding of several windows is made again as long as one of them still lies over the line.
    vanished = tuple(
        number
        for number, rows in by_finding.items()
        if any(row in gone for row in rows) and not _still(candidate, verdicts, rows)
    )
    reason = taught.reason if taught else "No verdicts to hear."
    if hidden:
        reason += (
            f" Not heard, for they would have hidden the deed of a stranger: {', '.join(sorted(hidden))}."
        )
    if verdicts.passed_over:
        more = ", ".join(f"{count} on {name}" for name, count in sorted(verdicts.passed_over.items()))
        reason += f" Passed over beyond the bound: {more}."
    return Heard(
        len(by_finding),
        int(verdicts.confirmed.sum()),
        vanished,
        tuple(sorted(hidden)),
        verdicts.passed_over,
        reason,
    )


def _still(candidate: Candidate, verdicts: Verdicts, rows: list[int]) -> bool:
    assert verdicts.reviewed is not None
    found = judge_matrix(candidate.model, verdicts.reviewed.matrix, np.array(rows, dtype=np.intp))
    return bool((found <= candidate.report.threshold.p_value).any())
