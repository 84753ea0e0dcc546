"""Findings: kept, listed, shown with their evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Connection,
    DateTime,
    Row,
    Text,
    Uuid,
    and_,
    cast,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from anomaly.errors import NotFound
from anomaly.events.decode import audit_id_of
from anomaly.events.identity import identity_of
from anomaly.findings.finding import Contribution, Finding, FindingKind, Severity
from anomaly.findings.merge import BELOW, Days, Story, tell
from anomaly.findings.triage import Move
from anomaly.store.chunks import unpack_chunk
from anomaly.store.tables import chunk, cluster, entity, event, evidence, finding, finding_step, triage

MOST_EVIDENCE: Final = 1_000
"""Audit ids given with a finding; `count` says how many events there are in all."""
_SEVERITIES: Final = tuple(Severity)
_LOCK: Final = 0x57041E5
"""Names the advisory lock under which the stories of one cluster are told."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which findings; None restricts nothing. Times: those that overlap [since, until).

    `below`: only what its day had no room for (`anomaly.findings.merge`), which is left out otherwise unless `states` ask for it.
    """

    cluster: str | None = None
    kind: FindingKind | None = None
    name: str | None = None
    entity: str | None = None
    at_least: Severity = Severity.INFO
    states: tuple[str, ...] = ()
    below: bool = False
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50
    clusters: frozenset[str] | None = None
    """Only of these clusters; None: of all."""
    newest_first: bool = False
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding stands in a list, so that the next page goes on after it."""

    severity: int
    rank: float
    start: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Kept:
    """What keeping came to: stories the windows are part of, how many of them are new, and how many lie under their day's line.
    `beyond` of those shown are critical and go over their day's budget."""

    stories: int
    new: int
    below: int
    beyond: int = 0


def keep_deviations(connection: Connection, pieces: Sequence[Story], days: Days) -> Kept:
    """This will keep deviating windows as findings: each joins the story it belongs to, and each day's room goes to its
    gravest. Judged again, a window changes nothing; what people did to a finding stays."""
    if not pieces:
        return Kept(0, 0, 0)
    # One judge at a time in a cluster: what has room depends on all stories of the day.
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK, pieces[0].cluster_id)))
    known = _stories_near(connection, pieces, days)
    before = {story.finding.id: story for story in known}
    told = tell(pieces, known, days)
    for story in sorted(told.stories, key=lambda story: story.finding.id):
        if story != before.get(story.finding.id):
            _write(connection, story)
    touched = [story for story in told.stories if story.finding.id in told.touched]
    new = sum(story.finding.id not in before for story in touched)
    below = sum(story.finding.state == BELOW for story in touched)
    return Kept(len(touched), new, below, len(told.touched & told.beyond))


def _stories_near(connection: Connection, pieces: Sequence[Story], days: Days) -> list[Story]:
    """The cluster's stories of the days that the pieces fall on, of the day before and the day after."""
    first = min(days.start_of(piece.finding.start) for piece in pieces)
    last = max(days.start_of(piece.finding.start) for piece in pieces) + days.length
    by_people = exists().where(
        finding_step.c.finding_id == finding.c.id,
        finding_step.c.move.not_in([Move.SUPPRESS.value, Move.SURFACE.value]),
    )
    statement = (
        finding_rows()
        .add_columns(by_people.label("touched"))
        .where(
            finding.c.cluster_id == pieces[0].cluster_id,
            finding.c.kind == FindingKind.BEHAVIOUR.value,
            finding.c.start_at >= first - days.length,
            finding.c.start_at < last + days.length,
        )
    )
    # Held until the end: a state that a person changed meanwhile would be written over.
    statement = statement.with_for_update(of=finding)
    return [
        Story(to_finding(row), row.cluster_id, row.entity_id, row.model_id or 0, touched=row.touched)
        for row in connection.execute(statement)
    ]


def _write(connection: Connection, story: Story) -> None:
    number = story.finding.id
    values = _values(story)
    renewed = {name: value for name, value in values.items() if name != "id"} | {"updated_at": func.now()}
    statement = insert(finding).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=renewed))
    if not story.events:
        return
    moments, keys = map(list, zip(*sorted(story.events), strict=True))
    # Two arrays and not a row each: a busy window is told again and again with twenty thousand events.
    rows = (
        func.unnest(literal(moments, ARRAY(DateTime(timezone=True))), literal(keys, ARRAY(Uuid)))
        .table_valued(column("received_at", DateTime(timezone=True)), column("event_key", Uuid), name="told")
        .render_derived()
    )
    told = select(literal(number, Uuid), rows.c.received_at, rows.c.event_key)
    into = insert(evidence).from_select(["finding_id", "received_at", "event_key"], told)
    connection.execute(into.on_conflict_do_nothing())
    behind = select(func.count()).select_from(evidence).where(evidence.c.finding_id == number)
    counted = func.greatest(behind.scalar_subquery(), len(story.events))
    connection.execute(update(finding).where(finding.c.id == number).values(count=counted))


