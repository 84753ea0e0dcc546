"""A portrait of one entity: who it is, its rhythm, what it does against what is usual for it and its peers, its risk and why.

Everything comes from stored windows, firsts and findings; no event is read. "Now" is the time that is asked about, "usual" the four
weeks before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection

from anomaly.errors import NoModel, NotFound
from anomaly.events.identity import EntityKind, Identity, identity_of
from anomaly.events.key import EPOCH
from anomaly.findings.risk import REACH, Mark, Risk, risk_at, risk_over
from anomaly.store.conditions import kind_of
from anomaly.store.database import driver_connection
from anomaly.store.extents import entity_id_of, first_and_last_window, names_of
from anomaly.store.latest import Judged, latest_findings, marks_of, standings, titles_of
from anomaly.store.models import champion
from anomaly.store.newcomers import First, firsts_since
from anomaly.store.tallies import MOST_WINDOWS, Tallies, read_tallies, summed
from anomaly.windows.dimension import Dimension
from anomaly.windows.peers import KINDS

USUAL: Final = timedelta(days=28)
COMPARED: Final = (
    Dimension.VERB,
    Dimension.RESOURCE,
    Dimension.NAMESPACE,
    Dimension.ADDRESS,
    Dimension.AGENT,
)
_ABOUT: Final = (Dimension.GROUP, Dimension.IMAGE, Dimension.RISK, Dimension.CREDENTIAL)
_MOST_PEERS: Final = 60
_MOST_TEXTS: Final = 8
_POINTS: Final = 56


@dataclass(frozen=True, slots=True)
class Habit:
    """One value: requests now, and how many would be usual in as many active windows; None: never before. `peers` is the share of
    peers' requests, `share` that of its own, both 0..1 now."""

    text: str
    now: float
    usual: float | None
    share: float
    peers: float | None


