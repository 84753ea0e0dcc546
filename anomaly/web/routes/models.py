"""Models: what was trained, what is in use, putting another in its place; training, replay and comparison as runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from anomaly.asked import Desk, checked_days, chosen_clusters, diff_models, judge_now, replay_model, train_now
from anomaly.errors import NotFound
from anomaly.jobs.job import Work
from anomaly.payloads.job import RunPayload
from anomaly.payloads.model import (
    ModelCardPayload,
    ModelPayload,
    PromotedPayload,
    model_card_payload,
    model_payload,
    promoted_payload,
)
from anomaly.rights import Principal, Right
from anomaly.store.clusters import cluster_id, cluster_names
from anomaly.store.models import Kept, find_model, models_before, promote_model, roll_back
from anomaly.web.access import need
from anomaly.web.answer import Page, answer, page, place_of, tagged
from anomaly.web.clock import clock
from anomaly.web.desk import change, read
from anomaly.web.fields import Body, ClusterName, Cursor, Days, Id, Limit, Moment, OfCluster
from anomaly.web.openapi import NOT_MODIFIED, problems
from anomaly.web.routes.runs import begun

router = APIRouter(prefix="/v1", tags=["models"])
Reader = Annotated[Principal, Depends(need(Right.READ))]
Admin = Annotated[Principal, Depends(need(Right.ADMIN))]
_Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class TrainBody(Body):
    """What to train on: the windows of [since, until), as far back as the settings say unless said."""

    since: Moment | None = None
    until: Moment | None = None
    recipe: Literal["small", "nightly", "thorough"] | None = None


class JudgeBody(Body):
    """Which windows to judge; all unless said. `budget` is findings a day that people have time to read."""

    since: Moment | None = None
    until: Moment | None = None
    budget: Annotated[float, Field(gt=0, le=100_000)] | None = None


class ReplayBody(Body):
    """History to judge by a model and by another, the one in use unless said; the last seven days unless said."""

    since: Moment | None = None
    until: Moment | None = None
    against: _Number | None = None


class ModelDiffBody(Body):
    """The other model, and how many days back both judge."""

    other: _Number
    days: Days = 7


@router.get("/models", response_model=Page[ModelPayload], responses=problems())
async def list_models(
    request: Request, who: Reader, cluster: OfCluster = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """List models, the newest first."""
    place = place_of(cursor, int)

    def deed(connection: Connection) -> list[ModelPayload]:
        names = cluster_names(connection)
        wanted = [number for number, name in names.items() if who.may_see(name) and cluster in {None, name}]
        if cluster is not None:
            cluster_id(connection, cluster)
        found = models_before(connection, wanted, None if place is None else place[0], limit)
        return [model_payload(one, names[one.cluster_id]) for one in found]

    found = await read(request, deed)
    return page(found, limit, (found[-1]["id"],) if found else None)


@router.get("/models/{model}", response_model=ModelCardPayload, responses=NOT_MODIFIED | problems())
async def show_model(request: Request, who: Reader, model: Id) -> Response:
    """Show a model's card: what it was made from, how well it does, what has drifted, what verdicts did."""
    payload = await read(request, lambda connection: model_card_payload(*seen(connection, who, model)))
    return tagged(request, payload)


@router.post("/models/{model}/promote", response_model=PromotedPayload, responses=problems())
async def promote(request: Request, who: Admin, model: Id) -> Response:
    """Put a model in use; the one before is retired. Running scorers take it up within seconds."""

    def deed(connection: Connection) -> PromotedPayload:
        seen(connection, who, model)
        promote_model(connection, model)
        return promoted_payload(find_model(connection, model))

    return answer(await change(request, deed))


@router.post("/clusters/{cluster}/models/rollback", response_model=PromotedPayload, responses=problems())
async def rollback(request: Request, who: Admin, cluster: ClusterName) -> Response:
    """Put the champion before the present one in use again."""
    return answer(
        await change(
            request,
            lambda connection: promoted_payload(roll_back(connection, cluster_id(connection, cluster))),
        )
    )


@router.post("/clusters/{cluster}/train", status_code=202, response_model=RunPayload, responses=problems(429))
async def train(request: Request, who: Admin, cluster: ClusterName, body: TrainBody) -> Response:
    """Train a model now; it replaces the one in use only when it is judged better or steadier."""
    found = await read(request, lambda connection: chosen_clusters(connection, cluster, clock()))
    until = body.until or clock()

    def deed(work: Work) -> dict[str, object]:
        from training import RECIPES

        since = body.since or until - work.settings.training.lookback
        recipe = None if body.recipe is None else RECIPES[body.recipe]
        return {"trained": train_now(_desk(work), found, since, until, recipe)}

    return await begun(request, who, "train", cluster, deed)


@router.post("/clusters/{cluster}/judge", status_code=202, response_model=RunPayload, responses=problems(429))
async def judge(request: Request, who: Admin, cluster: ClusterName, body: JudgeBody) -> Response:
    """Judge stored windows by the model in use; what deviates becomes findings. Judging again doubles none."""
    found = await read(request, lambda connection: chosen_clusters(connection, cluster, clock()))

    def deed(work: Work) -> dict[str, object]:
        return {"judged": judge_now(_desk(work), found, body.since, body.until, work.now, body.budget)}

    return await begun(request, who, "judge", cluster, deed)


@router.post("/models/{model}/replay", status_code=202, response_model=RunPayload, responses=problems(429))
async def replay(request: Request, who: Reader, model: Id, body: ReplayBody) -> Response:
    """Judge history by this model and by another: findings gained and lost, day by day. Keeps nothing."""
    now = clock()
    until = body.until or now
    since = body.since or until - timedelta(days=7)
    checked_days(since, until)
    cluster = await _cluster_of(request, who, model, body.against)

    def deed(work: Work) -> dict[str, object]:
        return dict(replay_model(_desk(work), model, body.against, since, until))

    return await begun(request, who, "replay-model", cluster, deed)


@router.post("/models/{model}/diff", status_code=202, response_model=RunPayload, responses=problems(429))
async def diff(request: Request, who: Reader, model: Id, body: ModelDiffBody) -> Response:
    """Compare two models: cards, line, drift of features, and what each finds in the last days."""
    now = clock()
    cluster = await _cluster_of(request, who, model, body.other)

    def deed(work: Work) -> dict[str, object]:
        return dict(diff_models(_desk(work), model, body.other, now - timedelta(days=body.days), now))

    return await begun(request, who, "diff-models", cluster, deed)


def seen(connection: Connection, who: Principal, number: int) -> tuple[Kept, str]:
    """This will return a model that somebody may see, and its cluster. Raises NotFound as for one that there is not."""
    kept = find_model(connection, number)
    name = cluster_names(connection)[kept.cluster_id]
    if not who.may_see(name):
        raise NotFound(f"There is no model {number}.", hint="`anomaly models list` shows them.")
    return kept, name


async def _cluster_of(request: Request, who: Principal, model: int, other: int | None) -> str:
    def deed(connection: Connection) -> str:
        if other is not None:
            seen(connection, who, other)
        return seen(connection, who, model)[1]

    return await read(request, deed)


def _desk(work: Work) -> Desk:
    return Desk(work.settings, work.database, work.say)
