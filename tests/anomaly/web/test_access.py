"""Who may: tokens by their scopes, people by their roles and sessions, and nobody in another's name."""

import hashlib
import json
from datetime import timedelta
from typing import Annotated

import pytest
from fastapi import Depends, Form

from anomaly.rights import Principal, Right, Role
from anomaly.store.clusters import add_cluster
from anomaly.store.people import Reach, add_person, set_disabled
from anomaly.store.sessions import Lifetime, begin_session, csrf_of, end_session
from anomaly.store.tokens import Grant, make
from anomaly.web.access import need, need_page
from anomaly.web.server import clock
from tests.anomaly.web.asking import ask

LIFETIME = Lifetime(timedelta(hours=2), timedelta(hours=12))


@pytest.fixture
def probed(app):
    """The app with routes that say who asks."""

    def says(principal):
        return {"who": principal.name, "clusters": principal.clusters and sorted(principal.clusters)}

    for right in Right:

        @app.api_route(f"/probe/{right}", methods=["GET", "POST"])
        async def probe(principal: Annotated[Principal, Depends(need(right))]):
            return says(principal)

    @app.get("/probe/of/{cluster}")
    async def of_one(cluster: str, principal: Annotated[Principal, Depends(need(Right.READ))]):
        return says(principal)

    @app.post("/probe/form")
    async def form(word: Annotated[str, Form()], principal: Annotated[Principal, Depends(need(Right.READ))]):
        return {"word": word}

    @app.api_route("/page", methods=["GET", "POST"])
    async def page(principal: Annotated[Principal, Depends(need_page(Right.TRIAGE))]):
        return says(principal)

    return app


@pytest.fixture
def clusters(database):
    with database.begin() as connection:
        return {name: add_cluster(connection, name) for name in ("shop", "bank")}


def token(database, *scopes, clusters=None, expires_at=None):
    with database.begin() as connection:
        grant = Grant("robot", frozenset(map(Right, scopes)), clusters and frozenset(clusters), expires_at)
        return f"Bearer {make(connection, grant)[1]}"


def sign_in(database, name="ann", role=Role.VIEWER, clusters=None, now=None):
    """The secret of a new session of a new person."""
    with database.begin() as connection:
        person = add_person(connection, name, Reach(role, clusters and frozenset(clusters)), "test")
        return begin_session(connection, person, now or clock(), LIFETIME, "127.0.0.1", "test")


def allowed(app, **shown):
    """Which rights the bearer turns out to have."""
    answers = {right: ask(app, "GET", f"/probe/{right}", **shown)[0] for right in Right}
    assert set(answers.values()) <= {200, 403}
    return {right for right, status in answers.items() if status == 200}


@pytest.mark.parametrize(
    ("scopes", "rights"),
    [
        (["ingest"], {"ingest"}),
        (["read"], {"read"}),
        (["score", "triage"], {"score", "triage"}),
        (["admin"], set(Right)),
    ],
)
def test_a_token_may_what_its_scopes_say(probed, database, scopes, rights):
    assert allowed(probed, token=token(database, *scopes)) == rights


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (Role.VIEWER, {"read", "score"}),
        (Role.ANALYST, {"read", "score", "triage"}),
        (Role.ADMIN, set(Right)),
    ],
)
def test_a_person_may_what_the_role_says(probed, database, role, rights):
    assert allowed(probed, cookie=f"anomaly={sign_in(database, role=role)}") == rights


def test_a_cluster_outside_the_scope_is_as_one_that_is_not_there(probed, database, clusters):
    for shown in (
        {"token": token(database, "read", clusters=[clusters["shop"]])},
        {"cookie": f"anomaly={sign_in(database, clusters=[clusters['shop']])}"},
    ):
        assert ask(probed, "GET", "/probe/of/shop", **shown)[0] == 200
        assert ask(probed, "GET", "/probe/read?cluster=shop", **shown)[0] == 200
        for path in ("/probe/of/{}", "/probe/read?cluster={}", "/probe/read?cluster=shop&cluster={}"):
            there = ask(probed, "GET", path.format("bank"), **shown)
            not_there = ask(probed, "GET", path.format("vault"), **shown)
            assert there[0] == not_there[0] == 404
            assert there[2] == not_there[2].replace(b"vault", b"bank")


def test_whoever_sees_every_cluster_sees_those_that_come_later(probed, database, clusters):
    assert ask(probed, "GET", "/probe/of/bank", token=token(database, "read"))[0] == 200


def test_a_token_beside_a_session_decides_alone(probed, database):
    cookie = f"anomaly={sign_in(database, role=Role.ADMIN)}"
    assert ask(probed, "GET", "/probe/admin", token=token(database, "read"), cookie=cookie)[0] == 403
    assert ask(probed, "GET", "/probe/admin", token="Bearer nonsense", cookie=cookie)[0] == 401


