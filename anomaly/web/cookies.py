"""The cookies of people's browsers: how they are named, guarded and read."""

from __future__ import annotations

from typing import Final

from fastapi import Request, Response

SECURE_NAME: Final = "__Host-anomaly"
"""Browsers take a cookie of this prefix only over TLS, for this very host and every path: no neighbour can plant one."""
PLAIN_NAME: Final = "anomaly"
_LONGEST: Final = 4000


def is_secure(request: Request) -> bool:
    """This will say whether browsers reach the service by TLS: its own, or that of a proxy before `serve.public_url`."""
    public = request.app.state.shared.settings.serve.public_url or ""
    return request.url.scheme == "https" or public.startswith("https:")


def session_secret(request: Request) -> str | None:
    """This will return the secret of the session that the browser sends, if it can be one."""
    return cookie(request, "")


def cookie(request: Request, purpose: str) -> str | None:
    """This will return the cookie of a purpose ("" is the session), None if there is none or it is too long to be ours."""
    value = request.cookies.get(_name(request, purpose), "")
    return value if 0 < len(value) <= _LONGEST else None


def set_cookie(
    request: Request, response: Response, value: str, purpose: str = "", seconds: int | None = None
) -> None:
    """This will have the browser keep a cookie: not for scripts, not for requests that other sites make but links."""
    response.set_cookie(
        _name(request, purpose),
        value,
        max_age=seconds,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: Request, response: Response, purpose: str = "") -> None:
    """This will have the browser forget a cookie."""
    response.delete_cookie(
        _name(request, purpose), path="/", secure=is_secure(request), httponly=True, samesite="lax"
    )


def _name(request: Request, purpose: str) -> str:
    name = SECURE_NAME if is_secure(request) else PLAIN_NAME
    return f"{name}-{purpose}" if purpose else name
