"""A batch: decoded events of one cluster as arrays, with every text already a number.

Whatever depends only on an event's shape is worked out once and remembered; a batch of 2,000 events has some 300 shapes,
nearly all of them known from the batches before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

import numpy as np
import psycopg
from numpy.typing import NDArray

from anomaly.events.decode import Decoded, Reject
from anomaly.events.event import Event
from anomaly.events.shape import Shape
from anomaly.redaction import Redactor, Tally
from anomaly.rules.compile import Plan, RuleSet
from anomaly.store.entities import Entities
from anomaly.store.looked import Ints, Looked, look
from anomaly.store.terms import Terms
from anomaly.windows.dimension import NOVEL, Dimension
from anomaly.windows.fold import Counted
from anomaly.windows.terms import Term, body_terms, has_body_terms, object_terms, shape_terms

STAGES: Final = ("", "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
LEVELS: Final = ("", "None", "Metadata", "Request", "RequestResponse")
TRUNCATED: Final = "audit.k8s.io/truncated"
"""Annotation of an event whose bodies the API server left out because it was too long."""
CUT_AGENT: Final = "...TRUNCATED"
"""How a user agent ends of which the API server kept only 1,024 bytes."""
ALLOWED: Final = 1
FINAL: Final = 2
MAX_MINUTES: Final = 24 * 60
_REMEMBERED: Final = 40_000
_REMEMBERED_CHARACTERS: Final = 48 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is worked out once for a shape in a cluster. `columns` are the values of the event row, in `COLUMNS` order."""

    shape: Shape
    entity_id: int
    columns: tuple[int, ...]
    terms: Ints
    novel: tuple[int, ...]
    has_body: bool
    plan: Plan
    truncated: bool = False
    cut_agent: bool = False


COLUMNS: Final = (
    "entity_id",
    "verb_id",
    "resource_id",
    "namespace_id",
    "agent_id",
    "address_id",
    "acting_id",
    "code",
    "stage",
    "level",
    "flags",
)


@dataclass(slots=True)
class Batch:
    """`n` events of one cluster. Arrays have length n; `known[shape[i]]` is what is known of event i's shape."""

    cluster_id: int
    events: list[Event]
    raws: list[bytes]
    known: list[Known]
    shape: Ints
    received_us: Ints
    latency_us: Ints
    keys: list[bytes]
    sizes: Ints
    name_ids: Ints
    extra_event: Ints
    extra_term: Ints
    extra_novel: NDArray[np.bool_]
    minute_terms: Ints
    bytes_term: int
    rejects: list[Reject] = field(default_factory=list)
    received: list[Reject] = field(default_factory=list)
    """The rejects as they came, before redaction: to know them again, never to be stored."""
    redacted: dict[int, Tally] = field(default_factory=dict)
    """What was replaced in an event, by its index."""
    redacted_rejects: Tally = field(default_factory=Tally)

    @property
    def n(self) -> int:
        return len(self.events)

    def counted(self) -> Counted:
        """This will return what `anomaly.windows.fold` needs."""
        return Counted(
            received_us=self.received_us,
            shape=self.shape,
            weight=self.sizes,
            entity_of_shape=np.array([known.entity_id for known in self.known], dtype=np.int64),
            final_shape=np.array([known.shape.final for known in self.known], dtype=np.bool_),
            terms_of_shape=[known.terms for known in self.known],
            extra_event=self.extra_event,
            extra_term=self.extra_term,
            minute_terms=self.minute_terms,
            bytes_term=self.bytes_term,
        )

    def crcs(self) -> Ints:
        """This will return CRC-32 of each audit id as a signed integer: the column to find one by."""
        crcs = [crc32(event.auditID.encode("utf-8", "surrogatepass")) for event in self.events]
        return np.array(crcs, dtype=np.uint32).astype(np.int32).astype(np.int64)


