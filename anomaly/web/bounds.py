"""How long a body of a question may be, and how long it may take to come. Batches of events have bounds of their own."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anomaly.web.problem import problem

LONGEST: Final = 8 << 20
"""Bytes: a thousand events of usual size, or a policy many times over."""
SECONDS: Final = 30.0
_APART: Final = "/audit"
"""Where batches are taken in: `anomaly.web.body` reads these."""


class Bounds:
    """An ASGI layer that ends requests whose body is too long or too slow, before more of it is held."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """This will pass the request on, counting its body."""
        if scope["type"] != "http" or scope["path"].endswith(_APART):
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > LONGEST:
            await _too_long()(scope, receive, send)
            return
        size = 0
        deadline = asyncio.get_running_loop().time() + SECONDS
        whole = False

        async def counted() -> Message:
            nonlocal size, whole
            if whole:
                # What comes now is that the sender goes away; there is no hurry to hear of it.
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as late:
                raise HTTPException(408, "The body did not arrive in time") from late
            size += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if size > LONGEST:
                raise HTTPException(413, f"A body has at most {LONGEST >> 20} MiB here")
            return message

        await self._app(scope, counted, send)


def _too_long() -> ASGIApp:
    return problem(413, "The body is too long", f"A body has at most {LONGEST >> 20} MiB here.")
