"""Scoring on demand: a window told as counts, a batch of events, or what an entity does right now. Nothing is kept unless asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, StrictBool, field_validator
from typing_extensions import TypedDict

from anomaly.appraising import Appraisal
from anomaly.errors import Refused
from anomaly.events.decode import decode_lines
from anomaly.events.key import microseconds
from anomaly.payloads.judging import JudgementPayload, judgement_payload
from anomaly.payloads.receipt import ReceiptPayload
from anomaly.rights import Principal, Right
from anomaly.sources.webhook import Body as Taken
from anomaly.web.access import need
from anomaly.web.answer import answer
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.desk import desk_of
from anomaly.web.fields import Body, ClusterName, Moment, Text, Words
from anomaly.web.openapi import problems
from anomaly.windows.dimension import Dimension
from anomaly.windows.told import Told, told_by

router = APIRouter(prefix="/v1/clusters/{cluster}/score", tags=["score"])

MOST_TERMS: Final = 5_000
MOST_EVENTS: Final = 1_000
_COUNT: Final = Field(ge=1, le=10**12)
DimensionWord = Literal[
    "requests", "verb", "resource", "namespace", "code", "action", "denied", "failed", "target", "address", "agent",
    "credential", "impersonated", "name", "secret", "deleted", "risk", "image", "registry", "grant", "checked", "minute",
    "opened", "exec", "bytes", "group", "claimed", "issued",
]  # fmt: skip


class Window(Body):
    """What one user did in one window, counted: for each dimension how often each value came, as windows are listed elsewhere."""

    entity: Words
    start: Moment | None = None
    counts: Annotated[
        dict[DimensionWord, dict[Text, Annotated[int, _COUNT]]], Field(min_length=1, max_length=28)
    ]

    @field_validator("counts")
    @classmethod
    def _not_too_many(cls, counts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        if sum(map(len, counts.values())) > MOST_TERMS:
            raise ValueError(f"a window has at most {MOST_TERMS:,} different values")
        return counts

    def told(self, now_us: int, span_us: int) -> Told:
        """This will return the window as it is judged: that of now unless its start is said."""
        at = now_us if self.start is None else microseconds(self.start)
        counts = {
            (Dimension[dimension.upper()], text): count
            for dimension, found in self.counts.items()
            for text, count in found.items()
        }
        if "requests" not in self.counts and "verb" in self.counts:
            counts[Dimension.REQUESTS, ""] = sum(self.counts["verb"].values())
        return Told(self.entity, at - at % span_us, counts)


class WindowBody(Body):
    """A window told as counts."""

    window: Window


class EventsBody(Body):
    """Audit events as kube-apiserver writes them; with `keep` they are also taken in as if they had been sent, which needs the
    right to ingest."""

    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_EVENTS)]
    keep: StrictBool = False


class EntityBody(Body):
    """What an entity has done so far in the window that is open now."""

    entity: Words


class ScorePayload(TypedDict):
    """Judged windows, in the order of entities and time; `rejected` says of events that could not be read why."""

    windows: list[JudgementPayload]
    rejected: list[str]
    kept: ReceiptPayload | None


@router.post("", response_model=ScorePayload, responses=problems(409))
async def score(
    request: Request,
    who: Annotated[Principal, Depends(need(Right.SCORE))],
    cluster: ClusterName,
    body: WindowBody | EventsBody | EntityBody,
) -> Response:
    """Judge a window, a batch of events, or what an entity does now, each with its explanation. 409 while there is no model."""
    desk, shared = desk_of(request), shared_of(request)
    number = await shared.doorkeeper.cluster_id(cluster)
    now = clock()
    told = (
        body.window.told(microseconds(now), desk.appraiser.span_us) if isinstance(body, WindowBody) else None
    )
    # To hand a window to a thread and back takes longer than to judge it.
    if told is not None and (at_once := desk.appraiser.told_at_once(number, told)) is not None:
        if desk.appraiser.due(number):
            desk.renew(number)
        return _answer(cluster, [at_once])
    rejected: list[str] = []

    def deed() -> list[Appraisal]:
        appraiser = desk.appraiser
        if isinstance(body, EntityBody):
            return appraiser.now(number, body.entity, now)
        if told is not None:
            return appraiser.told(number, [told])
        assert isinstance(body, EventsBody)
        decoded = decode_lines(b"\n".join(map(msgspec.json.encode, body.events)))
        rejected.extend(one.reason for one in decoded.rejects)
        return appraiser.told(number, told_by(decoded, appraiser.span_us))

    if isinstance(body, EventsBody) and body.keep and not who.may(Right.INGEST):
        raise Refused(
            "To keep events needs the right to ingest.", hint="Leave out `keep`, or use another token."
        )
    found = await to_thread.run_sync(deed, limiter=desk.scorers)
    kept = None
    if isinstance(body, EventsBody) and body.keep:
        raw = msgspec.json.encode(
            {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": body.events}
        )
        kept = await shared.commit.submit(number, Taken(raw, len(raw), ""))
    return _answer(cluster, found, rejected, kept)


def _answer(
    cluster: str, found: Sequence[Appraisal], rejected: Sequence[str] = (), kept: object = None
) -> Response:
    windows = [judgement_payload(cluster, one) for one in found]
    return answer({"windows": windows, "rejected": rejected, "kept": kept})
