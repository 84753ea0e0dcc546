"""When the others did it first: sightings by peer group, kind and cluster, and how often each circle brings something new."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.windows.dimension import Dimension
from anomaly.windows.entity import CLUSTER_WIDE
from anomaly.windows.firsts import NEVER, Firsts, look_up
from anomaly.windows.peers import Peers
from anomaly.windows.vocabulary import Vocabulary
from anomaly.windows.window import Windows

Ints = NDArray[np.int64]


class Circle(IntEnum):
    """Whom "others" means."""

    PEERS = 0
    KIND = 1
    CLUSTER = 2


class Topic(IntEnum):
    """Dimensions that are one question together."""

    ACTIONS = 0
    PLACES = 1
    ADDRESSES = 2
    TOOLS = 3
    CREDENTIALS = 4
    IDENTITIES = 5
    SECRETS = 6
    SOFTWARE = 7
    RISKS = 8
    GRANTS = 9
    PODS = 10
    REFUSALS = 11
    NONE = 15


TOPIC_OF: Final = {
    Dimension.ACTION: Topic.ACTIONS,
    Dimension.NAMESPACE: Topic.PLACES,
    Dimension.TARGET: Topic.PLACES,
    Dimension.ADDRESS: Topic.ADDRESSES,
    Dimension.AGENT: Topic.TOOLS,
    Dimension.CREDENTIAL: Topic.CREDENTIALS,
    Dimension.IMPERSONATED: Topic.IDENTITIES,
    Dimension.SECRET: Topic.SECRETS,
    Dimension.IMAGE: Topic.SOFTWARE,
    Dimension.REGISTRY: Topic.SOFTWARE,
    Dimension.RISK: Topic.RISKS,
    Dimension.GRANT: Topic.GRANTS,
    Dimension.EXEC: Topic.PODS,
    Dimension.DENIED: Topic.REFUSALS,
}
_TOPIC_TABLE: Final = np.full(256, int(Topic.NONE), dtype=np.int64)
for _dimension, _topic in TOPIC_OF.items():
    _TOPIC_TABLE[int(_dimension)] = int(_topic)


def topics(dimensions: NDArray[np.uint8]) -> Ints:
    """This will return the topic of each dimension number, `Topic.NONE` for what is not asked about."""
    return _TOPIC_TABLE[dimensions]


def merged_terms(vocabulary: Vocabulary) -> Ints:
    """This will return for each term id the id it stands for: user agents of one product, whatever its version, are one.

    An upgrade of kubectl is no new tool.
    """
    result = np.arange(vocabulary.size, dtype=np.int64)
    first = products(vocabulary)
    for number in vocabulary.of(Dimension.AGENT).tolist():
        result[number] = first[product(vocabulary.text_of(number))]
    return result


def products(vocabulary: Vocabulary) -> dict[str, int]:
    """This will return the first id of each product of a user agent."""
    first: dict[str, int] = {}
    for number in vocabulary.of(Dimension.AGENT).tolist():
        first.setdefault(product(vocabulary.text_of(number)), number)
    return first


def product(agent: str) -> str:
    """This will return the product of a user agent: what stands before its version.

    >>> product("kubectl/v1.36.2 (linux/amd64) kubernetes/abc"), product("Prometheus/3.6.0")
    ('kubectl', 'prometheus')
    """
    return agent.split("/", 1)[0].split(" ", 1)[0].strip().lower()[:64]


@dataclass(frozen=True, slots=True)
class Sightings:
    """For each key (label << 32 | term): who was first and when, and when the first of all others was."""

    keys: Ints
    owner: Ints
    first_us: Ints
    next_us: Ints

    @classmethod
    def none(cls) -> Sightings:
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, nothing, nothing)

    @classmethod
    def of(cls, label: Ints, entity: Ints, term: Ints, first_us: Ints) -> Sightings:
        """This will gather sightings in any order; one entity may come several times for one key."""
        keys = (label << 32) | term
        order = np.lexsort((entity, first_us, keys))
        keys, owner, moment = keys[order], entity[order], first_us[order]
        starts = np.flatnonzero(np.concatenate(([True], np.diff(keys) != 0)))[: len(keys)]
        lengths = np.diff(np.append(starts, len(keys)))
        leader = np.repeat(owner[starts], lengths)
        others = np.where(owner == leader, NEVER, moment)
        follow = np.minimum.reduceat(others, starts) if len(starts) else others
        return cls(keys[starts], owner[starts], moment[starts], follow)

    def before_by_others(self, label: Ints, entity: Ints, term: Ints) -> Ints:
        """This will return when anybody with the label but the entity itself first showed the term, NEVER if nobody did."""
        if not len(self.keys):
            return np.full(len(term), NEVER, dtype=np.int64)
        asked = (label << 32) | term
        where = np.minimum(self.keys.searchsorted(asked), len(self.keys) - 1)
        moment = np.where(self.owner[where] == entity, self.next_us[where], self.first_us[where])
        return np.where(self.keys[where] == asked, moment, NEVER)

    def owner_of(self, label: Ints, term: Ints) -> Ints:
        """This will return who showed the term first, -1 where nobody did."""
        if not len(self.keys):
            return np.full(len(term), -1, dtype=np.int64)
        asked = (label << 32) | term
        where = np.minimum(self.keys.searchsorted(asked), len(self.keys) - 1)
        return np.where(self.keys[where] == asked, self.owner[where], -1)


@dataclass(frozen=True, slots=True)
class Rates:
    """How many new terms each (label, topic) has had by the end of each span, and when each label began."""

    keys: Ints
    labels: Ints
    began_us: Ints
    span_us: int

    @classmethod
    def of(cls, label: Ints, topic: Ints, first_us: Ints, span_us: int) -> Rates:
        """This will count first sightings (one entry each)."""
        if len(label) and (label == label[0]).all():
            labels, place = label[:1], np.zeros(len(label), dtype=np.intp)
        else:
            labels, place = np.unique(label, return_inverse=True)
        began = np.full(len(labels), NEVER, dtype=np.int64)
        np.minimum.at(began, place, first_us)
        # What comes with the first span is the beginning, not news.
        later = first_us // span_us > (began // span_us)[place]
        keys = _rate_key(label[later], topic[later], first_us[later] // span_us)
        return cls(np.sort(keys), labels, began, span_us)

    @classmethod
    def none(cls) -> Rates:
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, nothing, 1)

    def began(self, label: Ints) -> Ints:
        """This will return when each label was first seen, NEVER where it was not."""
        return look_up(self.labels, self.began_us, label)

    def surprise(self, label: Ints, topic: Ints, start_us: Ints) -> NDArray[np.float64]:
        """This will return -ln of the usual share of spans with something new, in nats, 0 without a past.

        With k new terms in T spans before the window this is ln((T + 1) / (k + 1/2)), at least 0: the longer nothing new came,
        the more it says.
        """
        bins = start_us // self.span_us
        low = self.keys.searchsorted(_rate_key(label, topic, np.zeros_like(bins)))
        high = self.keys.searchsorted(_rate_key(label, topic, bins))
        began = self.began(label)
        past = np.where(began == NEVER, 0, bins - began // self.span_us)
        spans = np.maximum(past, 0).astype(np.float64)
        found = np.log((spans + 1.0) / (high - low + 0.5))
        return np.where(spans > 0, np.maximum(found, 0.0), 0.0)


def _rate_key(label: Ints, topic: Ints, time_bin: Ints) -> Ints:
    return (((label << 4) | topic) << 32) | time_bin


@dataclass(frozen=True, slots=True)
class Circles:
    """Sightings and rates of the three circles, in the order of `Circle`; `issuers` says who issued a credential."""

    sightings: tuple[Sightings, ...]
    rates: tuple[Rates, ...]
    issuers: Sightings = field(default_factory=Sightings.none)

    @classmethod
    def none(cls) -> Circles:
        """This will return circles in which nothing ever happened."""
        return cls((Sightings.none(),) * len(Circle), (Rates.none(),) * len(Circle))

    @classmethod
    def of(cls, firsts: Firsts, peers: Peers, vocabulary: Vocabulary, span_us: int) -> Circles:
        """This will gather what every circle has seen from the firsts of its members."""
        own = firsts.entity != CLUSTER_WIDE
        entity, term, moment = firsts.entity[own], firsts.term[own], firsts.first_us[own]
        dimension = vocabulary.dimensions[term]
        merged = merged_terms(vocabulary)[term]
        topic = topics(dimension)
        asked = topic != int(Topic.NONE)
        sightings, rates = [], []
        for label in (peers.group_of(entity), peers.kind_of(entity), np.zeros(len(entity), dtype=np.int64)):
            known = asked & (label >= 0)
            seen = Sightings.of(label[known], entity[known], merged[known], moment[known])
            sightings.append(seen)
            rates.append(
                Rates.of(
                    seen.keys >> 32,
                    topics(vocabulary.dimensions[seen.keys & 0xFFFFFFFF]),
                    seen.first_us,
                    span_us,
                )
            )
        return cls(
            tuple(sightings),
            tuple(rates),
            _issuers(vocabulary, entity, term, moment, dimension == int(Dimension.ISSUED)),
        )


def issuers_for(windows: Windows, firsts: Firsts) -> Sightings:
    """This will say who had the credentials issued that these windows use, whenever that was: a token minted an hour ago and used
    by somebody else now is joined today, and not after the next training."""
    words = windows.vocabulary
    used = np.unique(windows.terms[windows.dimensions == int(Dimension.CREDENTIAL)])
    minted = {words.id_of(Dimension.ISSUED, words.text_of(number)) for number in used.tolist()} - {None}
    theirs = np.isin(
        firsts.term, np.array(sorted(each for each in minted if each is not None), dtype=np.int64)
    )
    theirs &= firsts.entity != CLUSTER_WIDE
    entity, term, moment = firsts.entity[theirs], firsts.term[theirs], firsts.first_us[theirs]
    return _issuers(words, entity, term, moment, np.ones(len(term), dtype=np.bool_))


def _issuers(
    vocabulary: Vocabulary, entity: Ints, term: Ints, moment: Ints, issued: NDArray[np.bool_]
) -> Sightings:
    found = [
        vocabulary.id_of(Dimension.CREDENTIAL, vocabulary.text_of(number)) for number in term[issued].tolist()
    ]
    used_as = np.array([-1 if number is None else number for number in found], dtype=np.int64)
    used = used_as >= 0
    return Sightings.of(
        np.zeros(int(used.sum()), dtype=np.int64),
        entity[issued][used],
        used_as[used],
        moment[issued][used],
    )