@dataclass(frozen=True, slots=True)
class PeerGroup:
    """Whom the champion compares it with: the group's name and its members, itself left out."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Portrait:
    """Everything that is known of an entity, for [since, until) and the four weeks before. `rhythm` counts requests by weekday
    (Monday first) and hour, over both; `risks` are (moment, 0..100)."""

    cluster: str
    entity_id: int
    identity: Identity
    kind: EntityKind
    since: datetime
    until: datetime
    first_seen: datetime
    last_seen: datetime
    requests: float
    usual_requests: float | None
    groups: tuple[str, ...]
    images: tuple[str, ...]
    dangers: tuple[str, ...]
    credentials: int
    rhythm: tuple[tuple[float, ...], ...]
    rhythm_now: frozenset[tuple[int, int]]
    habits: Mapping[Dimension, tuple[Habit, ...]]
    firsts: tuple[First, ...]
    peers: PeerGroup | None
    risk: Risk
    risks: tuple[tuple[datetime, float], ...]
    findings: tuple[Judged, ...]


def portrait(
    connection: Connection,
    cluster_id: int,
    cluster: str,
    username: str,
    since: datetime | None,
    until: datetime | None,
    span: timedelta,
    now: datetime,
    zone: tzinfo,
) -> Portrait:
    """This will draw the portrait of one entity. Without a time it is of the last week of its activity, or
    the last quarter of it if that is less; risk is then that of `now`.

    Raises NotFound when the cluster has no such entity.
    """
    number = entity_id_of(connection, cluster_id, username)
    seen = None if number is None else first_and_last_window(connection, number)
    if number is None or seen is None:
        raise NotFound(
            f"There is no entity {username!r} in {cluster}.", hint="`anomaly entities list` lists them."
        )
    first, last = seen
    # Held to where there is something: an open time would otherwise be mostly empty. Of a short history the last quarter is
    # "now", so that there is something to compare it with.
    end = min(until, last + span) if until and until > first else last + span
    begin = since or max(end - timedelta(days=7), end - (end - first) / 4)
    begin = EPOCH + (min(begin, end - span) - EPOCH) // span * span
    # As in the list of entities: risk fades while nothing is done, so it is that of the moment asked about.
    moment = until if until and until > first else now
    own = read_tallies(
        driver_connection(connection),
        begin - USUAL,
        end,
        {Dimension.REQUESTS, *COMPARED, *_ABOUT},
        clusters=[cluster_id],
        entities=[number],
    )
    peers, beside = _peers(connection, cluster_id, number, begin, end)
    is_now = own.start >= (begin - EPOCH) // timedelta(microseconds=1)
    windows_now, windows_before = (len(np.unique(own.start[part])) for part in (is_now, ~is_now))
    total = own.dimension == int(Dimension.REQUESTS)
    requests = float(own.count[total & is_now].sum())
    before = float(own.count[total & ~is_now].sum())
    scale = windows_now / windows_before if windows_before else 0.0
    marks = marks_of(connection, [cluster_id], end - REACH - (end - begin), number).get(number, [])
    rhythm, rhythm_now = _rhythm(own, is_now, zone)
    return Portrait(
        cluster,
        number,
        identity_of(username),
        kind_of(username),
        begin,
        end,
        first,
        last + span,
        requests,
        before * scale if windows_before else None,
        _texts(own, Dimension.GROUP),
        _texts(own, Dimension.IMAGE),
        _texts(own, Dimension.RISK),
        len(own.by_text(Dimension.CREDENTIAL)),
        rhythm,
        rhythm_now,
        {one: _habits(own, is_now, one, scale, beside) for one in COMPARED},
        tuple(firsts_since(connection, cluster_id, number, begin)),
        peers,
        risk_at(marks, moment),
        _risks(marks, begin, max(moment, end)),
        tuple(latest_findings(connection, [cluster_id], entity_id=number, limit=50)),
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """An entity in a list: requests in the time, risk at its end, findings that made it. `one_of` n above 1: requests are estimated
    from each n-th window, and may be 0 for one that was active in others only."""

    cluster: str
    username: str
    kind: EntityKind
    requests: float
    risk: float
    why: str
    findings: int
    one_of: int = 1


def entities(
    connection: Connection,
    clusters: Mapping[int, str],
    since: datetime,
    until: datetime,
    *,
    text: str = "",
    kind: EntityKind | None = None,
    limit: int = 100,
    most_windows: int = MOST_WINDOWS,
) -> list[Listed]:
    """This will list entities that were active in [since, until) or have risk at its end, the riskiest first, then the busiest;
    those whose name holds the text, of a kind or of all. Of more than `most_windows` windows some stand for all."""
    tallies = read_tallies(
        driver_connection(connection),
        since,
        until,
        {Dimension.REQUESTS},
        clusters=clusters,
        most=most_windows,
    )
    counts = tallies.by_entity(Dimension.REQUESTS)
    risks = standings(connection, list(clusters), until)
    names = names_of(connection, {*counts, *risks})
    wanted = [
        (number, cluster_id, name)
        for number, (cluster_id, name) in names.items()
        if text.casefold() in name.casefold() and (kind is None or kind_of(name) is kind)
    ]

    def order(one: tuple[int, int, str]) -> tuple[float, float, str, str]:
        number, cluster_id, name = one
        risk = risks[number].risk if number in risks else 0.0
        return -round(risk, 1), -counts.get(number, 0.0), name, clusters[cluster_id]

    found = []
    shown = sorted(wanted, key=order)[:limit]
    titles = titles_of(connection, [risks[number].largest for number, _, _ in shown if number in risks])
    for number, cluster_id, name in shown:
        standing = risks.get(number)
        found.append(
            Listed(
                clusters[cluster_id],
                name,
                kind_of(name),
                counts.get(number, 0.0),
                standing.risk if standing else 0.0,
                titles.get(standing.largest, "") if standing else "",
                standing.findings if standing else 0,
                tallies.one_of,
            )
        )
    return found


def _peers(
    connection: Connection, cluster_id: int, number: int, begin: datetime, end: datetime
) -> tuple[PeerGroup | None, Tallies | None]:
    """The group the champion has it in, and what its members did in the time."""
    try:
        said: Mapping[str, Any] = champion(connection, cluster_id).context["peers"]
    except NoModel:
        return None, None
    labels = dict(zip(said["entities"], said["groups"], strict=True))
    if number not in labels:
        return None, None
    label = labels[number]
    members = [one for one, group in labels.items() if group == label and one != number][:_MOST_PEERS]
    names = names_of(connection, members)
    name = said["names"][label] if label < len(said["names"]) else KINDS[0].value
    group = PeerGroup(name, tuple(sorted(text for _, text in names.values())))
    if not members:
        return group, None
    beside = read_tallies(
        driver_connection(connection),
        begin,
        end,
        {Dimension.REQUESTS, *COMPARED},
        clusters=[cluster_id],
        entities=members,
    )
    return group, beside


def _habits(
    own: Tallies, is_now: Any, dimension: Dimension, scale: float, beside: Tallies | None
) -> tuple[Habit, ...]:
    """The most frequent values of both times; what is gone is as telling as what is new."""
    chosen = own.dimension == int(dimension)
    now = _sums(own, chosen & is_now)
    before = _sums(own, chosen & ~is_now)
    peers = beside.by_text(dimension) if beside is not None else {}
    whole, of_peers = sum(now.values()), sum(peers.values())
    found = [
        Habit(
            text,
            now.get(text, 0.0),
            before[text] * scale if text in before else None,
            now.get(text, 0.0) / whole if whole else 0.0,
            (peers.get(text, 0.0) / of_peers) if of_peers else None,
        )
        for text in {*now, *before}
    ]
    found.sort(key=lambda one: (-max(one.now, one.usual or 0.0), one.text))
    kept = found[:_MOST_TEXTS]
    # What is new is shown however rare it is.
    return tuple(kept + [one for one in found[_MOST_TEXTS:] if one.usual is None and one.now][:_MOST_TEXTS])


def _sums(own: Tallies, chosen: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for term, count in summed(own.term[chosen], own.count[chosen]):
        text = own.texts.get(term, "")
        found[text] = found.get(text, 0.0) + count
    return found


def _texts(own: Tallies, dimension: Dimension) -> tuple[str, ...]:
    return tuple(own.by_text(dimension))[:30]


def _rhythm(
    own: Tallies, is_now: Any, zone: tzinfo
) -> tuple[tuple[tuple[float, ...], ...], frozenset[tuple[int, int]]]:
    grid = [[0.0] * 24 for _ in range(7)]
    lately: set[tuple[int, int]] = set()
    chosen = own.dimension == int(Dimension.REQUESTS)
    for start, count, fresh in zip(
        own.start[chosen].tolist(), own.count[chosen].tolist(), is_now[chosen].tolist(), strict=True
    ):
        at = (EPOCH + timedelta(microseconds=start)).astimezone(zone)
        grid[at.weekday()][at.hour] += count
        if fresh:
            lately.add((at.weekday(), at.hour))
    return tuple(map(tuple, grid)), frozenset(lately)


def _risks(marks: Sequence[Mark], begin: datetime, end: datetime) -> tuple[tuple[datetime, float], ...]:
    step = max((end - begin) / _POINTS, timedelta(minutes=1))
    number = max(int((end - begin) / step), 1)
    moments = [begin + place * step for place in range(1, number)] + [end]
    return tuple(zip(moments, risk_over(marks, moments), strict=True))
