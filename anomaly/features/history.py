"""What windows are compared with when a feature asks "ever before?" or "how often before?".

`History` is one cluster's past. `Past` ties it to a block of windows and works each answer out once. Novelty asks about three
circles beside the entity itself: its peer group, its kind, the cluster; in each, what the *others* did before the window began.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.events.identity import EntityKind
from anomaly.features.circles import Circle, Circles, Sightings, Topic, issuers_for
from anomaly.features.mixes import Mixes
from anomaly.features.novel import Fresh, fresh_terms
from anomaly.features.surprise import Surprise, surprise_of
from anomaly.windows.dimension import Dimension
from anomaly.windows.entity import Entity
from anomaly.windows.firsts import Firsts
from anomaly.windows.peers import KINDS, Peers, peer_groups
from anomaly.windows.vocabulary import Vocabulary
from anomaly.windows.window import Windows

SAMPLE: Final = 262_144
"""Windows that peer groups are learned from."""
BLOCK: Final = 65_536
"""Windows whose terms are counted at a time."""


@dataclass(frozen=True, slots=True)
class History:
    """The past of one cluster.

    `firsts` must cover the entities whose windows are asked about (and may cover more); `circles` and `mixes` may be as old as
    the last training: what is missing in them counts as never done.
    """

    firsts: Firsts
    circles: Circles
    mixes: Mixes
    peers: Peers
    strangers: bool = False
    """Whether the entities are taken for strangers: the mixes know nothing of their own past."""

    @classmethod
    def of(
        cls,
        windows: Windows | Iterable[Windows],
        firsts: Firsts,
        entities: Iterable[Entity],
        until_us: int,
        vocabulary: Vocabulary | None = None,
    ) -> History:
        """This will learn peers, circles and mixes from windows of one cluster; `until_us` bounds the mixes.

        Windows in several blocks need a `vocabulary` that covers them all. Peer groups are learned from a sample of all windows.
        """
        blocks = [windows] if isinstance(windows, Windows) else list(windows)
        entities = tuple(entities)
        if not blocks:
            return cls.none()
        words, span_us = vocabulary or blocks[-1].vocabulary, blocks[0].span_us
        sample = [block.sample(max(SAMPLE // len(blocks), 1)) for block in blocks]
        peers = peer_groups(
            entities, sample[0] if len(sample) == 1 else Windows.joined(words, sample, span_us)
        )
        circles = Circles.of(firsts, peers, words, span_us)
        pieces = (piece for block in blocks for piece in block.blocks(BLOCK))
        return cls(firsts, circles, Mixes.of(pieces, until_us), peers)

    @classmethod
    def none(cls) -> History:
        """This will return a history in which nothing ever happened."""
        nothing = np.zeros(0, dtype=np.int64)
        peers = Peers(nothing, nothing, nothing, ())
        return cls(Firsts.none(), Circles.none(), Mixes.none(), peers)

    def refreshed(
        self, firsts: Firsts, peers: Peers | None = None, windows: Windows | None = None
    ) -> History:
        """This will return the same history with newer firsts (of the entities at hand) and, if given, peers with strangers and
        whoever had the credentials issued that the windows use."""
        circles = self.circles
        if windows is not None:
            circles = replace(circles, issuers=issuers_for(windows, firsts))
        return replace(self, firsts=firsts, circles=circles, peers=peers if peers is not None else self.peers)


@dataclass(frozen=True)
class Past:
    """A history seen from a block of windows."""

    history: History
    windows: Windows

    @cached_property
    def entity(self) -> NDArray[np.int64]:
        return self.windows.entity.astype(np.int64)

    @cached_property
    def group(self) -> NDArray[np.int64]:
        """The peer group's label of each window's entity."""
        return self.history.peers.group_of(self.entity)

    @cached_property
    def kind(self) -> NDArray[np.int64]:
        """The kind of each window's entity, as an index into `anomaly.windows.peers.KINDS`."""
        return self.history.peers.kind_of(self.entity)

    def kind_of(self, index: int) -> EntityKind:
        """This will return the kind of window `index`'s entity; a stranger to the peers counts as human, who is judged most
        closely."""
        code = int(self.kind[index])
        return KINDS[code] if code >= 0 else EntityKind.HUMAN

    @cached_property
    def fresh(self) -> Fresh:
        """The terms that each entity shows for the first time in its window."""
        return fresh_terms(self.history.firsts, self.history.circles, self.windows, self.group, self.kind)

    @cached_property
    def odds(self) -> NDArray[np.float64]:
        """How much each fresh term says, as odds: (1 + circles, terms), for the entity itself and then for each circle."""
        fresh = self.fresh
        others = (fresh.others[:, circle] for circle in Circle)
        return np.stack([np.expm1(surprise) for surprise in (fresh.surprise, *others)])

    def news(self, circle: Circle | None, *topics: Topic) -> NDArray[np.float64]:
        """This will return what is new on some topics for a circle, or (None) for the entity itself: odds added up, by window."""
        whose = 0 if circle is None else 1 + int(circle)
        return self.fresh.total(self.windows.n, self.odds[whose], *topics)

    @cached_property
    def surprise(self) -> Surprise:
        """How unlikely each action, place, address and agent of the windows is."""
        found = surprise_of(self.history.mixes, self.history.peers, self.windows, self.group, self.kind)
        return found.of_strangers() if self.history.strangers else found

    def rare(self, dimension: Dimension) -> Surprise:
        """The same for the terms of one dimension."""
        if dimension not in self._rare:
            self._rare[dimension] = self.surprise.of(dimension)
        return self._rare[dimension]

    @cached_property
    def _rare(self) -> dict[int, Surprise]:
        return {}

    @cached_property
    def issuers(self) -> Sightings:
        """Who first issued each credential, by the id under which the credential is used."""
        return self.history.circles.issuers
