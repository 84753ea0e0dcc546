"""The windows in which a correlation holds, from the matches alone.

For every match, the window that ends with it is looked at: all matches of its group at most the timespan older. Windows that
share a match are one episode. Equal times are ordered by the rules' order in the correlation, then by event key, so that the
result does not depend on the order of arrival.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from anomaly.rules.correlation import Correlation, Kind, Match

SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch in which a correlation held for one group. Times in microseconds since 1970.

    `hits` are the moments at which it held (for findings by time bucket), `evidence` the event keys in order of time,
    `count` the most that was counted in one window.
    """

    correlation: str
    group: tuple[str, ...]
    start: int
    end: int
    hits: tuple[int, ...]
    evidence: tuple[str, ...]
    count: int


_Hit = tuple[int, int, int]
"""First and last position of the window, and what was counted in it."""


def correlate(correlation: Correlation, matches: Iterable[Match]) -> list[Episode]:
    """This will return the episodes of a correlation, sorted by start. The same set of matches gives the same episodes."""
    order = {rule: index for index, rule in enumerate(correlation.rules)}
    groups: dict[tuple[str, ...], list[Match]] = defaultdict(list)
    for match in set(matches):
        if match.rule in order:
            groups[match.group].append(match)
    found: list[Episode] = []
    for group, members in groups.items():
        members.sort(key=lambda match: (match.time, order[match.rule], match.key, match.value))
        found.extend(_episodes(correlation, group, members, list(_hits(correlation, members))))
    return sorted(found, key=lambda episode: (episode.start, episode.end, episode.group))


def affected(correlation: Correlation, times: Iterable[int]) -> tuple[int, int]:
    """This will return the range of times whose matches must be read when new matches came at `times`.

    Correlating what is stored in it gives exact hits from the earliest of `times` to one timespan after the latest; hits
    outside cannot have changed. Raises ValueError when there are no times.
    """
    listed = list(times)
    span = correlation.timespan * SECOND
    return min(listed) - span, max(listed) + span


def _hits(correlation: Correlation, members: list[Match]) -> Iterator[_Hit]:
    if correlation.kind is Kind.TEMPORAL_ORDERED:
        return _ordered(correlation, members)
    return _sliding(correlation, members)


def _sliding(correlation: Correlation, members: list[Match]) -> Iterator[_Hit]:
    """Counts kept while the window moves: a flood of n matches costs n steps, not n squared."""
    span = correlation.timespan * SECOND
    seen: Counter[tuple[str, ...]] = Counter()
    first = 0
    for last, match in enumerate(members):
        seen[_counted(correlation, match)] += 1
        while match.time - members[first].time > span:
            gone = _counted(correlation, members[first])
            seen[gone] -= 1
            if not seen[gone]:
                del seen[gone]
            first += 1
        if correlation.kind is Kind.TEMPORAL:
            holds = correlation.meets({rule for (rule,) in seen})
        else:
            holds = correlation.holds(len(seen))
        if holds:
            yield first, last, len(seen)


def _counted(correlation: Correlation, match: Match) -> tuple[str, ...]:
    if correlation.kind is Kind.EVENT_COUNT:
        return (match.key,)
    return match.value if correlation.kind is Kind.VALUE_COUNT else (match.rule,)


def _ordered(correlation: Correlation, members: list[Match]) -> Iterator[_Hit]:
    """For each rule of the order, the latest start of a chain that has come this far: the shortest chain decides."""
    span = correlation.timespan * SECOND
    place = {rule: index for index, rule in enumerate(correlation.rules)}
    starts: list[int | None] = [None] * len(place)
    for last, match in enumerate(members):
        index = place[match.rule]
        start = last if index == 0 else starts[index - 1]
        if start is None or match.time - members[start].time > span:
            continue
        starts[index] = start
        if index == len(place) - 1:
            yield start, last, len(place)


def _episodes(
    correlation: Correlation, group: tuple[str, ...], members: list[Match], hits: list[_Hit]
) -> Iterator[Episode]:
    position = 0
    while position < len(hits):
        first, last, count = hits[position]
        times = [members[last].time]
        position += 1
        while position < len(hits) and hits[position][0] <= last:
            start, last, more = hits[position]
            first, count = min(first, start), max(count, more)
            times.append(members[last].time)
            position += 1
        evidence = tuple(dict.fromkeys(match.key for match in members[first : last + 1]))
        yield Episode(
            correlation.id, group, members[first].time, members[last].time, tuple(times), evidence, count
        )
