"""Every refusal of the HTTP API as one kind of answer: `application/problem+json`, RFC 9457.

The only place that knows which error has which status. What went wrong inside is logged, never sent.
"""

from __future__ import annotations

import logging
import secrets
from typing import Final
from urllib.parse import urlencode

import msgspec
import psycopg
import sqlalchemy
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse

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
from anomaly.findings.triage import Changed
from anomaly.jobs.errand import TooMany
from anomaly.store.clusters import ClusterExists
from anomaly.store.tries import TooManyTries
from anomaly.web.clock import clock
from anomaly.web.console.language import N_
from anomaly.web.console.problems import shown
from anomaly.web.sender import as_wanted

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
GONE: Final = 499
"""What is logged when the sender went away in the middle of its body."""
RETRY_AFTER: Final = (5, 15)
"""Seconds. A kube-apiserver told to wait this long keeps a batch for about 4 minutes, instead of 91 s (measured)."""


class NotAuthenticated(Refused):
    """A valid bearer token or session is needed; `anomaly token create` makes a token."""


class SignInNeeded(NotAuthenticated):
    """A page was asked for by somebody who is not signed in, or no longer."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request


class IssuerUnavailable(AnomalyError):
    """The identity provider does not answer as it should; signing in by it is not possible now."""


class SignInRefused(AnomalyError):
    """This signing in cannot be completed; begin again."""


class BodyTooSlow(AnomalyError):
    """The body did not arrive in time."""


class ComeBack(AnomalyError):
    """The service cannot take this now; send it again later."""


_STATUS: Final[dict[type[Exception], tuple[int, str]]] = {
    NotAuthenticated: (401, N_("A valid token or session is needed")),
    Refused: (403, N_("This is not allowed")),
    NotFound: (404, N_("There is no such thing")),
    BodyTooSlow: (408, N_("The body did not arrive in time")),
    Changed: (412, N_("Somebody was faster")),
    MoveNotAllowed: (409, N_("Not in this state")),
    ClusterExists: (409, N_("It is there already")),
    TooMany: (429, N_("Too busy")),
    NoModel: (409, N_("No model yet")),
    UsageError: (422, N_("The request cannot be understood")),
    ComeBack: (503, N_("Too busy")),
    DatabaseUnavailable: (503, N_("The database does not answer")),
    SignInRefused: (400, N_("Signing in was not completed")),
    IssuerUnavailable: (502, N_("The identity provider does not answer")),
    TooManyTries: (429, N_("Too many tries")),
    SchemaOutdated: (503, N_("The database is of another release")),
    psycopg.OperationalError: (503, N_("The database does not answer")),
    sqlalchemy.exc.OperationalError: (503, N_("The database does not answer")),
    sqlalchemy.exc.TimeoutError: (503, N_("The database is too busy")),
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
    if status in {429, 503}:
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
            if isinstance(error, TooManyTries):
                headers = {"Retry-After": str(error.seconds)}
            return problem(
                status,
                title,
                detail,
                hint=error.hint if isinstance(error, AnomalyError) else None,
                headers=headers,
            )
    if isinstance(error, AnomalyError):
        return problem(400, N_("The request failed"), str(error), hint=error.hint)
    return problem(500, N_("Something went wrong inside"), "It is in the log of the service.")


def _leads_nowhere(error: RequestValidationError) -> bool:
    return all(one["loc"][:1] == ("path",) for one in error.errors())


def install(app: FastAPI) -> None:
    """This will make every failure of the app an answer of this kind."""

    # The document knows which problems there are, and this what a path takes.
    from anomaly.web.openapi import methods_of

    async def ours(request: Request, error: Exception) -> Response:
        if isinstance(error, (DatabaseUnavailable, psycopg.Error, sqlalchemy.exc.SQLAlchemyError)):
            log.warning("the database does not answer", extra={"reason": str(error).split("\n")[0][:300]})
        return as_wanted(request, shown(request, of_error(error)), clock())

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = {name.title(): value for name, value in (error.headers or {}).items()}
        if error.status_code == 405 and (methods := methods_of(app, request.url.path)):
            # The framework names the methods of the first route of this path alone.
            headers["Allow"] = ", ".join(methods)
        return as_wanted(
            request, shown(request, problem(error.status_code, str(error.detail), headers=headers)), clock()
        )

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        if request.method == "GET" and not request.url.path.startswith("/v1/") and _leads_nowhere(error):
            # A link that lost its end: people need not hear of UUIDs.
            return shown(request, of_error(NotFound("This address leads to nothing.")))
        places = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return shown(request, problem(422, N_("The request cannot be understood"), places[:1000]))

    async def unexpected(request: Request, error: Exception) -> Response:
        return as_wanted(request, shown(request, of_error(error)), clock())

    async def gone(_: Request, error: Exception) -> Response:
        # Nobody is there to read it; the status is for the line in the log. The number is the one nginx writes.
        return Response(status_code=GONE)

    async def sign_in(request: Request, _: Exception) -> Response:
        # What was posted is lost with the session; the page it was posted from is not asked for again by itself.
        wanted = request.url.path if request.method == "GET" else "/"
        query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
        place = "/login?" + urlencode({"next": wanted + query})
        if request.headers.get("hx-request"):
            # A redirect would be followed by the script, and the login put into the middle of the page.
            return Response(status_code=401, headers={"HX-Redirect": place})
        return RedirectResponse(place, 303)

    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(SignInNeeded, sign_in)
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
