"""Models: their artifacts, cards and states. Every replica reads the champion from here.

candidate -> champion -> retired, when another takes its place, or withdrawn, when it is rolled back
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Double,
    ScalarSelect,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from anomaly.errors import NoModel, NotFound
from anomaly.events.key import EPOCH
from anomaly.store.tables import model as table
from models.model import Model

CHAMPION = "champion"
CANDIDATE = "candidate"
RETIRED = "retired"
WITHDRAWN = "withdrawn"
"""Was in use and was rolled back: going back once more passes it over."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A model as it is kept, without its artifact. `context` says with which span, time and peer groups it was trained."""

    id: int
    cluster_id: int
    state: str
    sha256: str
    card: dict[str, Any]
    context: dict[str, Any]
    created_at: datetime
    promoted_at: datetime | None


_COLUMNS = (
    table.c.id,
    table.c.cluster_id,
    table.c.state,
    table.c.sha256,
    table.c.card,
    table.c.context,
    table.c.created_at,
    table.c.promoted_at,
)


def keep_model(connection: Connection, cluster_id: int, model: Model, context: dict[str, Any]) -> int:
    """This will keep a model as a candidate, and return its id."""
    made = connection.execute(
        insert(table)
        .values(
            cluster_id=cluster_id,
            state=CANDIDATE,
            sha256=model.digest,
            card=model.card.to_dict(),
            context=context,
            artifact=model.artifact.data,
        )
        .returning(table.c.id)
    )
    return int(made.scalar_one())


def promote_model(connection: Connection, number: int, before: str = RETIRED) -> None:
    """This will make a model the champion of its cluster; the one in use until now gets the state `before`. Raises NotFound."""
    cluster = connection.execute(
        select(table.c.cluster_id).where(table.c.id == number).with_for_update()
    ).scalar_one_or_none()
    if cluster is None:
        raise NotFound(f"There is no model {number}.", hint="`anomaly models list` shows them.")
    connection.execute(
        update(table)
        .where(table.c.state == CHAMPION, table.c.id != number, table.c.cluster_id == cluster)
        .values(state=before)
    )
    connection.execute(
        update(table).where(table.c.id == number).values(state=CHAMPION, promoted_at=func.clock_timestamp())
    )


def roll_back(connection: Connection, cluster_id: int) -> Kept:
    """This will put the champion before the present one in use again, and return it. Raises NotFound when there is none."""
    previous = previous_champion(connection, cluster_id)
    promote_model(connection, previous.id, WITHDRAWN)
    return find_model(connection, previous.id)


def champion_id(connection: Connection, cluster_id: int) -> int | None:
    """This will return the number of the model in use for a cluster: one look into an index, to be asked every few seconds."""
    return connection.execute(
        select(table.c.id).where(table.c.state == CHAMPION, table.c.cluster_id == cluster_id)
    ).scalar_one_or_none()


def judged_from(connection: Connection, cluster_id: int) -> datetime | None:
    """This will return from which start on windows are judged: the first that no champion still kept has learned from."""
    return connection.execute(select(first_judged(literal(cluster_id)))).scalar_one_or_none()


def first_judged(cluster_id: ColumnElement[int]) -> ScalarSelect[datetime]:
    """This will ask for `judged_from` of the cluster of each row.

    The window that was open while the first champion was trained had not ended and taught nothing: it is the first to be judged.
    """
    champions = table.alias("judging")
    span = func.make_interval(
        0, 0, 0, 0, 0, 0, cast(champions.c.context["span_us"].astext, Double) / 1_000_000
    )
    until = cast(champions.c.context["until"].astext, DateTime(timezone=True))
    begun = func.date_bin(span, until, literal(EPOCH), type_=DateTime(timezone=True))
    wanted = (champions.c.cluster_id == cluster_id, champions.c.promoted_at.is_not(None))
    return select(func.min(begun)).where(*wanted).scalar_subquery()


def prune_models(connection: Connection, cluster_id: int, keep: int) -> int:
    """This will delete all but the newest `keep` models of a cluster and return how many went. The champion and the one before
    it always stay."""
    try:
        safe = [previous_champion(connection, cluster_id).id]
    except NotFound:
        safe = []
    newest = (
        select(table.c.id).where(table.c.cluster_id == cluster_id).order_by(table.c.id.desc()).limit(keep)
    )
    done = connection.execute(
        delete(table).where(
            table.c.cluster_id == cluster_id,
            table.c.state != CHAMPION,
            table.c.id.not_in(safe),
            table.c.id.not_in(newest),
        )
    )
    return done.rowcount


def previous_champion(connection: Connection, cluster_id: int) -> Kept:
    """This will return the model that was champion of a cluster before the present one. Raises NotFound when there is none."""
    row = connection.execute(
        select(*_COLUMNS)
        .where(table.c.cluster_id == cluster_id, table.c.state == RETIRED, table.c.promoted_at.is_not(None))
        .order_by(table.c.promoted_at.desc())
        .limit(1)
    ).first()
    if row is None:
        raise NotFound("There is no earlier champion to go back to.")
    return Kept(*row)


def list_models(connection: Connection, cluster_id: int | None = None, limit: int = 50) -> list[Kept]:
    """This will return the newest models, newest first."""
    chosen = select(*_COLUMNS).order_by(table.c.id.desc()).limit(limit)
    if cluster_id is not None:
        chosen = chosen.where(table.c.cluster_id == cluster_id)
    rows = connection.execute(chosen)
    return [Kept(*row) for row in rows]


def models_before(
    connection: Connection, clusters: Collection[int] | None, before: int | None, limit: int
) -> list[Kept]:
    """This will return models by number, the newest first, those before a number, of some clusters or of all (None)."""
    chosen = select(*_COLUMNS).order_by(table.c.id.desc()).limit(limit)
    if clusters is not None:
        chosen = chosen.where(table.c.cluster_id.in_(clusters))
    if before is not None:
        chosen = chosen.where(table.c.id < before)
    return [Kept(*row) for row in connection.execute(chosen)]


def find_model(connection: Connection, number: int) -> Kept:
    """This will return one model. Raises NotFound."""
    row = connection.execute(select(*_COLUMNS).where(table.c.id == number)).first()
    if row is None:
        raise NotFound(f"There is no model {number}.", hint="`anomaly models list` shows them.")
    return Kept(*row)


def champion(connection: Connection, cluster_id: int) -> Kept:
    """This will return the model in use for a cluster. Raises NoModel when none was trained."""
    row = connection.execute(
        select(*_COLUMNS).where(table.c.state == CHAMPION, table.c.cluster_id == cluster_id)
    ).first()
    if row is None:
        raise NoModel(
            "No model has been trained yet.", hint="Run `anomaly train` once there are some hours of events."
        )
    return Kept(*row)


def load_model(connection: Connection, kept: Kept) -> Model:
    """This will load a model, checking that its artifact is what was kept. Raises models.UntrustedArtifact."""
    data = connection.execute(select(table.c.artifact).where(table.c.id == kept.id)).scalar_one()
    return Model.load(bytes(data), kept.sha256)
