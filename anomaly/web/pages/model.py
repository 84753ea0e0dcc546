"""One model: its card beside the one before, what has drifted, what verdicts changed; and another look at history before it is put
in use. The comparison is an errand, and only one that has ended, of this model with the one in use now, opens the way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from anomaly.asked import Desk, diff_models
from anomaly.errors import NotFound, UsageError
from anomaly.jobs.job import Work
from anomaly.payloads.model import facts_payload, model_card_payload, model_payload
from anomaly.payloads.promise import promise_payload
from anomaly.rights import Principal, Right
from anomaly.store.lines import lines_of
from anomaly.store.models import (
    CHAMPION,
    Kept,
    champion_id,
    list_models,
    previous_champion,
    promote_model,
    roll_back,
)
from anomaly.store.promises import list_promises
from anomaly.web.access import need, need_page
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.console.answer import HEADERS, page
from anomaly.web.console.columns import chart_of_promises, chart_of_replay
from anomaly.web.console.errands import begin, ended_well, followed
from anomaly.web.console.language import N_
from anomaly.web.console.view import view_of
from anomaly.web.fields import Id
from anomaly.web.routes.models import seen

router = APIRouter(include_in_schema=False)
KEYS = (("c", N_("Compare with the model in use")), ("i", N_("Back to the models")))

ERRAND: Final = "diff-models"
LONGEST_DAYS: Final = 365
_VANISHED: Final = 12
_NO_DRIFT: Final[dict[str, Any]] = {
    "share": 0.0,
    "shifted": [],
    "new_kinds": [],
    "gone_kinds": [],
    "too_few": [],
}
"""A first model was compared with none."""
_EXAMPLES: Final = 8
_PROMISES: Final = 30

Reader = Annotated[Principal, Depends(need_page(Right.READ))]
Asker = Annotated[Principal, Depends(need(Right.READ))]
Admin = Annotated[Principal, Depends(need(Right.ADMIN))]
RunNumber = Annotated[int | None, Query(ge=1, le=2**31 - 1)]


@router.get("/models/{model}")
def model(request: Request, who: Reader, model: Id, run: RunNumber = None) -> Response:
    """Show one model, and how far its comparison is when one was begun."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        kept, cluster = seen(connection, who, model)
        others = [one for one in list_models(connection, kept.cluster_id, 100) if one.id != kept.id]
        before = _before(kept, others)
        vanished = [UUID(one) for one in (kept.context.get("verdicts") or {}).get("vanished", [])]
        promises = [
            promise_payload(cluster, one)
            for one in list_promises(connection, kept.cluster_id, limit=_PROMISES)
            if one.model_id == kept.id
        ]
        values = {
            "one": model_card_payload(kept, cluster),
            "trained_until": datetime.fromisoformat(kept.context["until"]),
            "before": before.id if before else None,
            "facts": facts_payload(kept, before) if before else [],
            "drift": _NO_DRIFT | kept.card.get("drift", {}),
            "others": [model_payload(one, cluster) for one in others],
            "vanished": lines_of(connection, vanished[:_VANISHED]),
            "vanished_count": len(vanished),
            "promises": promises,
            "chart": chart_of_promises(promises),
            "compared": next(
                (one.id for one in others if one.state == CHAMPION), before.id if before else None
            ),
            **_told(connection, who, kept, run),
        }
    return page("model.html", view, page_keys=KEYS, **values)


@router.post("/models/{model}/comparisons")
def compare(
    request: Request,
    who: Asker,
    model: Id,
    other: Annotated[int, Form(ge=1, le=2**31 - 1)],
    days: Annotated[int, Form(ge=1, le=LONGEST_DAYS)] = 7,
) -> Response:
    """Begin to judge history by this model and by another, and go where it can be followed."""
    now = clock()
    with shared_of(request).database.read() as connection:
        kept, cluster = seen(connection, who, model)
        if seen(connection, who, other)[0].cluster_id != kept.cluster_id or other == model:
            raise NotFound("There is no such other model of this cluster.")

    def deed(work: Work) -> dict[str, object]:
        desk = Desk(work.settings, work.database, work.say)
        return dict(diff_models(desk, model, other, now - timedelta(days=days), now))

    run = begin(request, who, ERRAND, cluster, {"model": model, "other": other, "last_days": days}, deed)
    return _to(f"/models/{model}?run={run.id}#comparison")


@router.get("/models/{model}/comparisons/{run}")
def comparison(request: Request, who: Asker, model: Id, run: Id) -> Response:
    """Show how far a comparison is, and once it has ended what came of it."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        kept, cluster = seen(connection, who, model)
        values = {"one": model_card_payload(kept, cluster), **_told(connection, who, kept, run)}
    return page("model_comparison.html", view, **values)


@router.post("/models/{model}/promote")
def promote(
    request: Request,
    who: Admin,
    model: Id,
    run: Annotated[int | None, Form(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Put a model in use, or go back to it when it was in use before the present one. Raises UsageError without a comparison."""
    with shared_of(request).database.begin() as session:
        kept, _ = seen(session, who, model)
        told = _told(session, who, kept, run)
        if not told["open"]:
            raise UsageError(
                "Nothing shows what this model would change.",
                hint="Compare it with the model in use; once that has ended, it can be put in use.",
            )
        if told["back"]:
            roll_back(session, kept.cluster_id)
        else:
            promote_model(session, model)
    return _to(f"/models/{model}")


def _told(connection: Connection, who: Principal, kept: Kept, number: int | None) -> dict[str, Any]:
    """The comparison asked for, and whether it opens the way: it has ended, and was with the model in use."""
    run = None if number is None else followed(connection, who, number, ERRAND, {"model": kept.id})
    reigning = champion_id(connection, kept.cluster_id)
    try:
        back = previous_champion(connection, kept.cluster_id).id == kept.id
    except NotFound:
        back = False
    shown = run is not None and ended_well(run)
    days = run.detail.get("days", []) if run and shown else []
    return {
        "run": run,
        "shown": shown,
        "reigning": reigning,
        "back": back and reigning is not None,
        # Where none is in use there is nothing to compare with.
        "open": kept.id != reigning
        and (reigning is None or (shown and run is not None and run.detail.get("other") == reigning)),
        "chart_of_days": chart_of_replay(days),
        "gained": _first(days, "gained"),
        "lost": _first(days, "lost"),
        "sums": {name: sum(len(day[name]) for day in days) for name in ("gained", "lost")},
        "most": _EXAMPLES,
    }


def _first(days: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The gravest first; times came as text."""
    found = sorted((one for day in days for one in day[name]), key=lambda one: one["p_value"])
    return [one | {"start": datetime.fromisoformat(one["start"])} for one in found[:_EXAMPLES]]


def _before(kept: Kept, others: list[Kept]) -> Kept | None:
    """The model in use before this one was made; without one the one trained before."""
    older = [one for one in others if one.id < kept.id]
    used = [one for one in older if one.promoted_at is not None and one.promoted_at <= kept.created_at]
    return max(used, key=lambda one: one.promoted_at or one.created_at, default=older[0] if older else None)


def _to(path: str) -> Response:
    return RedirectResponse(path, 303, {"Cache-Control": HEADERS["Cache-Control"]})
