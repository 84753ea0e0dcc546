"""Windows, firsts and entities of a batch of events without a database: for tests, for files that are only looked at, and as
the plain second opinion that the stored windows are held against. Counts one event after the other on purpose.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from anomaly.events.decode import Decoded
from anomaly.events.event import Event
from anomaly.events.identity import Identity
from anomaly.events.key import event_key, microseconds, received_at
from anomaly.events.shape import Shape
from anomaly.windows.dimension import NOVEL, Dimension
from anomaly.windows.entity import CLUSTER_WIDE, Entity
from anomaly.windows.firsts import Firsts
from anomaly.windows.fold import MINUTE_US
from anomaly.windows.terms import Term, event_terms, shape_terms
from anomaly.windows.vocabulary import Vocabulary
from anomaly.windows.window import Windows, pack


@dataclass(frozen=True, slots=True)
class Memory:
    """What a set of events amounts to. Entity ids count from 1 in the order of the sorted usernames."""

    windows: Windows
    firsts: Firsts
    entities: tuple[Entity, ...]

    def entity(self, username: str) -> Entity:
        """This will return the entity of a username. Raises KeyError for a stranger."""
        for entity in self.entities:
            if entity.identity.username == username:
                return entity
        raise KeyError(username)


def gather(decoded: Decoded, span_us: int, cluster_id: int = 1) -> Memory:
    """This will count decoded events into windows of `span_us` microseconds; an event that comes twice counts once."""
    ids = _entity_ids(decoded.shapes)
    counts: dict[tuple[int, int], Counter[Term]] = defaultdict(Counter)
    firsts: dict[tuple[int, Term], int] = {}
    seen: set[tuple[int, bytes]] = set()
    for event, shape, raw in zip(decoded.events, decoded.shapes, decoded.raws, strict=True):
        moment = _received_us(event)
        key = (moment, event_key(event, shape.user.username, moment, _stage_us(event)))
        if key in seen:
            continue
        seen.add(key)
        entity = ids[shape.identity.username]
        terms = (*shape_terms(shape), *event_terms(event, shape))
        if not terms:
            continue
        start = moment - moment % span_us
        window = counts[entity, start]
        window.update(terms)
        if shape.final:
            window[Dimension.MINUTE, str((moment - start) // MINUTE_US)] += 1
            window[Dimension.BYTES, ""] += len(raw)
        for term in terms:
            if term[0] in NOVEL:
                for owner in (entity, CLUSTER_WIDE):
                    firsts[owner, term] = min(moment, firsts.get((owner, term), moment))
    return _memory(counts, firsts, _entities(ids, decoded.shapes, cluster_id), span_us)


def _memory(
    counts: dict[tuple[int, int], Counter[Term]],
    firsts: dict[tuple[int, Term], int],
    entities: tuple[Entity, ...],
    span_us: int,
) -> Memory:
    texts = sorted({term for window in counts.values() for term in window})
    numbers = {term: number for number, term in enumerate(texts)}
    vocabulary = Vocabulary((number, int(term[0]), term[1]) for term, number in numbers.items())
    blobs = []
    for window in counts.values():
        pairs = sorted((numbers[term], count) for term, count in window.items())
        terms, times = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        blobs.append(pack(terms, times))
    windows = Windows.of(
        vocabulary, [entity for entity, _ in counts], [start for _, start in counts], blobs, span_us
    )
    owner = np.array([who for who, _ in firsts], dtype=np.int64)
    term = np.array([numbers[what] for _, what in firsts], dtype=np.int64)
    return Memory(windows, Firsts.of(owner, term, np.array(list(firsts.values()), dtype=np.int64)), entities)


def _entity_ids(shapes: list[Shape]) -> dict[str, int]:
    names = sorted({shape.identity.username for shape in shapes})
    return {name: number for number, name in enumerate(names, start=1)}


def _entities(ids: dict[str, int], shapes: list[Shape], cluster_id: int) -> tuple[Entity, ...]:
    identities: dict[str, Identity] = {shape.identity.username: shape.identity for shape in shapes}
    return tuple(Entity(number, cluster_id, identities[name]) for name, number in ids.items())


def _received_us(event: Event) -> int:
    moment = received_at(event)
    if moment is None:
        raise ValueError("an event without a time cannot be counted: decode refuses it")
    return microseconds(moment)


def _stage_us(event: Event) -> int:
    return microseconds(event.stageTimestamp) if event.stageTimestamp is not None else _received_us(event)
