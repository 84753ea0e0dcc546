"""A policy weighed before it is set at our door: what it would have dropped of the events that are stored, and who goes blind by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec

from anomaly.door import Gate
from anomaly.events.decode import Decoded
from anomaly.events.event import Event
from anomaly.events.shape import shape_of
from anomaly.intake.arriving import Arriving
from anomaly.policy.arriving import views
from anomaly.policy.coverage import Sight, coverage
from anomaly.policy.document import Policy
from anomaly.policy.need import Need
from anomaly.store.door import DROPPED, Deed, Entry

_AT_ONCE: Final = 2_000
_RANKS: Final = {Sight.ALL: 0, Sight.PART: 1, Sight.BLIND: 2, Sight.ALWAYS: 2, None: 2}


@dataclass(frozen=True, slots=True)
class GoesBlind:
    """A rule or feature family that sees less with the policy than without. `sees` is part, blind or always-fires."""

    owner: str
    sees: str
    why: str


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a policy would have done with `events` stored events; `entries` as in the ledger, the largest first."""

    events: int
    dropped: int
    lowered: int
    bytes_before: int
    bytes_after: int
    entries: tuple[Entry, ...]
    blind: tuple[GoesBlind, ...]


def weigh(
    policy: Policy,
    events: Iterable[tuple[Event, bytes]],
    wanted: Sequence[Need],
    say: Callable[[str], None] = lambda said: None,
) -> Weighed:
    """This will apply a policy to stored events as the door would.

    What came under a policy already in force lacks what that one dropped. Of rules whose requests are not among the events it is
    said what the policy would let them see of any.
    """
    gate = Gate(0, policy)
    before: Counter[tuple[str, str, str, str]] = Counter()
    after: Counter[tuple[str, str, str, str]] = Counter()
    lines: Counter[tuple[int, Deed, str, str]] = Counter()
    sizes: Counter[tuple[int, Deed, str, str]] = Counter()
    count = size = left = 0
    for decoded in _decoded(events):
        passed = gate.pass_through(decoded)
        count += len(decoded.events)
        size += sum(map(len, decoded.raws))
        left += sum(map(len, passed.decoded.raws))
        before.update(_sorts(decoded))
        after.update(_sorts(passed.decoded))
        for one in passed.left.entries:
            key = (one.rule, one.deed, one.username, one.action)
            lines[key] += one.events
            sizes[key] += one.bytes
        say(f"{count:,} events")
    entries = tuple(Entry(0, *key, events=n, bytes=sizes[key]) for key, n in lines.most_common())
    dropped = sum(one.events for one in entries if one.deed == DROPPED)
    return Weighed(
        count,
        dropped,
        sum(one.events for one in entries) - dropped,
        size,
        left,
        entries,
        tuple(_blinded(policy, wanted, _arriving(before), _arriving(after))),
    )


def _decoded(events: Iterable[tuple[Event, bytes]]) -> Iterator[Decoded]:
    given = iter(events)
    while some := list(islice(given, _AT_ONCE)):
        decoded = Decoded()
        for event, raw in some:
            try:
                shape = shape_of(event)
            except msgspec.MsgspecError:
                continue
            decoded.events.append(event)
            decoded.shapes.append(shape)
            decoded.raws.append(raw)
        yield decoded


def _sorts(decoded: Decoded) -> Iterator[tuple[str, str, str, str]]:
    return ((one.verb, one.resource_text, one.level, one.stage) for one in decoded.shapes)


def _arriving(sorts: Counter[tuple[str, str, str, str]]) -> list[Arriving]:
    return [Arriving(*sort, events=count) for sort, count in sorts.items()]


def _blinded(
    policy: Policy, wanted: Sequence[Need], before: Sequence[Arriving], after: Sequence[Arriving]
) -> Iterator[GoesBlind]:
    then = {one.owner: one for one in views(wanted, after)}
    by_policy = {one.owner: one for one in coverage(policy, wanted)}
    for one in views(wanted, before):
        now = then.get(one.owner)
        if one.sight is None:
            judged = by_policy.get(one.owner)
            if judged is not None and judged.sight is not Sight.ALL:
                gap = judged.gaps[0].sentence if judged.gaps else ""
                yield GoesBlind(
                    one.owner, str(judged.sight), f"nothing it looks at came; of what may come: {gap}"
                )
        elif now is None or now.sight is None:
            yield GoesBlind(one.owner, str(Sight.BLIND), "what it looks at is dropped")
        elif _RANKS[now.sight] > _RANKS[one.sight]:
            yield GoesBlind(one.owner, str(now.sight), now.why)