def _values(one: Story) -> dict[str, Any]:
    made = one.finding
    return {
        "id": made.id,
        "cluster_id": one.cluster_id,
        "entity_id": one.entity_id,
        "kind": made.kind.value,
        "name": made.name,
        "title": made.title,
        "severity": made.severity.rank,
        "attack": list(made.attack),
        "start_at": made.start,
        "end_at": made.end,
        "score": made.score,
        "reason": made.reason.replace("\x00", "\u2400"),
        "normal": made.normal.replace("\x00", "\u2400"),
        "count": made.count,
        "contributions": [asdict(part) for part in made.contributions],
        "details": {key: value.replace("\x00", "\u2400") for key, value in made.details.items()},
        "state": made.state,
        "model_id": one.model_id,
    }


def list_findings(connection: Connection, wanted: Wanted) -> list[Finding]:
    """This will return findings, the most severe first and among those the strangest, verdicts on alike ones heard; without
    their evidence."""
    return [one for one, _ in placed_findings(connection, wanted)]


def placed_findings(connection: Connection, wanted: Wanted) -> list[tuple[Finding, Place]]:
    """This will return findings as `list_findings` does, or by their beginning, each with its place in that order.

    Going on after a place shows each finding once whatever is added meanwhile; one whose score a verdict moves may move past it.
    """
    by_gravity = [finding.c.severity, _RANK] if not wanted.newest_first else []
    falling = [*by_gravity, finding.c.start_at]
    statement = finding_rows().add_columns(_RANK.label("rank")).where(*_conditions(wanted))
    if wanted.after is not None:
        place = wanted.after
        values = [*([place.severity, place.rank] if by_gravity else []), place.start]
        statement = statement.where(_after(falling, values, finding.c.id > place.id))
    ordered = statement.order_by(*(key.desc() for key in falling), finding.c.id).limit(wanted.limit)
    return [
        (to_finding(row), Place(row.severity, row.rank, row.start_at, row.id))
        for row in connection.execute(ordered)
    ]


def _after(keys: Sequence[Any], values: Sequence[Any], last: Any) -> Any:
    """Rows after a place: keys fall, and where all are equal `last` decides."""
    found = last
    for key, value in reversed(list(zip(keys, values, strict=True))):
        found = or_(key < value, and_(key == value, found))
    return found


def find_finding(connection: Connection, number: UUID) -> Finding:
    """This will return one finding, without its evidence. Raises NotFound."""
    row = connection.execute(finding_rows().where(finding.c.id == number)).first()
    if row is None:
        raise NotFound(f"There is no finding {number}.", hint="`anomaly findings list` shows their ids.")
    return to_finding(row)


def clusters_of_findings(connection: Connection, numbers: Iterable[UUID]) -> dict[UUID, str]:
    """This will return the cluster of each finding that there is."""
    rows = connection.execute(
        select(finding.c.id, cluster.c.name)
        .join(cluster, cluster.c.id == finding.c.cluster_id)
        .where(finding.c.id.in_(list(numbers)))
    )
    return {row.id: str(row.name) for row in rows}


def last_fired(
    connection: Connection, clusters: frozenset[str] | None = None
) -> dict[str, tuple[datetime, int]]:
    """This will return of each rule that has findings when it fired last and how many findings it has."""
    statement = (
        select(finding.c.name, func.max(finding.c.end_at), func.count())
        .select_from(finding.join(cluster, cluster.c.id == finding.c.cluster_id))
        .where(finding.c.kind == FindingKind.RULE.value)
        .group_by(finding.c.name)
    )
    if clusters is not None:
        statement = statement.where(cluster.c.name.in_(sorted(clusters)))
    return {str(name): (last, int(count)) for name, last, count in connection.execute(statement)}


def count_findings(connection: Connection, wanted: Wanted) -> int:
    """This will return how many findings there are, whatever the limit."""
    statement = select(func.count()).select_from(_FROM).where(*_conditions(wanted))
    return int(connection.execute(statement).scalar_one())


def findings_by_prefix(connection: Connection, prefix: str) -> list[Finding]:
    """This will return the findings whose id begins with the text (dashes may be left out), at most ten."""
    wanted = prefix.replace("-", "").lower()
    text = func.replace(cast(finding.c.id, Text), "-", "")
    statement = finding_rows().where(text.startswith(wanted, autoescape=True)).limit(10)
    return [to_finding(row) for row in connection.execute(statement)]


