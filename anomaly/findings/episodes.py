"""From stored matches to findings of correlations: by group and by time bucket, whatever order the matches came in.

A finding gathers the hits of one group within one `timeframe`. Its id follows from group and bucket, so late events change a
finding and never move it, and episodes that grow together were one finding already when they lie in one bucket. A hit at a
moment depends only on the matches of one timespan before it: that bounds what must be read again when something arrives.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from anomaly.findings.finding import FindingKind, finding_id
from anomaly.rules.correlate import SECOND, affected, correlate
from anomaly.rules.correlation import Correlation, Kind, Match
from anomaly.rules.words import printable

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_KEPT: Final = 100
"""Matches of one group that are kept from each end of a cell of time, at the least."""
_REMEMBERED: Final = 4_096
_WORDS: Final = {"gte": "at least", "gt": "more than", "lte": "at most", "lt": "less than", "eq": "exactly"}


@dataclass(frozen=True, slots=True)
class Told:
    """What a correlation says about one group in one time bucket. `members` are the matches behind it, oldest first."""

    id: UUID
    start_us: int
    end_us: int
    members: tuple[Match, ...]


@lru_cache(_REMEMBERED)
def group_key(cluster_id: int, correlation: Correlation, group: tuple[str, ...]) -> UUID:
    """This will return the key under which matches of one group are stored.

    How a correlation groups and counts is part of it: after it is rewritten, matches captured before no longer speak for it.
    """
    aliases = sorted((alias, *sorted(at.items())) for alias, at in (correlation.aliases or {}).items())
    asks = (*correlation.group_by, "\0", *correlation.counted, "\0", repr(aliases))
    return _hash((str(cluster_id), correlation.id, *asks, "\0", *group))


@lru_cache(_REMEMBERED)
def value_key(value: tuple[str, ...]) -> UUID:
    """This will return what stands for the counted values of a match: equal when they are."""
    return _hash(value)


def only_grows(correlation: Correlation) -> bool:
    """This will tell whether more matches can never undo a hit, as with "at least" and unlike "exactly"."""
    if correlation.expression is not None:
        return not _denies(correlation.expression)
    return correlation.kind is Kind.TEMPORAL_ORDERED or correlation.compare in {"gt", "gte"}


def spare(correlation: Correlation, matches: Collection[Match], times: Sequence[int]) -> list[Match]:
    """This will return those of the matches of one group that need not be kept once `told` has heard them: a flood's inside.

    `matches` must hold all that is kept between the bounds of `to_read`; only cells of time with one of `times` are thinned. A
    cell is no longer than the timespan and lies in one bucket. From each are kept its first and last matches (at least 100 each
    way, and more than the correlation asks for), and of everything counted the first and the last, as many again.

    Exact in spite of it, whatever comes in what order: whether there is a finding for a group and bucket; for counts of events
    also its end, and its start, count and evidence as long as no spared match is in reach of the hit, as in the buckets where
    the flood itself was found. Capped: a finding that begins later, yet reaches back into a flood (the next bucket; a value
    count that held only afterwards), lists, counts and starts with what was kept of it. Late matches inside a flood of values
    or of rules can leave its end earlier than it was. Nothing is spared where hits can be undone, or in orders of three or more.
    """
    if not only_grows(correlation) or (
        correlation.kind is Kind.TEMPORAL_ORDERED and len(correlation.rules) > 2
    ):
        return []
    most = max(_KEPT, (int(correlation.threshold) + 1) * len(correlation.rules))
    if len(matches) <= 2 * most:
        return []
    touched = {_cell(correlation, time) for time in times}
    cells: dict[tuple[int, int], list[Match]] = defaultdict(list)
    for match in matches:
        if (cell := _cell(correlation, match.time)) in touched:
            cells[cell].append(match)
    found: list[Match] = []
    for members in cells.values():
        if len(members) > 2 * most:
            members.sort(key=_order)
            kept = {*members[:most], *members[-most:]}
            kept.update(_first_of_each(correlation, members, most))
            kept.update(_first_of_each(correlation, reversed(members), most))
            found += [match for match in members if match not in kept]
    return found


def _first_of_each(correlation: Correlation, members: Iterable[Match], most: int) -> Iterable[Match]:
    if correlation.kind is Kind.EVENT_COUNT:
        return ()
    by_value = correlation.kind is Kind.VALUE_COUNT
    firsts: dict[object, Match] = {}
    for match in members:
        firsts.setdefault(match.value if by_value else match.rule, match)
        if len(firsts) == most:
            break
    return firsts.values()


def _order(match: Match) -> tuple[int, str, str, tuple[str, ...]]:
    return match.time, match.key, match.rule, match.value


def _too_few(correlation: Correlation, matches: Collection[Match]) -> bool:
    """Most groups never have enough matches for a hit, whenever they came."""
    if not only_grows(correlation):
        return False
    if correlation.kind is Kind.EVENT_COUNT:
        return not correlation.holds(len(matches))
    if correlation.kind is Kind.VALUE_COUNT:
        return not correlation.holds(len({match.value for match in matches}))
    rules = {match.rule for match in matches}
    if correlation.kind is Kind.TEMPORAL_ORDERED:
        return len(rules) < len(correlation.rules)
    return not correlation.meets(rules)


def _cell(correlation: Correlation, time: int) -> tuple[int, int]:
    bucket, rest = divmod(time, correlation.timeframe * SECOND)
    return bucket, rest // (correlation.timespan * SECOND)


def to_read(correlation: Correlation, times: Sequence[int]) -> tuple[int, int]:
    """This will return the first and last microsecond of the matches to read when new ones came at `times`."""
    low, high = affected(correlation, times)
    if only_grows(correlation):
        return low, high
    frame, span = correlation.timeframe * SECOND, correlation.timespan * SECOND
    first = min(times) // frame * frame
    return first - span, high // frame * frame + frame - 1


def to_replace(
    cluster_id: int, correlation: Correlation, group: tuple[str, ...], times: Sequence[int]
) -> list[UUID]:
    """This will return the ids of the findings that new matches at `times` can undo; none when hits only grow."""
    if only_grows(correlation):
        return []
    frame, span = correlation.timeframe * SECOND, correlation.timespan * SECOND
    buckets = range(min(times) // frame * frame, max(times) + span + 1, frame)
    return [_id(cluster_id, correlation, group, bucket) for bucket in buckets]


def told(
    cluster_id: int,
    correlation: Correlation,
    group: tuple[str, ...],
    matches: Iterable[Match],
    times: Sequence[int] | None = None,
) -> list[Told]:
    """This will return what the matches of one group give, by bucket.

    With `times`, `matches` must be what is stored between the bounds of `to_read`, and only hits that new matches at those
    times can have changed are told. All values in `group` of the matches count as one group.
    """
    whole = {Match(one.time, one.key, one.rule, (), one.value) if one.group else one for one in matches}
    if _too_few(correlation, whole):
        return []
    listed = sorted(whole, key=_order)
    low, high = _changed(correlation, times) if times is not None else (None, None)
    frame, span = correlation.timeframe * SECOND, correlation.timespan * SECOND
    buckets: dict[int, list[int]] = defaultdict(list)
    for episode in correlate(correlation, listed):
        for hit in episode.hits:
            if low is None or high is None or low <= hit <= high:
                buckets[hit // frame * frame].append(hit)
    moments = [one.time for one in listed]
    found = []
    for bucket, hits in sorted(buckets.items()):
        members: list[Match] = []
        reached = 0
        for hit in sorted(hits):
            first = max(reached, bisect_left(moments, hit - span))
            reached = max(reached, bisect_left(moments, hit + 1))
            members.extend(listed[first:reached])
        number = _id(cluster_id, correlation, group, bucket)
        found.append(Told(number, members[0].time, members[-1].time, tuple(members)))
    return found


def reason(correlation: Correlation, group: Sequence[str]) -> str:
    """This will say in one sentence what the correlation found; it depends on the group alone, so it never changes."""
    names = ", ".join(correlation.rules)
    if correlation.kind is Kind.TEMPORAL_ORDERED:
        what = f"{', then '.join(correlation.rules)}"
    elif correlation.kind is Kind.TEMPORAL:
        what = names if correlation.expression is not None else f"{_number(correlation)} of {names}"
    elif correlation.kind is Kind.VALUE_COUNT:
        what = f"{_number(correlation)} values of {', '.join(correlation.counted)} in {names}"
    else:
        what = f"{_number(correlation)} events of {names}"
    whom = printable(", ".join(value for value in group if value)) or "all together"
    return f"{correlation.title}: {what} within {_span(correlation.timespan)} for {whom}."


def _changed(correlation: Correlation, times: Sequence[int]) -> tuple[int, int]:
    low, high = to_read(correlation, times)
    return (low + correlation.timespan * SECOND, high)


def _id(cluster_id: int, correlation: Correlation, group: tuple[str, ...], bucket: int) -> UUID:
    return finding_id(cluster_id, FindingKind.RULE, correlation.id, group, bucket)


def _denies(node: Any) -> bool:
    return not isinstance(node, str) and (node[0] == "not" or any(map(_denies, node[1:])))


def _hash(parts: Sequence[str]) -> UUID:
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return UUID(bytes=blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest())


def _number(correlation: Correlation) -> str:
    word = _WORDS.get(correlation.compare, "not")
    return f"{word} {correlation.threshold:g}"


def _span(seconds: int) -> str:
    size, unit = next(pair for pair in _UNITS if seconds % pair[0] == 0)
    return f"{seconds // size} {unit}"
