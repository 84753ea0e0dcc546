"""One's own account: what one may do, the password, and where one is signed in."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

from anyio import to_thread
from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.responses import RedirectResponse

from anomaly.accounts import WrongPassword, change_password
from anomaly.errors import NotFound, Refused, UsageError
from anomaly.rights import Principal, Right
from anomaly.store.people import one_person
from anomaly.store.sessions import end_one_session, end_sessions, list_sessions, number_of_session
from anomaly.store.tries import TooManyTries
from anomaly.web.access import need, need_page
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.console.answer import page
from anomaly.web.console.language import N_
from anomaly.web.console.view import view_of
from anomaly.web.cookies import session_secret
from anomaly.web.fields import Id
from anomaly.web.pages.sign_in import address_of, hashing

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(need_page(Right.READ))]
Owner = Annotated[Principal, Depends(need(Right.READ))]
Text = Annotated[str, Form(max_length=1000)]

DONE: Final = {
    "password": N_("The password is changed. Elsewhere you are signed out."),
    "session": N_("That session has ended."),
    "sessions": N_("Everywhere else you are signed out."),
}
_WRONG: Final = N_("The password that is in use is not this one.")
_UNLIKE: Final = N_("The two passwords are not the same.")


@router.get("/account")
def account(request: Request, who: Reader, done: str = "") -> Response:
    """Show the account of whoever is signed in."""
    return _account(request, who, done=DONE.get(done, ""))


@router.post("/account/password")
async def password(
    request: Request, who: Owner, old: Text = "", new: Text = "", again: Text = ""
) -> Response:
    """Change the own password; sessions elsewhere end."""
    _check_person(who)

    def wrong(problem: str, status: int) -> Response:
        return _account(request, who, status, problem=problem)

    if new != again:
        return await to_thread.run_sync(wrong, _UNLIKE, 422)
    database, keep = shared_of(request).database, session_secret(request) or ""
    change = partial(change_password, database, who.name, old, new, address_of(request), keep, clock())
    try:
        await hashing(change)
    except WrongPassword:
        return await to_thread.run_sync(wrong, _WRONG, 403)
    except TooManyTries as much:
        return await to_thread.run_sync(wrong, str(much), 429)
    except UsageError as unusable:
        return await to_thread.run_sync(wrong, f"{unusable} {unusable.hint or ''}", 422)
    return _to("password")


@router.post("/account/sessions/end")
def end_others(request: Request, who: Owner) -> Response:
    """Sign out everywhere else."""
    _check_person(who)
    with shared_of(request).database.begin() as connection:
        end_sessions(connection, who.id, clock(), session_secret(request))
    return _to("sessions")


@router.post("/account/sessions/{session}/end")
def end(request: Request, who: Owner, session: Id) -> Response:
    """End one session, for a machine that is not at hand."""
    _check_person(who)
    with shared_of(request).database.begin() as connection:
        if not end_one_session(connection, who.id, session, clock()):
            raise NotFound("There is no such session.", hint="It may have ended by itself.")
    return _to("session")


def _account(
    request: Request, who: Principal, status: int = 200, *, problem: str = "", done: str = ""
) -> Response:
    _check_person(who)
    shared = shared_of(request)
    secret = session_secret(request) or ""
    with shared.database.read() as connection:
        return page(
            "account.html",
            view_of(request, who, connection),
            status,
            person=one_person(connection, who.name),
            sessions=list_sessions(connection, who.id, clock(), shared.doorkeeper.lifetime.idle),
            here=number_of_session(connection, secret),
            problem=problem,
            done=done,
        )


def _check_person(who: Principal) -> None:
    if who.kind != "person":
        raise Refused("Only people have a password and sessions.")


def _to(done: str) -> Response:
    return RedirectResponse(f"/account?done={done}", 303)
