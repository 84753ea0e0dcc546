"""Where kube-apiserver's audit webhook posts its batches. The cluster is in the path: a query string in the webhook's
`server:` is dropped by kube-apiserver, which appends its own `?timeout=30s`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from anomaly.store.tokens import Holder, Scope
from anomaly.store.writer import Receipt
from anomaly.web.app import shared_of
from anomaly.web.body import Share, read_body
from anomaly.web.problem import ComeBack

router = APIRouter()

COMMIT_SECONDS: Final = 20.0
"""Longest wait for the commit; kube-apiserver gives up after 30 s, and a 503 in time makes it patient."""


async def sender(request: Request, cluster: str) -> Holder:
    """This will return who sends, once the token is found to be for the cluster in the path."""
    admit = shared_of(request).doorkeeper.admit
    holder = await admit(request.headers.get("authorization"), cluster, Scope.INGEST)
    request.scope["anomaly.cluster"] = holder.cluster
    return holder


@router.post("/v1/clusters/{cluster}/audit")
async def take_in(request: Request, holder: Annotated[Holder, Depends(sender)]) -> Response:
    """Keep a batch of audit events. Answers 200 with counts once every event is durable.

    Whatever the body holds, the answer is 200: events that cannot be decoded are kept in quarantine and counted. 503 with
    Retry-After means that nothing was kept and the batch should come again.
    """
    shared = shared_of(request)
    serve = shared.settings.serve
    share = Share(shared.pending)
    try:
        body = await read_body(request, share, serve.max_body, serve.body_timeout)
        answer = shared.commit.submit(holder.cluster_id, body)
    except BaseException:
        share.give_back()
        raise
    # Not when the sender is answered but when the bytes are let go: they may be in a writer's hands still.
    answer.add_done_callback(partial(_let_go, share))
    done, _ = await asyncio.wait([answer], timeout=COMMIT_SECONDS)
    if not done:
        raise ComeBack("Storing took too long.")
    return Response(msgspec.json.encode(answer.result()), media_type="application/json")


def _let_go(share: Share, answer: asyncio.Future[Receipt]) -> None:
    share.give_back()
    if not answer.cancelled():
        # Asked for, or a refusal after the sender was answered would be logged as forgotten.
        answer.exception()
