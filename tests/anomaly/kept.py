"""Findings put straight into a database, for what lists and shows them: nothing has to be scored for it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from anomaly.findings.finding import Severity
from anomaly.store.clusters import ensure_cluster
from anomaly.store.tables import entity, finding, triage

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
_SPACE = UUID(int=7)


def keep(
    connection,
    title="Secrets collected",
    by="mallory@example.com",
    cluster="shop",
    severity="high",
    score=0.8,
    at=0,
    minutes=5,
    kind="behaviour",
    name="secrets_enumerated",
    state="open",
    attack=("T1552.007",),
    reason="{by} read 25 secrets.",
    assignee=None,
    verdict=None,
    contributions=(),
    details=None,
    count=3,
    normal="",
    created_at=None,
):
    """Keep one finding that begins `at` minutes after noon; returns its id, which follows from what it is."""
    begin = NOON + timedelta(minutes=at)
    cluster_id = ensure_cluster(connection, cluster)
    who = entity_id(connection, cluster_id, by)
    number = uuid5(_SPACE, repr((cluster, by, name, title, at, kind)))
    connection.execute(
        insert(finding).values(
            id=number,
            cluster_id=cluster_id,
            entity_id=who,
            kind=kind,
            name=name,
            title=title,
            severity=Severity(severity).rank,
            attack=list(attack),
            start_at=begin,
            end_at=begin + timedelta(minutes=minutes),
            score=score,
            reason=reason.format(by=by) if "{by}" in reason else reason,
            normal=normal,
            count=count,
            contributions=list(contributions),
            details=details or {},
            state=state,
            **({"created_at": created_at} if created_at else {}),
        )
    )
    if assignee or verdict:
        closed_at = NOON if verdict else None
        connection.execute(
            insert(triage).values(
                finding_id=number, version=1, assignee=assignee, verdict=verdict, closed_at=closed_at
            )
        )
    return number


def entity_id(connection, cluster_id, username):
    """The id of an entity, made if it is not there."""
    connection.execute(
        upsert(entity).values(cluster_id=cluster_id, username=username).on_conflict_do_nothing()
    )
    found = select(entity.c.id).where(entity.c.cluster_id == cluster_id, entity.c.username == username)
    return connection.execute(found).scalar_one()
