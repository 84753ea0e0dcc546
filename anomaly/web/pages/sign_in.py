"""Signing in and out, and the page on which whoever was invited chooses a password."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final, TypeVar
from urllib.parse import urlencode, urlsplit

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from anomaly.accounts import Caller, WrongPassword, choose_password, sign_in
from anomaly.errors import UsageError
from anomaly.rights import Principal
from anomaly.store.database import Database
from anomaly.store.invites import invite_of
from anomaly.store.people import has_admin
from anomaly.store.sessions import Lifetime, csrf_of, end_session, end_sessions, person_of_session
from anomaly.store.tries import TooManyTries
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.console.answer import bare_page
from anomaly.web.console.language import N_
from anomaly.web.cookies import cookie, drop_cookie, session_secret, set_cookie
from anomaly.web.csrf import ForeignPage, check_unsafe
from anomaly.web.problem import ComeBack

router = APIRouter(include_in_schema=False)

FORM: Final = "form"
"""The cookie that a form without a session comes with; the form carries the token made of it."""
_HASHES: Final = CapacityLimiter(2)
"""Passwords hashed at once: each takes 64 MiB and most of a core for a tenth of a second."""
_MOST_WAITING: Final = 20
_STALE: Final = N_("The page was open for too long, or opened elsewhere; try again.")
_WRONG: Final = N_("The name or the password is wrong.")

T = TypeVar("T")
Text = Annotated[str, Form(max_length=1000)]


@router.get("/login")
def login(request: Request, next: str = "/") -> Response:
    """Show the form for name and password."""
    shared = shared_of(request)
    with shared.database.read() as connection:
        nobody = not shared.settings.oidc.issuer and not has_admin(connection)
    return _login(request, safe_next(next), nobody=nobody)


@router.post("/login")
async def log_in(
    request: Request, name: Text = "", password: Text = "", next: Text = "/", csrf: Text = ""
) -> Response:
    """Begin a session, and go where whoever signs in wanted to go."""
    wanted = safe_next(next)
    try:
        await check_unsafe(request, cookie(request, FORM) or secrets.token_hex())
    except ForeignPage:
        return _login(request, wanted, name, _STALE, 403)
    shared = shared_of(request)
    caller = Caller(address_of(request), request.headers.get("user-agent", ""))
    before = session_secret(request)
    try:
        secret = await hashing(
            partial(_begin, shared.database, name, password, caller, shared.doorkeeper.lifetime, before)
        )
    except WrongPassword:
        return _login(request, wanted, name, _WRONG, 401)
    except TooManyTries as much:
        answer = _login(request, wanted, name, str(much), 429)
        answer.headers["Retry-After"] = str(much.seconds)
        return answer
    request.scope["anomaly.principal"] = await to_thread.run_sync(
        _whose, shared.database, secret, shared.doorkeeper.lifetime
    )
    return begun(request, secret, wanted)


@router.post("/logout")
async def log_out(request: Request, everywhere: Text = "", csrf: Text = "") -> Response:
    """End the session, or with `everywhere` all sessions of the person, and go to the login."""
    secret = session_secret(request)
    answer = RedirectResponse("/login", 303)
    if secret:
        await check_unsafe(request, secret)
        await to_thread.run_sync(_end, request, secret, bool(everywhere))
        drop_cookie(request, answer)
    return answer


@router.get("/invite/{code}")
def invited(request: Request, code: str) -> Response:
    """Show the form for a first, or a new, password."""
    with shared_of(request).database.read() as connection:
        found = invite_of(connection, code, clock())
    return _invite(request, found.name)


@router.post("/invite/{code}")
async def choose(
    request: Request, code: str, password: Text = "", again: Text = "", csrf: Text = ""
) -> Response:
    """Set the password, and sign in with it: whoever just typed it twice need not type it a third time."""
    shared = shared_of(request)
    database = shared.database

    def name() -> str:
        with database.read() as connection:
            return invite_of(connection, code, clock()).name

    whose = await to_thread.run_sync(name)
    try:
        await check_unsafe(request, cookie(request, FORM) or secrets.token_hex())
    except ForeignPage:
        return _invite(request, whose, _STALE, 403)
    if password != again:
        return _invite(request, whose, N_("The two passwords are not the same."), 422)
    try:
        await hashing(partial(choose_password, database, code, password, clock()))
    except UsageError as unusable:
        return _invite(request, whose, f"{unusable} {unusable.hint or ''}", 422)
    caller = Caller(address_of(request), request.headers.get("user-agent", ""))
    lifetime, before = shared.doorkeeper.lifetime, session_secret(request)
    secret = await hashing(partial(_begin, database, whose, password, caller, lifetime, before))
    request.scope["anomaly.principal"] = await to_thread.run_sync(_whose, database, secret, lifetime)
    return begun(request, secret, "/")


def begun(request: Request, secret: str, wanted: str) -> Response:
    """This will answer whoever signed in: their cookie, and the way on."""
    answer = RedirectResponse(wanted, 303)
    set_cookie(request, answer, secret)
    drop_cookie(request, answer, FORM)
    return answer


def safe_next(wanted: str) -> str:
    """This will return a path of this service to go on to; "/" for anything that could lead elsewhere."""
    if not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or not wanted.isprintable():
        return "/"
    parts = urlsplit(wanted)
    return "/" if parts.scheme or parts.netloc or "\\" in wanted or len(wanted) > 2000 else wanted


def address_of(request: Request) -> str:
    """This will return the address that a request comes from: the connection's, since headers are anybody's to set."""
    return request.client.host if request.client else ""


async def hashing(deed: Callable[[], T]) -> T:
    """This will do something that hashes a password, two at once at most. Raises ComeBack when many wait already."""
    if _HASHES.statistics().tasks_waiting >= _MOST_WAITING:
        raise ComeBack("Too many people sign in at this moment.")
    return await to_thread.run_sync(deed, limiter=_HASHES)


def _begin(
    database: Database, name: str, password: str, caller: Caller, lifetime: Lifetime, before: str | None
) -> str:
    now = clock()
    secret = sign_in(database, name, password, caller, lifetime, now)
    if before:
        with database.begin() as connection:
            end_session(connection, before, now)
    return secret


def _whose(database: Database, secret: str, lifetime: Lifetime) -> Principal | None:
    with database.begin() as connection:
        return person_of_session(connection, secret, clock(), lifetime.idle)


def _end(request: Request, secret: str, everywhere: bool) -> None:
    shared, now = shared_of(request), clock()
    with shared.database.begin() as connection:
        who = person_of_session(connection, secret, now, shared.doorkeeper.lifetime.idle)
        end_session(connection, secret, now)
        if who is not None:
            request.scope["anomaly.principal"] = who
            if everywhere:
                end_sessions(connection, who.id, now)


def _login(
    request: Request, wanted: str, name: str = "", problem: str = "", status: int = 200, nobody: bool = False
) -> Response:
    oidc = shared_of(request).settings.oidc
    providers = [(f"/oidc/start?{urlencode({'next': wanted})}", oidc.title)] if oidc.issuer else []
    return _form(
        request,
        "login.html",
        status,
        next=wanted,
        name=name,
        problem=problem,
        providers=providers,
        passwords=True,
        nobody=nobody,
    )


def _invite(request: Request, name: str, problem: str = "", status: int = 200) -> Response:
    return _form(request, "invite.html", status, name=name, problem=problem)


def _form(request: Request, template: str, status: int, **values: object) -> Response:
    secret = cookie(request, FORM) or secrets.token_urlsafe(32)
    answer = bare_page(request, template, status, csrf=csrf_of(secret), **values)
    set_cookie(request, answer, secret, FORM)
    return answer
