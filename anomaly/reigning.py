"""The judge of each cluster's champion, held ready: loaded once with the past it rests on, changed within seconds for the next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from anomaly.errors import NoModel
from anomaly.nightly import Judge, load_judge
from anomaly.store.database import Database
from anomaly.store.models import champion_id
from models import Budget


class Reigning:
    """The judges of all champions, each loaded once and changed for the next within `every` seconds of its promotion.

    Safe to share between threads: a judge that is in use goes on with its model, the next call gets the new one. `clock` gives
    seconds that only go up.
    """

    def __init__(
        self,
        database: Database,
        span: timedelta,
        budget: Budget,
        clock: Callable[[], float],
        every: float = 2.0,
    ) -> None:
        self._database = database
        self._span = span
        self._budget = budget
        self._clock = clock
        self._every = every
        self._held: dict[int, tuple[Judge | None, float]] = {}
        self._loading: dict[int, threading.Lock] = {}
        self._lock = threading.Lock()

    def judge(self, cluster_id: int) -> Judge | None:
        """This will return the judge of a cluster's champion, None while it has none. Looks at most every `every` seconds."""
        held = self._held.get(cluster_id)
        if held is not None and self._clock() - held[1] < self._every:
            return held[0]
        with self._lock:
            loading = self._loading.setdefault(cluster_id, threading.Lock())
        # One thread loads; the others go on with what there is, or wait when there is nothing yet.
        if not loading.acquire(blocking=held is None):
            return held[0] if held is not None else None
        try:
            return self._looked(cluster_id)
        finally:
            loading.release()

    def at_hand(self, cluster_id: int, grace: float = 0.0) -> Judge | None:
        """This will return what `judge` would without asking the database, None when it would have to; `grace` are seconds for
        which what it knows may be older."""
        held = self._held.get(cluster_id)
        return held[0] if held is not None and self._clock() - held[1] < self._every + grace else None

    def _looked(self, cluster_id: int) -> Judge | None:
        began = self._clock()
        with self._database.begin() as session:
            number = champion_id(session, cluster_id)
        known = self._held.get(cluster_id, (None, 0.0))[0]
        if number is None:
            known = None
        elif known is None or known.kept.id != number:
            try:
                known = load_judge(self._database, cluster_id, self._span, self._budget)
            except NoModel:
                known = None
        self._held[cluster_id] = (known, began)
        return known
