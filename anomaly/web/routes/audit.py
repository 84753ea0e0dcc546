"""Where kube-apiserver's audit webhook posts its batches, and clouds and log shippers what they have of it.

The cluster is in the path: a query string in the webhook's `server:` is dropped by kube-apiserver, which appends its own
`?timeout=30s`.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from anomaly.errors import DatabaseUnavailable
from anomaly.payloads.receipt import ReceiptPayload
from anomaly.rights import Principal, Right
from anomaly.store.writer import Receipt
from anomaly.web.access import need
from anomaly.web.app import shared_of
from anomaly.web.body import Share, declared_length, read_body
from anomaly.web.clock import clock
from anomaly.web.problem import ComeBack
from anomaly.web.sender import answer_of, handshake

router = APIRouter()

BATCH: Final = {
    "requestBody": {
        "description": "An EventList of audit.k8s.io/v1, as kube-apiserver's webhook sends it, or what wraps its events:"
        " JSON lines and arrays of log shippers, Firehose, Pub/Sub, Event Hubs and Event Grid; gzip and zstd too.",
        "content": {"application/json": {"schema": {}}, "application/x-ndjson": {"schema": {}}},
    }
}
COMMIT_SECONDS: Final = 20.0
"""Longest wait for the commit; kube-apiserver gives up after 30 s, and a 503 in time makes it patient."""


@router.post(
    "/v1/clusters/{cluster}/audit", tags=["intake"], response_model=ReceiptPayload, openapi_extra=BATCH
)
async def take_in(
    request: Request, cluster: str, _sender: Annotated[Principal, Depends(need(Right.INGEST))]
) -> Response:
    """Keep a batch of audit events. Answers 200 with counts once every event is durable.

    Whatever the body holds, the answer is 200: events that cannot be decoded are kept in quarantine and counted. 503 with
    Retry-After means that nothing was kept and the batch should come again.

    Who cannot send a bearer token shows it as the password of basic authentication, as `X-Amz-Firehose-Access-Key`, or, if it
    can do no more than send events, as `?token=`. Firehose and Event Grid are answered in their own forms.
    """
    shared = shared_of(request)
    request.scope["anomaly.cluster"] = cluster
    number = await shared.doorkeeper.cluster_id(cluster)
    share = Share(shared.pending)
    try:
        return await _taken(request, number, share)
    except (ComeBack, DatabaseUnavailable):
        shared.meter.refused(cluster)
        shared.refusals.count(number, share.most or declared_length(request))
        raise


async def _taken(request: Request, cluster_id: int, share: Share) -> Response:
    shared = shared_of(request)
    serve = shared.settings.serve
    try:
        body = await read_body(request, share, serve.max_body, serve.body_timeout)
        if agreed := handshake(request, body.held):
            share.give_back()
            return Response(agreed, media_type="application/json")
        since = time.perf_counter()
        answer = shared.commit.submit(cluster_id, body)
    except BaseException:
        share.give_back()
        raise
    # Not when the sender is answered but when the bytes are let go: they may be in a writer's hands still.
    answer.add_done_callback(partial(_let_go, share))
    done, _ = await asyncio.wait([answer], timeout=COMMIT_SECONDS)
    if not done:
        raise ComeBack("Storing took too long.")
    receipt = answer.result()
    shared.meter.taken(request.scope["anomaly.cluster"], body.size, receipt, time.perf_counter() - since)
    said = answer_of(request, clock()) or msgspec.json.encode(receipt)
    return Response(said, media_type="application/json")


def _let_go(share: Share, answer: asyncio.Future[Receipt]) -> None:
    share.give_back()
    if not answer.cancelled():
        # Asked for, or a refusal after the sender was answered would be logged as forgotten.
        answer.exception()
