"""Whom an entity is compared with: its kind, and within it the peer group.

People are grouped by the groups they are in, service accounts by namespace; where that leaves somebody alone, by what they
do alike (spherical k-means over the usual mix of actions, seeded from the data itself, so that the same windows always give
the same groups). A stranger falls back on its declared group or its kind: never on what it does, or an intruder would choose
whom he is compared with.

Reference: Dhillon and Modha 2001, https://doi.org/10.1023/A:1007612920971.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomaly.events.identity import EntityKind
from anomaly.windows.dimension import Dimension
from anomaly.windows.entity import Entity
from anomaly.windows.window import Windows

KINDS: Final = tuple(EntityKind)
FEWEST: Final = 3
"""A declared group of fewer members is no group: its mean would be one person's habit."""
LEAST_WINDOWS: Final = 5
"""Fewer windows than this say nothing yet about whom one resembles."""
ROUNDS: Final = 20
_SAID: Final = dict(
    zip(KINDS, ("people", "service accounts", "nodes", "system components", "anonymous"), strict=True)
)
_EVERYBODY: Final = ("system:authenticated", "system:serviceaccounts", "system:unauthenticated")

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Peers:
    """The peer group of each entity. Labels 0 .. 4 are whole kinds in the order of `KINDS`; `names` says what a label means.

    `entities` is sorted; `groups` and `kinds` follow it. `declared` leads from a declared group's name to its label.
    """

    entities: Labels
    groups: Labels
    kinds: Labels
    names: tuple[str, ...]
    declared: Mapping[str, int] = field(default_factory=dict)

    def group_of(self, entity: NDArray[np.integer]) -> Labels:
        """This will return each entity's label, -1 for one that is not known: add it with `with_strangers`."""
        return self._of(self.groups, entity)

    def kind_of(self, entity: NDArray[np.integer]) -> Labels:
        """This will return each entity's kind as an index into `KINDS`, -1 for one that is not known."""
        return self._of(self.kinds, entity)

    def name_of(self, entity: int) -> str:
        """This will return the name of an entity's peer group, "" for one that is not known."""
        label = int(self.group_of(np.array([entity]))[0])
        return self.names[label] if label >= 0 else ""

    def with_strangers(
        self, entities: Iterable[Entity], groups: Mapping[int, Sequence[str]] | None = None
    ) -> Peers:
        """This will add entities that came later; `groups` are the user groups of each id. Known ones keep their label."""
        known = set(self.entities.tolist())
        fresh = [entity for entity in entities if entity.id not in known]
        if not fresh:
            return self
        labels = [
            self.declared.get(declared_name(entity, (groups or {}).get(entity.id, ())), _kind_code(entity))
            for entity in fresh
        ]
        ids = np.concatenate((self.entities, [entity.id for entity in fresh])).astype(np.int64)
        order = np.argsort(ids, kind="stable")
        kinds = np.concatenate((self.kinds, [_kind_code(entity) for entity in fresh])).astype(np.int64)
        return Peers(
            ids[order],
            np.concatenate((self.groups, labels)).astype(np.int64)[order],
            kinds[order],
            self.names,
            self.declared,
        )

    def to_dict(self) -> dict[str, Any]:
        """This will return the groups as plain data, for JSON."""
        return {
            "entities": self.entities.tolist(),
            "groups": self.groups.tolist(),
            "kinds": self.kinds.tolist(),
            "names": list(self.names),
            "declared": dict(self.declared),
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Peers:
        """This will rebuild groups from what `to_dict` gave. Raises KeyError when a part is missing."""
        entities, groups, kinds = (
            np.array(said[name], dtype=np.int64) for name in ("entities", "groups", "kinds")
        )
        return cls(entities, groups, kinds, tuple(said["names"]), said["declared"])

    def _of(self, values: Labels, entity: NDArray[np.integer]) -> Labels:
        if not len(self.entities):
            return np.full(len(entity), -1, dtype=np.int64)
        where = np.minimum(self.entities.searchsorted(entity), len(self.entities) - 1)
        return np.where(self.entities[where] == entity, values[where], -1)


def declared_name(entity: Entity, groups: Sequence[str]) -> str:
    """This will return the name of the group an entity declares by its groups or namespace, "" for none."""
    who = entity.identity
    if who.kind is EntityKind.SERVICE_ACCOUNT:
        return f"service accounts of {who.namespace}"
    own = sorted({group for group in groups if not group.startswith(_EVERYBODY)})
    return f"{_SAID[who.kind]} in {', '.join(own)}"[:200] if own else ""


def peer_groups(entities: Sequence[Entity], windows: Windows) -> Peers:
    """This will find the peer groups of entities from their windows. Neither the order of either matters nor how entities and
    terms are numbered: a database that took in the same log otherwise finds the same groups."""
    entities = sorted(entities, key=lambda entity: (_kind_code(entity), entity.identity.username, entity.id))
    ids = np.array([entity.id for entity in entities], dtype=np.int64)
    kinds = np.array([_kind_code(entity) for entity in entities], dtype=np.int64)
    memberships = groups_of(windows)
    titles = [declared_name(entity, memberships.get(entity.id, ())) for entity in entities]
    sizes = Counter(title for title in titles if title)
    names = [f"all {_SAID[kind]}" for kind in KINDS]
    declared: dict[str, int] = {}
    for title in sorted(title for title, size in sizes.items() if size >= FEWEST):
        declared[title] = len(names)
        names.append(title)
    labels = np.array(
        [declared.get(title, int(kind)) for title, kind in zip(titles, kinds, strict=True)], dtype=np.int64
    )
    for code in range(len(KINDS)):
        alone = np.flatnonzero(labels == code)
        found = _alike(ids[alone], windows)
        for number in range(int(found.max(initial=-1)) + 1):
            labels[alone[found == number]] = len(names)
            names.append(f"{_SAID[KINDS[code]]} who work alike, {number + 1}")
    order = np.argsort(ids, kind="stable")
    return Peers(ids[order], labels[order], kinds[order], tuple(names), declared)


def groups_of(windows: Windows) -> dict[int, tuple[str, ...]]:
    """This will return the user groups that each entity showed in its windows."""
    row, term, _ = windows.rows(Dimension.GROUP)
    pairs = np.unique((windows.entity[row].astype(np.int64) << 32) | term)
    found: dict[int, list[str]] = {}
    for pair in pairs.tolist():
        found.setdefault(pair >> 32, []).append(windows.vocabulary.text_of(pair & 0xFFFFFFFF))
    return {entity: tuple(sorted(texts)) for entity, texts in found.items()}


def _kind_code(entity: Entity) -> int:
    return KINDS.index(entity.kind)


def _alike(ids: Labels, windows: Windows) -> Labels:
    """Clusters of entities by what they do, in the order given; -1 for those with too little history or too few to compare."""
    result = np.full(len(ids), -1, dtype=np.int64)
    counts = np.bincount(windows.entity, minlength=int(ids.max(initial=0)) + 1)[ids]
    enough = np.flatnonzero(counts >= LEAST_WINDOWS)
    clusters = int(np.sqrt(len(enough) / 2))
    if clusters < 2:
        return result
    labels = spherical_k_means(_mixes(ids[enough], windows), clusters)
    sizes = np.bincount(labels, minlength=clusters)
    kept = np.flatnonzero(sizes >= FEWEST)
    number = np.full(clusters, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    result[enough] = number[labels]
    return result


def _mixes(ids: Labels, windows: Windows) -> NDArray[np.float64]:
    """Rows of length one: the share of windows in which each action occurs, weighted by how few others do it."""
    row, term, _ = windows.rows(Dimension.ACTION)
    entity = windows.entity[row]
    order = np.argsort(ids, kind="stable")
    place = order[np.minimum(np.searchsorted(ids[order], entity), len(ids) - 1)]
    mine = ids[place] == entity
    terms, column = np.unique(term[mine], return_inverse=True)
    texts = [windows.vocabulary.text_of(number) for number in terms.tolist()]
    # Sums of the same numbers in another order differ in their last digit, which is enough to change a seed.
    column = np.argsort(sorted(range(len(texts)), key=texts.__getitem__))[column]
    shape = (len(ids), len(terms))
    matrix = np.bincount(place[mine] * shape[1] + column, minlength=shape[0] * shape[1]).reshape(shape)
    weight = np.log(1.0 + len(ids) / np.maximum((matrix > 0).sum(axis=0), 1))
    mixes = np.sqrt(matrix) * weight
    lengths: NDArray[np.float64] = np.linalg.norm(mixes, axis=1, keepdims=True)
    return np.asarray(mixes / np.maximum(lengths, 1e-12), dtype=np.float64)


def spherical_k_means(rows: NDArray[np.float64], clusters: int) -> Labels:
    """This will return a label for each row of length one. Seeds are the first row and then whoever is least like the seeds."""
    seeds = [0]
    nearest = rows @ rows[0]
    while len(seeds) < clusters:
        seeds.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, rows @ rows[seeds[-1]])
    centres = rows[seeds]
    labels = np.full(len(rows), -1, dtype=np.int64)
    for _ in range(ROUNDS):
        fresh = np.argmax(rows @ centres.T, axis=1).astype(np.int64)
        if np.array_equal(fresh, labels):
            break
        labels = fresh
        sums = np.zeros_like(centres)
        np.add.at(sums, labels, rows)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres)
    return labels
