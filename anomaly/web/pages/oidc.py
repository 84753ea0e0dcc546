"""Signing in by an identity provider: to it, and back."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from anomaly.errors import NotFound
from anomaly.store.federated import admitted, reach_of
from anomaly.store.sessions import begin_session, end_session, person_of_session
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.cookies import cookie, drop_cookie, session_secret, set_cookie
from anomaly.web.csrf import own_address
from anomaly.web.oidc import Attempt, Issuer
from anomaly.web.pages.sign_in import address_of, begun, safe_next
from anomaly.web.problem import SignInRefused

router = APIRouter(include_in_schema=False)

COOKIE: Final = "oidc"
_LASTS_SECONDS: Final = 600


@router.get("/oidc/start")
def start(request: Request, next: str = "/") -> Response:
    """Send the browser to the identity provider."""
    attempt = Attempt.new(safe_next(next))
    answer = RedirectResponse(_issuer(request).start_url(attempt, _callback(request)), 303)
    answer.headers["Cache-Control"] = "no-store"
    set_cookie(request, answer, attempt.write(), COOKIE, _LASTS_SECONDS)
    return answer


@router.get("/oidc/callback")
def callback(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
    """Take in whom the identity provider vouches for, and go where they wanted to go."""
    issuer = _issuer(request)
    attempt = Attempt.read(cookie(request, COOKIE))
    attempt.check_state(state)
    if error or not code:
        raise SignInRefused(f"The identity provider refused: {error[:100] or 'no reason given'}.")
    known = issuer.finish(attempt, code, _callback(request))
    shared, now = shared_of(request), clock()
    named = shared.settings.oidc.issuer
    assert named is not None
    with shared.database.begin() as connection:
        reach = reach_of(connection, known.role, known.clusters)
        number = admitted(connection, named, known.subject, known.name, reach, now)
        agent = request.headers.get("user-agent", "")
        lifetime = shared.doorkeeper.lifetime
        secret = begin_session(connection, number, now, lifetime, address_of(request), agent)
        if before := session_secret(request):
            end_session(connection, before, now)
        request.scope["anomaly.principal"] = person_of_session(connection, secret, now, lifetime.idle)
    answer = begun(request, secret, safe_next(attempt.wanted))
    drop_cookie(request, answer, COOKIE)
    return answer


def _issuer(request: Request) -> Issuer:
    options = shared_of(request).settings.oidc
    if options.issuer is None:
        raise NotFound(
            "Nobody signs in by an identity provider here.", hint="The setting oidc.issuer names one."
        )
    # Kept with the app: what the issuer said of itself and its keys need not be asked for each time.
    known = getattr(request.app.state, "issuer", None)
    if not isinstance(known, Issuer):
        known = request.app.state.issuer = Issuer(options)
    return known


def _callback(request: Request) -> str:
    return f"{own_address(request)}/oidc/callback"