class BatchMaker:
    """Makes batches. One for each process and connection; what it remembers is bounded."""

    def __init__(self, rules: RuleSet, redactor: Redactor | None = None) -> None:
        """`redactor` is the default one unless said: whoever forgets it redacts."""
        self._rules = rules
        self._redactor = redactor or Redactor()
        self._terms = Terms()
        self._entities = Entities()
        self._known: dict[tuple[int, Shape], Known] = {}
        self._objects: dict[tuple[Shape, str], tuple[int, tuple[int, ...]]] = {}
        self._minutes: Ints | None = None
        self._characters = 0

    def forget(self) -> None:
        """This will drop everything remembered, after the database was restored or the rules changed."""
        self._terms, self._entities = Terms(), Entities()
        self._known.clear()
        self._objects.clear()
        self._minutes = None
        self._characters = 0

    def make(
        self,
        connection: psycopg.Connection[tuple[object, ...]],
        cluster_id: int,
        decoded: Decoded,
        looked: Looked | None = None,
    ) -> Batch:
        """This will make the batch of these events without the secrets in them, giving numbers to texts never seen before
        (committed on `connection`). `looked` is what `look` said of them, where that was asked already.
        """
        self._trim()
        looked = look(decoded) if looked is None else looked
        # Keys are of what was sent: an event kept before redaction was switched on is the same event.
        received, latency, keys = looked.received_us, looked.latency_us, looked.keys
        redacted = self._redactor.redact(decoded, looked.suspects)
        decoded = redacted.decoded
        if redacted.lost:
            received, latency = np.delete(received, redacted.lost), np.delete(latency, redacted.lost)
            gone = set(redacted.lost)
            keys = [key for index, key in enumerate(keys) if index not in gone]
        distinct: dict[Shape, int] = {}
        shape = np.array([distinct.setdefault(one, len(distinct)) for one in decoded.shapes], dtype=np.int64)
        bodies = self._resolve(connection, cluster_id, decoded, list(distinct))
        known = [self._known[cluster_id, one] for one in distinct]
        name_ids, extra_event, extra_term, extra_novel = self._extras(decoded, bodies)
        assert self._minutes is not None
        return Batch(
            cluster_id=cluster_id,
            events=decoded.events,
            raws=decoded.raws,
            known=known,
            shape=shape,
            received_us=received,
            latency_us=latency,
            keys=keys,
            sizes=np.array([len(raw) for raw in decoded.raws], dtype=np.int64),
            name_ids=name_ids,
            extra_event=extra_event,
            extra_term=extra_term,
            extra_novel=extra_novel,
            minute_terms=self._minutes,
            bytes_term=self._terms.id(Dimension.BYTES, ""),
            rejects=decoded.rejects,
            received=redacted.received,
            redacted=redacted.tallies,
            redacted_rejects=redacted.rejected,
        )

    def _trim(self) -> None:
        """Between batches only: within one, everything must stay known."""
        most = max(len(self._known), len(self._objects))
        if most > _REMEMBERED or self._characters > _REMEMBERED_CHARACTERS:
            self._known.clear()
            self._objects.clear()
            self._characters = 0
        self._terms.trim()
        self._entities.trim()

    def _resolve(
        self,
        connection: psycopg.Connection[tuple[object, ...]],
        cluster_id: int,
        decoded: Decoded,
        shapes: list[Shape],
    ) -> dict[int, list[Term]]:
        """Give every text of the batch its number; returns the terms that bodies add, by event."""
        fresh = [shape for shape in shapes if (cluster_id, shape) not in self._known]
        texts: set[Term] = set()
        for shape in fresh:
            texts.update(_column_texts(shape))
            texts.update(shape_terms(shape))
        bodies: dict[int, list[Term]] = {}
        objects = self._objects
        new_objects: dict[tuple[Shape, str], tuple[Term, ...]] = {}
        has_body = {shape: has_body_terms(shape) for shape in shapes}
        for index, (event, shape) in enumerate(zip(decoded.events, decoded.shapes, strict=True)):
            ref = event.objectRef
            if ref is None:
                continue
            pair = (shape, ref.name)
            if pair not in objects and pair not in new_objects:
                new_objects[pair] = object_terms(shape, ref.name)
            if has_body[shape] and (found := body_terms(event, shape)):
                bodies[index] = found
        for terms in (*new_objects.values(), *bodies.values()):
            texts.update(terms)
        texts.update(_name_term(*pair) for pair in new_objects if pair[1])
        if self._minutes is None:
            texts.update((Dimension.MINUTE, str(minute)) for minute in range(MAX_MINUTES))
            texts.add((Dimension.BYTES, ""))
        if missing := self._terms.missing(texts):
            self._terms.resolve(connection, missing)
        usernames = {shape.identity.username for shape in fresh}
        self._entities.resolve(connection, cluster_id, usernames)
        self._remember(cluster_id, fresh, new_objects)
        return bodies

    def _remember(
        self, cluster_id: int, fresh: list[Shape], new_objects: dict[tuple[Shape, str], tuple[Term, ...]]
    ) -> None:
        if self._minutes is None:
            ids = [self._terms.id(Dimension.MINUTE, str(minute)) for minute in range(MAX_MINUTES)]
            self._minutes = np.array(ids, dtype=np.int64)
        for shape in fresh:
            self._known[cluster_id, shape] = self._work_out(cluster_id, shape)
            self._characters += _size(shape)
        for pair, terms in new_objects.items():
            name = self._terms.id(*_name_term(*pair)) if pair[1] else 0
            ids = [self._terms.id(dimension, text) for dimension, text in terms]
            self._characters += len(pair[1])
            # Negative marks a first worth remembering: it saves a second tuple for each object.
            marked = (
                -number if dimension in NOVEL else number
                for number, (dimension, _) in zip(ids, terms, strict=True)
            )
            self._objects[pair] = (name, tuple(marked))

    def _work_out(self, cluster_id: int, shape: Shape) -> Known:
        terms = shape_terms(shape)
        ids = [self._terms.id(dimension, text) for dimension, text in terms]
        novel = tuple(number for number, (dimension, _) in zip(ids, terms, strict=True) if dimension in NOVEL)
        entity_id = self._entities.id(cluster_id, shape.identity.username)
        numbers = [
            self._terms.id(*text) if text[1] or text[0] in _ALWAYS else 0 for text in _column_texts(shape)
        ]
        columns = (
            entity_id,
            *numbers,
            max(-1, min(shape.code, 32_767)),
            STAGES.index(shape.stage) if shape.stage in STAGES else 0,
            LEVELS.index(shape.level) if shape.level in LEVELS else 0,
            (ALLOWED if shape.allowed else 0) | (FINAL if shape.final else 0),
        )
        plan = self._rules.plan(shape)
        return Known(
            shape,
            entity_id,
            columns,
            np.array(ids, dtype=np.int64),
            novel,
            has_body_terms(shape),
            plan,
            truncated=TRUNCATED in shape.annotations,
            cut_agent=shape.agent.endswith(CUT_AGENT),
        )

    def _extras(
        self, decoded: Decoded, bodies: dict[int, list[Term]]
    ) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
        names = [0] * len(decoded.events)
        at: list[int] = []
        ids: list[int] = []
        objects = self._objects
        for index, (event, shape) in enumerate(zip(decoded.events, decoded.shapes, strict=True)):
            if (ref := event.objectRef) is None:
                continue
            names[index], marked = objects[shape, ref.name]
            for number in marked:
                at.append(index)
                ids.append(number)
        for index, terms in bodies.items():
            for dimension, text in terms:
                number = self._terms.id(dimension, text)
                at.append(index)
                ids.append(-number if dimension in NOVEL else number)
        marked_ids = np.array(ids, dtype=np.int64)
        return (
            np.array(names, dtype=np.int64),
            np.array(at, dtype=np.int64),
            np.abs(marked_ids),
            marked_ids < 0,
        )


def _name_term(shape: Shape, name: str) -> Term:
    """What the row of an event says about its object, also before the request is answered."""
    return Dimension.NAME, f"{shape.resource_text} {shape.namespace}/{name}"


def _size(shape: Shape) -> int:
    """About how many characters a shape holds that its sender chose."""
    notes = sum(map(len, shape.annotations.values()))
    return len(shape.agent) + len(shape.path) + len(shape.user.username) + notes + 500


_ALWAYS: Final = frozenset({Dimension.VERB, Dimension.RESOURCE})


def _column_texts(shape: Shape) -> list[Term]:
    """The texts of the row's columns, in the order of COLUMNS from verb_id to acting_id; an empty one is number 0."""
    return [
        (Dimension.VERB, shape.verb),
        (Dimension.RESOURCE, shape.resource_text),
        (Dimension.NAMESPACE, shape.namespace),
        (Dimension.AGENT, shape.agent),
        (Dimension.ADDRESS, shape.address),
        (Dimension.IMPERSONATED, shape.impersonated.username if shape.impersonated else ""),
    ]
