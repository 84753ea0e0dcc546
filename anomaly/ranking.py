"""The ranking of open findings after verdicts on alike ones: at once, without waiting for the next training.

The lessons that a training would learn are learned of the champion as it is, held against the windows of open findings, and kept
beside their scores. They only rank; what is a finding stays one. Each window moves by a bounded amount (`training.feedback.BOUND`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray

from anomaly.findings.finding import FindingKind
from anomaly.findings.triage import Verdict
from anomaly.hearing import REMEMBERED, bounded, matrix_for, read_matrix
from anomaly.nightly import Judge
from anomaly.store.database import Database
from anomaly.store.entities import all_entities
from anomaly.store.triage import last_step_id
from anomaly.store.verdicts import Told, keep_heard, windows_still_open, windows_with_verdict
from anomaly.store.windows import Span, read_windows
from models import Model
from models.errors import LayoutMismatch
from models.model import ANY
from training import Matrix
from training.feedback import MOST_ANCHORS, teach
from training.planting import plant

Connection = psycopg.Connection[tuple[object, ...]]

SAMPLE: Final = 2_000
"""Windows of the training into which deviations are planted, to hold the leaves that verdicts must not move."""
SEED: Final = 20_261
LEAST_CHANGE: Final = 1e-3
"""Of the score; less is no change a reader would see."""


class Ranking:
    """Ranks the open findings of each cluster; remembers what it has heard, so that asking often costs one short query."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most
        self._heard: dict[int, tuple[int, int]] = {}
        self._anchors: dict[int, tuple[int, Matrix]] = {}

    def renew(self, judge: Judge, until: datetime, found_more: bool = False) -> int | None:
        """This will rank again when somebody made a step, another model reigns, or `found_more` says that findings have come.

        Returns how many findings are ranked by verdicts now, None when nothing had changed.
        """
        cluster_id = judge.kept.cluster_id
        with self._database.begin() as session:
            now = (last_step_id(session), judge.kept.id)
        if self._heard.get(cluster_id) == now and not found_more:
            return None
        with self._database.connection() as connection:
            ranked = self._rank(connection, judge, until)
            keep_heard(connection, cluster_id, judge.kept.id, ranked)
        self._heard[cluster_id] = now
        return len(ranked)

    def _rank(self, connection: Connection, judge: Judge, until: datetime) -> dict[UUID, float]:
        kept = judge.kept
        span = timedelta(microseconds=int(kept.context["span_us"]))
        since = until - REMEMBERED
        verdicts, _ = bounded(
            [
                one
                for one in windows_with_verdict(connection, kept.cluster_id, span, since, until)
                if one.kind is FindingKind.BEHAVIOUR
            ],
            self._most,
        )
        waiting = windows_still_open(connection, kept.cluster_id, span, since, until) if verdicts else []
        if not waiting:
            return {}
        history = judge.context.history
        keys = [(one.entity_id, one.start_us) for one in (*verdicts, *waiting)]
        matrix, there = read_matrix(connection, kept.cluster_id, span, keys, history)
        if judge.context.model.layout.fingerprint != matrix.layout.fingerprint:
            raise LayoutMismatch("The model knows other features; train again.")
        place = {key: row for row, key in enumerate(there)}
        taught = self._taught(connection, judge, matrix, place, verdicts)
        return _scores(judge.context.model, taught, matrix, place, waiting)

    def _taught(
        self,
        connection: Connection,
        judge: Judge,
        matrix: Matrix,
        place: dict[tuple[int, int], int],
        verdicts: list[Told],
    ) -> Model:
        """The champion with the verdicts of each kind in its leaves."""
        model = judge.context.model
        told = [one for one in verdicts if (one.entity_id, one.start_us) in place]
        rows = np.array([place[one.entity_id, one.start_us] for one in told], dtype=np.intp)
        true = np.array([one.verdict is Verdict.TRUE for one in told], dtype=np.bool_)
        anchors = self._anchored(connection, judge)
        detectors = dict(model.detectors)
        for kind, detector in model.detectors.items():
            own = np.flatnonzero(matrix.kind[rows] == kind)
            if kind == ANY or detector.forest is None or not len(own):
                continue
            held = np.flatnonzero(anchors.kind == kind)[:MOST_ANCHORS]
            line = detector.calibration.score_at(judge.context.threshold)
            batch = matrix.batch(rows[own])
            lessons = teach(detector, batch, true[own], anchors.batch(held), line)
            detectors[kind] = replace(detector, lessons=lessons, _near={})
        return replace(model, detectors=detectors)

    def _anchored(self, connection: Connection, judge: Judge) -> Matrix:
        kept = judge.kept
        held = self._anchors.get(kept.cluster_id)
        if held is None or held[0] != kept.id:
            held = (kept.id, _anchors_of(connection, judge))
            self._anchors[kept.cluster_id] = held
        return held[1]


def _anchors_of(connection: Connection, judge: Judge) -> Matrix:
    """Deviations planted into some of the last windows the model was trained on."""
    kept = judge.kept
    span_us = int(kept.context["span_us"])
    until = datetime.fromisoformat(kept.context["until"])
    days = SAMPLE / float(kept.context["windows_a_day"])
    back = max(timedelta(days=2 * days), timedelta(microseconds=24 * span_us))
    block = Span(until - back, until - timedelta(microseconds=span_us), kept.cluster_id, closed=True)
    windows = read_windows(connection, block, span_us)
    windows = windows.take(np.arange(0, windows.n, max(1, -(-windows.n // SAMPLE))))
    known = {one.id: one for one in all_entities(connection, kept.cluster_id)}
    matrix = matrix_for(windows, judge.context.history, known, connection, kept.cluster_id)
    rows = np.arange(len(matrix))
    return plant(matrix, rows, 3 * MOST_ANCHORS, SEED).matrix


def _scores(
    plain: Model, taught: Model, matrix: Matrix, place: dict[tuple[int, int], int], waiting: list[Told]
) -> dict[UUID, float]:
    told = [one for one in waiting if (one.entity_id, one.start_us) in place]
    rows = np.array([place[one.entity_id, one.start_us] for one in told], dtype=np.intp)
    before, after = (_score(model, matrix, rows) for model in (plain, taught))
    highest: dict[UUID, tuple[float, float]] = {}
    for one, was, now in zip(told, before.tolist(), after.tolist(), strict=True):
        known = highest.get(one.finding_id, (0.0, 0.0))
        highest[one.finding_id] = (max(known[0], was), max(known[1], now))
    return {number: now for number, (was, now) in highest.items() if abs(now - was) >= LEAST_CHANGE}


def _score(model: Model, matrix: Matrix, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    part = matrix.part(rows)
    return model.judge(part.values, part.kind, part.entity, part.group, part.at).score
