"""Every refusal of the HTTP API as one kind of answer: `application/problem+json`, RFC 9457.

The only place that knows which error has which status. What went wrong inside is logged, never sent.
"""

from __future__ import annotations

import logging
import secrets
from typing import Final

import msgspec
import psycopg
import sqlalchemy
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from anomaly.errors import (
    AnomalyError,
    DatabaseUnavailable,
    MoveNotAllowed,
    NoModel,
    NotFound,
    Refused,
    SchemaOutdated,
    UsageError,
)

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
GONE: Final = 499
"""What is logged when the sender went away in the middle of its body."""
RETRY_AFTER: Final = (5, 15)
"""Seconds. A kube-apiserver told to wait this long keeps a batch for about 4 minutes, instead of 91 s (measured)."""


class NotAuthenticated(Refused):
    """A valid bearer token is needed; `anomaly cluster token NAME` makes one."""


class BodyTooSlow(AnomalyError):
    """The body did not arrive in time."""


class ComeBack(AnomalyError):
    """The service cannot take this now; send it again later."""


_STATUS: Final[dict[type[Exception], tuple[int, str]]] = {
    NotAuthenticated: (401, "A valid token is needed"),
    Refused: (403, "The token does not allow this"),
    NotFound: (404, "There is no such thing"),
    BodyTooSlow: (408, "The body did not arrive in time"),
    MoveNotAllowed: (409, "Not in this state"),
    NoModel: (409, "No model yet"),
    UsageError: (422, "The request cannot be understood"),
    ComeBack: (503, "Too busy"),
    DatabaseUnavailable: (503, "The database does not answer"),
    SchemaOutdated: (503, "The database is of another release"),
    psycopg.OperationalError: (503, "The database does not answer"),
    sqlalchemy.exc.OperationalError: (503, "The database does not answer"),
    sqlalchemy.exc.TimeoutError: (503, "The database is too busy"),
}


def problem(
    status: int,
    title: str,
    detail: str = "",
    *,
    hint: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """This will make an answer of one problem; a 503 says when to come back, a 401 what is asked for."""
    content: dict[str, object] = {"type": "about:blank", "title": title, "status": status}
    if detail:
        content["detail"] = detail
    if hint:
        content["hint"] = hint
    added = dict(headers or {})
    if status == 503:
        low, high = RETRY_AFTER
        # Spread, so that senders who were refused together do not come back together.
        added["Retry-After"] = str(low + secrets.randbelow(high - low + 1))
    if status == 401:
        added["WWW-Authenticate"] = 'Bearer realm="anomaly"'
    return Response(msgspec.json.encode(content), status, added, MEDIA_TYPE)


def of_error(error: Exception) -> Response:
    """This will make the answer for an error: ours with its words, a database that is away as 503, others as a bare 500."""
    for kind in type(error).__mro__:
        if kind in _STATUS:
            status, title = _STATUS[kind]
            ours = isinstance(error, AnomalyError)
            # What drivers say names hosts and users; ours is written for people, except that of the database's address.
            detail = str(error) if ours and status != 503 else ""
            headers = {"Connection": "close"} if status == 408 else None
            return problem(
                status,
                title,
                detail,
                hint=error.hint if isinstance(error, AnomalyError) else None,
                headers=headers,
            )
    if isinstance(error, AnomalyError):
        return problem(400, "The request failed", str(error), hint=error.hint)
    return problem(500, "Something went wrong inside", "It is in the log of the service.")


def install(app: FastAPI) -> None:
    """This will make every failure of the app an answer of this kind."""

    async def ours(_: Request, error: Exception) -> Response:
        if isinstance(error, (DatabaseUnavailable, psycopg.Error, sqlalchemy.exc.SQLAlchemyError)):
            log.warning("the database does not answer", extra={"reason": str(error).split("\n")[0][:300]})
        return of_error(error)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        places = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return problem(422, "The request cannot be understood", places[:1000])

    async def unexpected(_: Request, error: Exception) -> Response:
        return of_error(error)

    async def gone(_: Request, error: Exception) -> Response:
        # Nobody is there to read it; the status is for the line in the log. The number is the one nginx writes.
        return Response(status_code=GONE)

    app.add_exception_handler(ClientDisconnect, gone)
    for kind in (
        AnomalyError,
        psycopg.OperationalError,
        sqlalchemy.exc.OperationalError,
        sqlalchemy.exc.TimeoutError,
    ):
        app.add_exception_handler(kind, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unexpected)
