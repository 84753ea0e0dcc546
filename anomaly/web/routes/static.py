"""The console's styles and scripts. Open: they are the same for everybody and say nothing of what is kept."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from anomaly.errors import NotFound
from anomaly.web.console.files import FOR_EVER, files, version

router = APIRouter(include_in_schema=False)

_FOR_NOW: Final = "no-cache"


@router.get("/static/{tree}/{name:path}")
async def static(request: Request, tree: str, name: str) -> Response:
    """Answer one file. By the hash of the present files it may be kept for ever; by another (of a replica that is a release
    older) it is answered too, but not kept."""
    file = files().get(name)
    if file is None:
        raise NotFound("There is no such file.")
    headers = {
        "Cache-Control": FOR_EVER if tree == version() else _FOR_NOW,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if file.packed and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            file.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=file.media_type
        )
    return Response(file.plain, headers=headers, media_type=file.media_type)
