"""Windows appraised for whoever asks: what the model in use says of them and why, within milliseconds. Nothing is kept.

The judge of the cluster's champion is held ready (`reigning.py`), and beside it what judging one window needs of the present: the
dictionary of terms, who there is, what was seen first since the training. That is looked at again every few seconds, so an answer
may be that much behind. A window may hold what never occurred: its words get numbers that are forgotten with the answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.errors import NoModel, NotFound
from anomaly.events.identity import identity_of
from anomaly.events.key import EPOCH, microseconds
from anomaly.features.novel import merged_terms_of
from anomaly.nightly import Judge
from anomaly.reigning import Reigning
from anomaly.scoring import Context, Deviation, appraise
from anomaly.store.database import Database
from anomaly.store.entities import entities_from
from anomaly.store.firsts import firsts_since
from anomaly.store.terms import storable, terms_from, vocabulary
from anomaly.store.windows import Span, known_windows
from anomaly.usual import Usual, usual_of
from anomaly.windows.dimension import NOVEL, Dimension
from anomaly.windows.entity import CLUSTER_WIDE, Entity
from anomaly.windows.firsts import Firsts
from anomaly.windows.peers import KINDS, Peers, declared_name
from anomaly.windows.sighted import NOTHING, Sighted, among, joined, picked, sightings_of, within
from anomaly.windows.told import Told
from anomaly.windows.vocabulary import Vocabulary
from anomaly.windows.window import Windows

LOOK_SECONDS: Final = 5.0
"""How long new words and users go unnoticed; meanwhile they count as never seen, which they nearly are."""
REMEMBERED_SECONDS: Final = 10.0
OVERALL_SECONDS: Final = 30.0
GRACE_SECONDS: Final = 5.0
"""How much longer all this is used while it is asked for again, so that no answer waits for the database."""
MOST_AT_ONCE: Final = 256
"""Terms of a window that is appraised where it is read; a window of the busiest node has about a hundred."""
_MOST_REMEMBERED: Final = 20_000
_DEEPEST: Final = 16
_SEATS: Final = 2_000_000_000
"""Numbers from here on stand for strangers: one for each kind and peer group. Numbers of entities are handed out from 1."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What a model says of one window. It deviates when `deviation.p_value` is at or below `line`; a `stranger` was not there at
    the training and is judged by its peers."""

    deviation: Deviation
    model_id: int
    line: float
    stranger: bool

    @property
    def deviates(self) -> bool:
        return self.deviation.p_value <= self.line


@dataclass(slots=True)
class _Ready:
    """One cluster's judge with the present beside it."""

    cluster_id: int
    judge: Judge
    words: Vocabulary
    peers: Peers
    entities: dict[str, Entity]
    last_entity: int
    everyone: Sighted
    looked: float
    everyone_looked: float
    until: datetime
    sighted: dict[int, tuple[float, Sighted]] = field(default_factory=dict)
    due: dict[int, Entity] = field(default_factory=dict)


