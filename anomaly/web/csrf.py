"""What keeps other pages from acting in a person's name: where a request comes from, and a token that only our pages know.

Both are asked for. The browser says by Sec-Fetch-Site and Origin which page made a request; where neither is sent (old
browsers, programs with a cookie) the token decides alone. SameSite=Lax on the cookie is the third line.
"""

from __future__ import annotations

import hmac
from typing import Final

from fastapi import Request
from starlette.datastructures import UploadFile

from anomaly.errors import Refused
from anomaly.store.sessions import csrf_of
from anomaly.web.cookies import session_secret

HEADER: Final = "x-csrf-token"
FIELD: Final = "csrf"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OURS: Final = frozenset({"same-origin", "none"})
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class ForeignPage(Refused):
    """The request was not made by a page of this service; load the page again and try once more."""


async def check_unsafe(request: Request, secret: str) -> None:
    """This will pass whatever changes nothing, and the rest only if one of our own pages made it. Raises ForeignPage.

    `secret` is that of the session, or of the cookie that a form without a session came with.
    """
    if request.method in SAFE:
        return
    check_origin(request)
    shown = request.headers.get(HEADER) or await _field(request)
    if not hmac.compare_digest(shown.encode(), csrf_of(secret).encode()):
        raise ForeignPage


def check_origin(request: Request) -> None:
    """This will pass a request that the browser does not say to come from elsewhere. Raises ForeignPage."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in _OURS:
        raise ForeignPage
    origin = request.headers.get("origin")
    if origin is not None and origin.lower() != own_address(request).lower():
        raise ForeignPage


def csrf_token(request: Request) -> str:
    """This will return what a page puts into its forms and scripts; empty without a session."""
    secret = session_secret(request)
    return csrf_of(secret) if secret else ""


def own_address(request: Request) -> str:
    """This will return the address at which people reach the service: the setting, else the one they used now."""
    public = request.app.state.shared.settings.serve.public_url
    return str(public) if public else f"{request.url.scheme}://{request.headers.get('host', '')}"


async def _field(request: Request) -> str:
    if not request.headers.get("content-type", "").lower().startswith(_FORMS):
        return ""
    found = (await request.form()).get(FIELD, "")
    return "" if isinstance(found, UploadFile) else str(found)