def with_evidence(
    connection: Connection, found: Iterable[Finding], most: int = MOST_EVIDENCE
) -> list[Finding]:
    """This will return the findings with the audit ids of their events, oldest first, at most `most` each.

    Chunks are read once for all findings together. Events that retention dropped are missing.
    """
    listed = list(found)
    ranked = (
        select(
            evidence.c.finding_id,
            evidence.c.received_at,
            event.c.chunk_id,
            event.c.ordinal,
            func.row_number()
            .over(partition_by=evidence.c.finding_id, order_by=(evidence.c.received_at, evidence.c.event_key))
            .label("place"),
        )
        .join(finding, finding.c.id == evidence.c.finding_id)
        .join(
            event,
            and_(
                # The same log kept in two clusters has the same keys in both.
                event.c.cluster_id == finding.c.cluster_id,
                event.c.received_at == evidence.c.received_at,
                event.c.event_key == evidence.c.event_key,
            ),
        )
        .where(evidence.c.finding_id.in_([one.id for one in listed]))
        .subquery()
    )
    rows = connection.execute(
        select(ranked).where(ranked.c.place <= most).order_by(ranked.c.chunk_id, ranked.c.ordinal)
    ).all()
    ids = _audit_ids(connection, rows)
    return [replace(one, evidence=tuple(dict.fromkeys(ids.get(one.id, ())))) for one in listed]


def _audit_ids(connection: Connection, rows: Sequence[Row[Any]]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[tuple[datetime, str]]] = {}
    held: tuple[object, int] | None = None
    raws: list[bytes] = []
    for row in rows:
        place = (row.received_at.date(), row.chunk_id)
        if place != held:
            statement = select(chunk.c.data).where(chunk.c.day == place[0], chunk.c.id == place[1])
            raws = unpack_chunk(bytes(connection.execute(statement).scalar_one()))
            held = place
        audit_id = audit_id_of(raws[row.ordinal])
        found.setdefault(row.finding_id, []).append((row.received_at, audit_id))
    return {number: [audit_id for _, audit_id in sorted(pairs)] for number, pairs in found.items()}


_FROM: Final = (
    finding.join(cluster, cluster.c.id == finding.c.cluster_id)
    .join(entity, entity.c.id == finding.c.entity_id)
    .outerjoin(triage, triage.c.finding_id == finding.c.id)
)
_RANK: Final = func.coalesce(triage.c.heard_score, finding.c.score)
"""The score after verdicts on alike findings (`anomaly.ranking`), where there are any."""


def finding_rows() -> Any:
    """This will return the statement that reads findings, for `to_finding` to make one of each row."""
    return select(finding, cluster.c.name.label("cluster_name"), entity.c.username).select_from(_FROM)


def _conditions(wanted: Wanted) -> list[Any]:
    conditions: list[Any] = [finding.c.severity >= wanted.at_least.rank]
    if wanted.cluster is not None:
        conditions.append(cluster.c.name == wanted.cluster)
    if wanted.clusters is not None:
        conditions.append(cluster.c.name.in_(sorted(wanted.clusters)))
    if wanted.kind is not None:
        conditions.append(finding.c.kind == wanted.kind.value)
    if wanted.name is not None:
        conditions.append(finding.c.name == wanted.name)
    if wanted.entity is not None:
        conditions.append(entity.c.username == wanted.entity)
    if wanted.below:
        conditions.append(finding.c.state == BELOW)
    elif wanted.states:
        conditions.append(finding.c.state.in_(wanted.states))
    else:
        conditions.append(finding.c.state != BELOW)
    if wanted.since is not None:
        conditions.append(finding.c.end_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(finding.c.start_at < wanted.until)
    return conditions


def to_finding(row: Row[Any]) -> Finding:
    identity = identity_of(row.username)
    details: Mapping[str, Any] = row.details
    group = details.get("group", {})
    return Finding(
        id=row.id,
        cluster=row.cluster_name,
        entity=row.username,
        entity_kind=identity.kind.value,
        kind=FindingKind(row.kind),
        name=row.name,
        title=row.title,
        severity=_SEVERITIES[row.severity],
        attack=tuple(row.attack),
        start=row.start_at,
        end=row.end_at,
        score=row.score,
        reason=row.reason,
        count=row._mapping[finding.c.count],
        contributions=tuple(Contribution(**part) for part in row.contributions),
        normal=row.normal,
        state=row.state,
        details={**{key: str(value) for key, value in details.items() if key != "group"}, **group},
    )