class Appraiser:
    """Appraises windows of all clusters; safe to share between threads. `clock` gives seconds that only go up."""

    def __init__(
        self, database: Database, reigning: Reigning, span_us: int, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._reigning = reigning
        self._clock = clock
        self.span_us = span_us
        self._held: dict[int, _Ready] = {}
        self._lock = threading.Lock()

    def told(self, cluster_id: int, windows: Iterable[Told]) -> list[Appraisal]:
        """This will appraise windows as they are told, as if each were the first news since it began. Raises NoModel."""
        ready = self._ready(cluster_id)
        found = []
        for one in windows:
            entity = ready.entities.get(storable(one.username))
            found.append(self._told(ready, one, entity, self._seen(ready, entity)))
        return found

    def told_at_once(self, cluster_id: int, window: Told) -> Appraisal | None:
        """This will appraise a window as `told` does; None when anything must be asked of the database first.

        For whoever may not wait: it takes about as long as to hand the window to another thread and back. What is known may be
        `GRACE_SECONDS` older than `told` would have it; `due` says when it is time to `renew` it.
        """
        ready, now = self._held.get(cluster_id), self._clock()
        if (
            ready is None
            or now - ready.looked >= LOOK_SECONDS + GRACE_SECONDS
            or len(window.counts) > MOST_AT_ONCE
        ):
            return None
        if self._reigning.at_hand(cluster_id, GRACE_SECONDS) is not ready.judge:
            return None
        entity = ready.entities.get(storable(window.username))
        if entity is None:
            return self._told(ready, window, None, NOTHING)
        until, seen = ready.sighted.get(entity.id, (0.0, NOTHING))
        if now >= until:
            if now >= until + GRACE_SECONDS:
                return None
            ready.due[entity.id] = entity
        return self._told(ready, window, entity, seen)

    def due(self, cluster_id: int) -> bool:
        """This will say whether it is time to `renew` what is known of a cluster."""
        ready = self._held.get(cluster_id)
        if ready is None or self._reigning.at_hand(cluster_id) is not ready.judge:
            return True
        return bool(ready.due) or self._clock() - ready.looked >= LOOK_SECONDS

    def renew(self, cluster_id: int) -> None:
        """This will ask the database for what is due, so that nobody who asks about a window waits for it. Raises NoModel."""
        ready = self._ready(cluster_id)
        while ready.due:
            self._seen(ready, ready.due.popitem()[1])

    def now(self, cluster_id: int, username: str, now: datetime) -> list[Appraisal]:
        """This will appraise what an entity has done in the window that is open now; nothing when it did nothing yet.

        Raises NoModel, and NotFound for a user who was never seen.
        """
        ready = self._ready(cluster_id)
        entity = ready.entities.get(storable(username)) or self._looked_for(ready, cluster_id, username)
        start_us = microseconds(now) - microseconds(now) % self.span_us
        span = Span(EPOCH + timedelta(microseconds=start_us), None, cluster_id, (entity.id,))
        with self._database.connection() as connection:
            windows = known_windows(connection, span, self.span_us, ready.words)
            if windows is None:
                ready = self._ready(cluster_id, at_once=True)
                windows = known_windows(connection, span, self.span_us, ready.words)
            sighted = firsts_since(connection, cluster_id, entity.id, ready.until)
        if windows is None or not windows.n:
            return []
        window = windows.take(np.array([0]))
        seen = joined(
            sightings_of(ready.judge.context.history.firsts, entity.id), within(sighted, ready.words)
        )
        return [self._judged(ready, window, entity, seen)]

    def usual(self, cluster_id: int, entity_id: int) -> tuple[Usual, dict[int, str]] | None:
        """This will return what is usual for an entity with the usernames of its peers; None before anything was learned of it."""
        try:
            ready = self._ready(cluster_id)
        except NoModel:
            return None
        found = usual_of(ready.judge, ready.words, entity_id)
        if found is None:
            return None
        return found, {one.id: name for name, one in ready.entities.items()}

    def _looked_for(self, ready: _Ready, cluster_id: int, username: str) -> Entity:
        self._look(ready, cluster_id)
        entity = ready.entities.get(storable(username))
        if entity is None:
            raise NotFound(
                f"There is no entity {username[:200]}.", hint="It has done nothing in this cluster yet."
            )
        return entity

    def _told(self, ready: _Ready, told: Told, entity: Entity | None, seen: Sighted) -> Appraisal:
        words, terms, counts = _numbered(ready.words, told.counts)
        window = _window(words, told.start_us, self.span_us, terms, counts)
        if entity is None:
            entity = Entity(0, ready.cluster_id, identity_of(told.username))
        # What was known when the window began; everything else in it is news of this window.
        early = seen[1] < told.start_us
        known = seen if early.all() else (seen[0][early], seen[1][early])
        novel = terms[_NOVEL[window.dimensions]]
        news = novel[~among(novel, known[0])]
        return self._judged(ready, window, entity, joined(known, (news, np.full(len(news), told.start_us))))

    def _judged(self, ready: _Ready, window: Windows, entity: Entity, seen: Sighted) -> Appraisal:
        judge, history = ready.judge, ready.judge.context.history
        stranger = int(history.peers.group_of(np.array([entity.id]))[0]) < 0
        number = _seat(ready.peers, entity, window) if stranger else entity.id
        window = replace(window, entity=np.array([number], dtype=np.int32))
        terms = window.terms.astype(np.int64)
        stands_for = merged_terms_of(window.vocabulary, terms)
        if (stands_for != terms).any():
            terms = np.unique(np.concatenate((terms, stands_for)))
        everyone = picked(ready.everyone, terms)
        firsts = Firsts(
            np.concatenate(((CLUSTER_WIDE << 32) | everyone[0], (number << 32) | seen[0])),
            np.concatenate((everyone[1], seen[1])),
        )
        who = Entity(number, entity.cluster_id, entity.identity)
        context = Context(
            judge.context.model,
            history.refreshed(firsts, ready.peers),
            {number: who},
            judge.threshold.p_value,
        )
        found = replace(appraise(window, context), entity=entity)
        return Appraisal(found, judge.kept.id, judge.threshold.p_value, stranger)

    def _seen(self, ready: _Ready, entity: Entity | None) -> Sighted:
        """What an entity showed first, before the training and since; remembered for some seconds."""
        if entity is None:
            return NOTHING
        now = self._clock()
        until, found = ready.sighted.get(entity.id, (0.0, NOTHING))
        if now >= until:
            with self._database.connection() as connection:
                fresh = within(
                    firsts_since(connection, ready.cluster_id, entity.id, ready.until), ready.words
                )
            found = joined(sightings_of(ready.judge.context.history.firsts, entity.id), fresh)
            if len(ready.sighted) >= _MOST_REMEMBERED:
                ready.sighted.clear()
            ready.sighted[entity.id] = now + REMEMBERED_SECONDS, found
        return found

    def _ready(self, cluster_id: int, at_once: bool = False) -> _Ready:
        judge = self._reigning.judge(cluster_id)
        if judge is None:
            raise NoModel(
                "No model has been trained for this cluster yet.",
                hint="Train one once there are some hours of events.",
            )
        held = self._held.get(cluster_id)
        due = held is None or at_once or self._clock() - held.looked >= LOOK_SECONDS
        if held is not None and held.judge is judge and not due:
            return held
        # One thread looks; the others go on with what there is, or wait when there is nothing of this judge yet.
        waits = held is None or held.judge is not judge or at_once
        if not self._lock.acquire(blocking=waits):
            assert held is not None
            return held
        try:
            held = self._held.get(cluster_id)
            if held is None or held.judge is not judge:
                held = self._held[cluster_id] = self._made(judge, cluster_id, held)
            else:
                self._look(held, cluster_id)
            return held
        finally:
            self._lock.release()

    def _made(self, judge: Judge, cluster_id: int, before: _Ready | None) -> _Ready:
        until = datetime.fromisoformat(judge.kept.context["until"])
        with self._database.connection() as connection:
            words = before.words if before is not None else vocabulary(connection)
            overall = firsts_since(connection, cluster_id, CLUSTER_WIDE, until)
            entities = {one.identity.username: one for one in entities_from(connection, cluster_id, 1)}
        last = max((one.id for one in entities.values()), default=0)
        history, now = judge.context.history, self._clock()
        everyone = joined(sightings_of(history.firsts, CLUSTER_WIDE), within(overall, words))
        peers = _with_seats(history.peers)
        ready = _Ready(cluster_id, judge, words, peers, entities, last, everyone, now, now, until)
        if before is not None:
            self._look(ready, cluster_id)
        return ready

    def _look(self, ready: _Ready, cluster_id: int) -> None:
        now = self._clock()
        with self._database.connection() as connection:
            fresh = terms_from(connection, ready.words.size)
            entities = entities_from(connection, cluster_id, ready.last_entity + 1)
            if now - ready.everyone_looked >= OVERALL_SECONDS:
                overall = firsts_since(connection, cluster_id, CLUSTER_WIDE, ready.until)
                before = sightings_of(ready.judge.context.history.firsts, CLUSTER_WIDE)
                ready.everyone, ready.everyone_looked = joined(before, within(overall, ready.words)), now
            if fresh and _depth(ready.words) >= _DEEPEST:
                ready.words = vocabulary(connection)
            elif fresh:
                ready.words = ready.words.widened(fresh)
        for one in entities:
            ready.entities[one.identity.username] = one
            ready.last_entity = max(ready.last_entity, one.id)
        ready.looked = now


_NOVEL: Final = np.isin(np.arange(256), [int(dimension) for dimension in NOVEL])


def _numbered(
    words: Vocabulary, counts: Mapping[tuple[Dimension, str], int]
) -> tuple[Vocabulary, Ints, Ints]:
    """Terms as numbers, sorted; the vocabulary is widened by those that never occurred."""
    found: dict[int, int] = {}
    absent: dict[tuple[Dimension, str], int] = {}
    id_of = words.id_of
    for (dimension, text), count in counts.items():
        # What is kept is storable; whatever else is asked about is looked at only if it is not there as it came.
        number = id_of(dimension, text)
        if number is None:
            kept = storable(text)
            number = id_of(dimension, kept) if kept != text else None
            if number is None:
                number = absent.setdefault((dimension, kept), words.size + len(absent))
        found[number] = found.get(number, 0) + count
    made = words.widened([(number, *term) for term, number in absent.items()]) if absent else words
    terms = np.fromiter(found.keys(), dtype=np.int64, count=len(found))
    order = np.argsort(terms)
    return made, terms[order], np.fromiter(found.values(), dtype=np.int64, count=len(found))[order]


def _window(words: Vocabulary, start_us: int, span_us: int, terms: Ints, counts: Ints) -> Windows:
    return Windows(
        words,
        np.zeros(1, dtype=np.int32),
        np.array([start_us], dtype=np.int64),
        span_us,
        np.array([0, len(terms)], dtype=np.int64),
        terms.astype(np.int32),
        counts.astype(np.float64),
        words.dimensions[terms],
    )


def _with_seats(peers: Peers) -> Peers:
    """Peers with a number for every sort of stranger, so that none who asks makes new peers, on which much is remembered."""
    labels = [
        (code, label) for code in range(len(KINDS)) for label in sorted({code, *peers.declared.values()})
    ]
    seats = [_SEATS + code * 100_000 + label for code, label in labels]
    return Peers(
        np.concatenate((peers.entities, np.array(seats, dtype=np.int64))),
        np.concatenate((peers.groups, np.array([label for _, label in labels], dtype=np.int64))),
        np.concatenate((peers.kinds, np.array([code for code, _ in labels], dtype=np.int64))),
        peers.names,
        peers.declared,
    )


def _seat(peers: Peers, entity: Entity, window: Windows) -> int:
    code = KINDS.index(entity.kind)
    _, terms, _ = window.rows(Dimension.GROUP)
    groups = sorted(window.vocabulary.text_of(number) for number in terms.tolist())
    return _SEATS + code * 100_000 + peers.declared.get(declared_name(entity, groups), code)


def _depth(words: Vocabulary) -> int:
    depth = 0
    while words.base is not None:
        words, depth = words.base, depth + 1
    return depth
