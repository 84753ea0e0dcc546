"""The pages of one's own account and of tokens: passwords changed, sessions ended, tokens shown once and never beyond one's reach."""

import re

import pytest

from anomaly.rights import Role
from anomaly.store.clusters import ensure_cluster
from anomaly.store.passwords import hashed
from anomaly.store.people import set_password
from anomaly.store.tokens import list_tokens
from anomaly.web.clock import clock
from tests.anomaly.web.asking import ask
from tests.anomaly.web.pages.test_pages import Person

OLD, NEW = "the first of five words", "quite another line of words"


@pytest.fixture
def ann(app, database):
    person = Person(app, database, "ann")
    with database.begin() as connection:
        number = connection.exec_driver_sql("SELECT id FROM anomaly.person WHERE name = 'ann'").scalar_one()
        set_password(connection, number, hashed(OLD, "ann"))
    return person


@pytest.fixture
def boss(app, database):
    return Person(app, database, "boss", Role.ADMIN)


def kept_tokens(database):
    with database.read() as connection:
        return list_tokens(connection)


def token_in(page):
    return re.search(r'<pre id="token"[^>]*>([^<]+)</pre>', page)[1]


def test_a_password_is_changed_only_by_who_knows_it(ann):
    wanted = {"old": OLD, "new": NEW, "again": NEW}
    for field, value, status in (("old", "not this", 403), ("again", "unlike", 422), ("new", "short", 422)):
        more = {"again": value} if field == "new" else {}
        given, page, _ = ann.post("/account/password", wanted | {field: value} | more)
        assert (given, 'role="alert"' in page) == (status, True), field
    assert ann.post("/account/password", wanted, csrf=False)[0] == 403
    assert ann.post("/account/password", wanted)[0] == 303
    assert ann.post("/account/password", wanted)[0] == 403


def test_a_session_elsewhere_is_listed_and_ended(app, database, ann):
    from anomaly.store.sessions import begin_session
    from tests.anomaly.web.pages.test_pages import WEEK

    with database.begin() as connection:
        number = connection.exec_driver_sql("SELECT id FROM anomaly.person WHERE name = 'ann'").scalar_one()
        begin_session(connection, number, clock(), WEEK, "203.0.113.9", "<b>lost laptop</b>")
    page = ann.get("/account")[1]
    assert "203.0.113.9" in page and "&lt;b&gt;lost laptop" in page and "<b>" not in page
    (other,) = re.findall(r'action="/account/sessions/(\d+)/end"', page)
    assert ann.post(f"/account/sessions/{other}/end", {})[0] == 303
    assert ann.post(f"/account/sessions/{other}/end", {})[0] == 404
    assert "203.0.113.9" not in ann.get("/account")[1]


def test_nobody_ends_the_session_of_another_but_everybody_their_own_elsewhere(app, database, ann, boss):
    number = re.search(r"(\d+)", str(own_sessions(database, "boss")))[1]
    assert ann.post(f"/account/sessions/{number}/end", {})[0] == 404
    assert boss.get("/account")[0] == 200
    again = Person.__new__(Person)
    again.app, again.secret = app, begun(database, "ann")
    assert again.post("/account/sessions/end", {})[0] == 303
    assert ann.get("/account")[0] == 303
    assert again.get("/account")[0] == 200


def own_sessions(database, name):
    with database.read() as connection:
        return connection.exec_driver_sql(
            "SELECT s.id FROM anomaly.session s JOIN anomaly.person p ON p.id = s.person_id WHERE p.name = %s",
            (name,),
        ).scalar_one()


def begun(database, name):
    from anomaly.store.sessions import begin_session
    from tests.anomaly.web.pages.test_pages import WEEK

    with database.begin() as connection:
        number = connection.exec_driver_sql(
            "SELECT id FROM anomaly.person WHERE name = %s", (name,)
        ).scalar_one()
        return begin_session(connection, number, clock(), WEEK, "127.0.0.1", "test")


def test_a_token_is_shown_once_opens_the_door_and_is_revoked(app, database, boss):
    with database.begin() as connection:
        ensure_cluster(connection, "shop")
    fields = [("name", "grafana"), ("scopes", "read"), ("scopes", "score"), ("reach", "shop"), ("days", "30")]
    status, page, _ = boss.post("/tokens", fields)
    secret = token_in(page)
    assert status == 200
    assert secret not in boss.get("/tokens")[1]
    assert ask(app, "GET", "/v1/me", authorization=f"Bearer {secret}")[0] == 200
    (made,) = kept_tokens(database)
    assert (made.name, made.clusters, made.created_by) == ("grafana", ("shop",), "boss")
    assert boss.post(f"/tokens/{made.id}/revoke", {})[0] == 303
    assert kept_tokens(database)[0].state(clock()) == "revoked"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([("name", " "), ("scopes", "read"), ("reach", "")], id="no name"),
        pytest.param([("name", "x"), ("reach", "")], id="no scope"),
        pytest.param([("name", "x"), ("scopes", "root"), ("reach", "")], id="no such scope"),
        pytest.param([("name", "x"), ("scopes", "read")], id="no cluster chosen is not every cluster"),
        pytest.param([("name", "x"), ("scopes", "read"), ("reach", "nowhere")], id="no such cluster"),
        pytest.param([("name", "x"), ("scopes", "read"), ("reach", ""), ("days", "-1")], id="no such time"),
    ],
)
def test_what_is_wrong_with_a_token_is_said_and_none_is_made(database, boss, fields):
    status, page, _ = boss.post("/tokens", fields)
    assert status == 422
    assert 'role="alert"' in page
    assert not kept_tokens(database)


def test_an_admin_of_one_cluster_neither_gives_nor_sees_more(app, database, boss):
    local = Person(app, database, "local", Role.ADMIN, clusters=["shop"])
    status, page, _ = boss.post("/tokens", [("name", "of-all"), ("scopes", "read"), ("reach", "")])
    assert status == 200 and token_in(page)
    assert "of-all" not in local.get("/tokens")[1]
    assert local.post(f"/tokens/{kept_tokens(database)[0].id}/revoke", {})[0] == 404
    assert local.post("/tokens", [("name", "mine"), ("scopes", "read"), ("reach", "")])[0] == 422
    assert local.post("/tokens", [("name", "mine"), ("scopes", "read"), ("reach", "shop")])[0] == 200


def test_who_is_no_admin_has_no_tokens_page(ann):
    assert ann.get("/tokens")[0] == 403
    assert ann.post("/tokens", [("name", "x"), ("scopes", "read"), ("reach", "")])[0] == 403
    assert 'href="/tokens"' not in ann.get("/account")[1]