def test_a_session_ends_when_it_is_ended_idle_or_old_or_the_account_is_disabled(probed, database):
    now = clock()
    ended, idle, old = (
        sign_in(database, name, now=now - age)
        for name, age in (("a", timedelta(0)), ("b", timedelta(hours=2)), ("c", timedelta(hours=12)))
    )
    with database.begin() as connection:
        end_session(connection, ended, now)
        connection.exec_driver_sql(
            "UPDATE anomaly.session SET seen_at = now() WHERE digest = %s", (digest(old),)
        )
    for secret in (ended, idle, old):
        assert ask(probed, "GET", "/probe/read", cookie=f"anomaly={secret}")[0] == 401

    with database.begin() as connection:
        person = add_person(connection, "zoe", Reach(Role.VIEWER, None), "test")
        secret = begin_session(connection, person, now, LIFETIME, "", "")
    assert ask(probed, "GET", "/probe/read", cookie=f"anomaly={secret}")[0] == 200
    with database.begin() as connection:
        set_disabled(connection, person, now)
    assert ask(probed, "GET", "/probe/read", cookie=f"anomaly={secret}")[0] == 401


def digest(secret):
    return hashlib.sha256(secret.encode()).digest()


def test_using_a_session_keeps_it_alive(probed, database):
    secret = sign_in(database, now=clock() - timedelta(hours=1, minutes=59))
    assert ask(probed, "GET", "/probe/read", cookie=f"anomaly={secret}")[0] == 200
    with database.begin() as connection:
        seen = connection.exec_driver_sql("SELECT now() - seen_at FROM anomaly.session").scalar_one()
    assert seen < timedelta(minutes=5)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="no token"),
        pytest.param({"x_csrf_token": ""}, id="an empty token"),
        pytest.param({"x_csrf_token": "0" * 64}, id="a wrong token"),
        pytest.param({"x_csrf_token": "of another session"}, id="the token of another session"),
        pytest.param({"x_csrf_token": "right", "origin": "https://evil.test"}, id="a foreign origin"),
        pytest.param({"x_csrf_token": "right", "origin": "null"}, id="an origin that is hidden"),
        pytest.param({"x_csrf_token": "right", "origin": "https://anomaly.test"}, id="another scheme"),
        pytest.param({"x_csrf_token": "right", "sec_fetch_site": "cross-site"}, id="another site"),
        pytest.param({"x_csrf_token": "right", "sec_fetch_site": "same-site"}, id="a neighbour"),
    ],
)
def test_another_page_cannot_act_in_a_persons_name(probed, database, given):
    secret, other = sign_in(database), sign_in(database, "bob")
    made = {"right": csrf_of(secret), "of another session": csrf_of(other)}
    headers = {name: made.get(value, value) for name, value in given.items()}
    status, _, body = ask(probed, "POST", "/probe/read", cookie=f"anomaly={secret}", **headers)
    assert status == 403
    assert b"made by a page" in body


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="a program"),
        pytest.param({"sec_fetch_site": "same-origin", "origin": "http://anomaly.test"}, id="a browser"),
        pytest.param({"origin": "http://anomaly.test"}, id="an old browser"),
    ],
)
def test_our_own_page_can(probed, database, given):
    secret = sign_in(database)
    headers = {"cookie": f"anomaly={secret}", "x_csrf_token": csrf_of(secret)} | given
    assert ask(probed, "POST", "/probe/read", **headers)[0] == 200


def test_a_form_carries_the_token_as_a_field(probed, database):
    secret = sign_in(database)
    headers = {"cookie": f"anomaly={secret}", "content_type": "application/x-www-form-urlencoded"}
    form = f"word=yes&csrf={csrf_of(secret)}".encode()
    status, _, body = ask(probed, "POST", "/probe/form", body=form, **headers)
    assert (status, json.loads(body)) == (200, {"word": "yes"})
    assert ask(probed, "POST", "/probe/form", body=b"word=yes&csrf=no", **headers)[0] == 403


def test_a_token_needs_none_of_this(probed, database):
    headers = {"sec_fetch_site": "cross-site", "origin": "https://evil.test"}
    assert ask(probed, "POST", "/probe/read", token=token(database, "read"), **headers)[0] == 200


def test_a_plain_cookie_is_not_taken_over_tls(probed, database):
    secret = sign_in(database)
    assert ask(probed, "GET", "/probe/read", scheme="https", cookie=f"anomaly={secret}")[0] == 401
    assert ask(probed, "GET", "/probe/read", scheme="https", cookie=f"__Host-anomaly={secret}")[0] == 200


def test_a_page_sends_who_is_not_signed_in_to_the_login_and_back(probed):
    status, headers, body = ask(probed, "GET", "/page?severity=high&x=%2F")
    assert (status, body) == (303, b"")
    assert headers[b"location"] == b"/login?next=%2Fpage%3Fseverity%3Dhigh%26x%3D%252F"
    assert ask(probed, "POST", "/page")[1][b"location"] == b"/login?next=%2F"


def test_a_part_of_a_page_sends_the_whole_page_there(probed):
    status, headers, _ = ask(probed, "GET", "/page", hx_request="true")
    assert (status, headers[b"hx-redirect"]) == (401, b"/login?next=%2Fpage")


def test_a_page_refuses_who_is_signed_in_without_the_right(probed, database):
    assert ask(probed, "GET", "/page", cookie=f"anomaly={sign_in(database)}")[0] == 403
    analyst = sign_in(database, "bob", Role.ANALYST)
    assert ask(probed, "GET", "/page", cookie=f"anomaly={analyst}")[0] == 200
