"""Signing in with a password, as a browser does it; and everything that must not let anybody in."""

import re
from datetime import timedelta

import pytest

from anomaly import accounts
from anomaly.rights import Role
from anomaly.store.clusters import add_cluster
from anomaly.store.people import one_person
from anomaly.web.pages.sign_in import safe_next
from anomaly.web.server import clock
from tests.anomaly.web.people import PASSWORD, Browser, a_person, a_session

NEW = "another five good words here"


@pytest.fixture
def ann(database):
    return a_person(database, password=PASSWORD)


def may_read(browser):
    return browser.get("/v1/me")[0] == 200


def test_whoever_knows_the_password_is_let_in_and_sent_where_they_wanted(app, ann):
    browser = Browser(app)
    assert browser.get("/login?next=%2Ffindings%3Fa%3Db")[0] == 200
    status, headers, _ = browser.post("/login", name=" ANN ", password=PASSWORD, next="/findings?a=b")
    assert (status, headers[b"location"]) == (303, b"/findings?a=b")
    assert may_read(browser)


def test_the_cookie_is_guarded(app, ann):
    for scheme, name in (("http", "anomaly"), ("https", "__Host-anomaly")):
        browser = Browser(app, scheme)
        browser.sign_in()
        (cookie,) = [
            one for one in browser.set_cookies if one.startswith(f"{name}=") and "Max-Age=0" not in one
        ]
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/"} <= parts
        assert ("secure" in parts) is (scheme == "https")
        assert not any(part.startswith("domain") for part in parts)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("ann", "not the password", id="a wrong password"),
        pytest.param("ann", "", id="no password"),
        pytest.param("nobody", PASSWORD, id="an unknown name"),
        pytest.param("ann'; DROP TABLE person; --", PASSWORD, id="no name at all"),
        pytest.param("\x00", "\x00", id="what cannot be stored"),
        pytest.param("bob", PASSWORD, id="a disabled account"),
        pytest.param("zoe", "", id="an account without a password"),
    ],
)
def test_whoever_does_not_is_not_and_learns_nothing(app, database, ann, name, password):
    bob = a_person(database, "bob", password=PASSWORD)
    a_person(database, "zoe")
    with database.begin() as connection:
        accounts.disable(connection, one_person(connection, "bob"), clock())
    assert bob
    browser = Browser(app)
    status, _, body = browser.sign_in(name, password)
    assert status == 401
    assert b"The name or the password is wrong." in body
    assert not may_read(browser)
    if password:
        assert password.encode() not in body


def test_a_session_planted_beforehand_opens_nothing(app, database, ann):
    browser = Browser(app)
    planted = "planted-by-somebody-else"
    browser.cookies["anomaly"] = planted
    browser.sign_in()
    assert browser.cookies["anomaly"] != planted
    assert may_read(browser)
    thief = Browser(app)
    thief.cookies["anomaly"] = planted
    assert not may_read(thief)


def test_signing_in_again_ends_the_session_before(app, ann):
    browser = Browser(app)
    browser.sign_in()
    before = Browser(app)
    before.cookies = dict(browser.cookies)
    browser.sign_in()
    assert may_read(browser)
    assert not may_read(before)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
    ],
)
def test_another_page_cannot_sign_anybody_in(app, ann, headers):
    browser = Browser(app)
    browser.get("/login")
    assert browser.post("/login", name="ann", password=PASSWORD, headers=headers)[0] == 403
    assert not may_read(browser)


def test_a_form_without_its_token_or_cookie_is_asked_for_again(app, ann):
    browser = Browser(app)
    browser.get("/login")
    assert browser.post("/login", name="ann", password=PASSWORD, csrf="0" * 64)[0] == 403
    browser.cookies.clear()
    status, _, body = browser.post("/login", name="ann", password=PASSWORD)
    assert status == 403
    assert b"open for too long" in body
    assert browser.post("/login", name="ann", password=PASSWORD)[0] == 303


def test_guessing_is_stopped_and_the_owner_gets_in_from_elsewhere(app, database, ann):
    attacker = Browser(app, address="192.0.2.1")
    attacker.get("/login")
    answers = [attacker.post("/login", name="ann", password=f"guess {n}")[0] for n in range(7)]
    assert answers == [401] * 5 + [429] * 2
    status, headers, body = attacker.post("/login", name="ann", password=PASSWORD)
    assert status == 429
    assert 0 < int(headers[b"retry-after"]) <= 900
    assert b"too many failed tries" in body
    owner = Browser(app, address="192.0.2.2")
    assert owner.sign_in()[0] == 303
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE anomaly.failed_try SET made_at = made_at - interval '16 minutes'")
    assert attacker.post("/login", name="ann", password=PASSWORD)[0] == 303


def test_signing_out_ends_the_session_here(app, ann):
    browser, other = Browser(app), Browser(app)
    browser.sign_in()
    other.sign_in()
    stolen = Browser(app)
    stolen.cookies = dict(browser.cookies)
    browser.csrf = csrf_of_session(browser)
    status, headers, _ = browser.post("/logout")
    assert (status, headers[b"location"]) == (303, b"/login")
    assert "anomaly" not in browser.cookies
    assert not may_read(stolen)
    assert may_read(other)


def test_signing_out_everywhere_ends_all(app, ann):
    browser, other = Browser(app), Browser(app)
    browser.sign_in()
    other.sign_in()
    browser.csrf = csrf_of_session(browser)
    browser.post("/logout", everywhere="yes")
    assert not may_read(other)


def test_another_page_cannot_sign_anybody_out(app, ann):
    browser = Browser(app)
    browser.sign_in()
    assert browser.post("/logout", csrf="0" * 64)[0] == 403
    assert may_read(browser)


def csrf_of_session(browser):
    from anomaly.store.sessions import csrf_of

    return csrf_of(browser.cookies["anomaly"])


def first_link(database, now=None):
    with database.begin() as connection:
        return accounts.invite_first_admin(connection, "test", now or clock())


def test_the_first_admin_comes_by_a_link_that_works_once(app, database):
    path = f"/invite/{first_link(database).code}"
    browser = Browser(app)
    status, _, body = browser.get(path)
    assert status == 200
    assert b"admin" in body
    assert browser.post(path, password=NEW, again="otherwise, and wrongly")[0] == 422
    assert browser.post(path, password="short", again="short")[0] == 422
    status, headers, _ = browser.post(path, password=NEW, again=NEW)
    assert (status, headers[b"location"]) == (303, b"/")
    assert b'"admin"' in browser.get("/v1/me")[2]
    assert Browser(app).sign_in("admin", NEW)[0] == 303
    assert Browser(app).get(path)[0] == 404
    with database.begin() as connection, pytest.raises(accounts.MoveNotAllowed):
        accounts.invite_first_admin(connection, "test", clock())


def test_as_long_as_nobody_can_sign_in_the_form_says_how_it_is_begun(app, database):
    assert "invite --first-admin" in Browser(app).get("/login")[2].decode()
    a_person(database, "boss", Role.ADMIN, password=PASSWORD)
    assert "invite --first-admin" not in Browser(app).get("/login")[2].decode()


def test_a_later_link_ends_the_one_before(app, database):
    first, second = first_link(database), first_link(database)
    assert Browser(app).get(f"/invite/{first.code}")[0] == 404
    assert Browser(app).get(f"/invite/{second.code}")[0] == 200


def test_a_link_that_is_too_old_made_up_or_of_a_disabled_account_opens_nothing(app, database):
    old = first_link(database, clock() - timedelta(hours=2))
    for code in (old.code, "A" * 43, "x", "..%2F..%2Fetc"):
        assert Browser(app).get(f"/invite/{code}")[0] == 404
    good = first_link(database)
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE anomaly.person SET disabled_at = now()")
    assert Browser(app).get(f"/invite/{good.code}")[0] == 404


def test_another_page_cannot_choose_the_password(app, database):
    path = f"/invite/{first_link(database).code}"
    browser = Browser(app)
    browser.get(path)
    assert browser.post(path, password=NEW, again=NEW, headers={"sec_fetch_site": "cross-site"})[0] == 403
    assert browser.get(path)[0] == 200


def test_a_new_password_ends_every_session(app, database, ann):
    browser = Browser(app)
    browser.sign_in()
    with database.begin() as connection:
        link = accounts.new_link(connection, "ann", "test", clock())
    assert may_read(browser)
    fresh = Browser(app)
    fresh.get(f"/invite/{link.code}")
    fresh.post(f"/invite/{link.code}", password=NEW, again=NEW)
    assert not may_read(browser)
    assert Browser(app).sign_in()[0] == 401
    assert Browser(app).sign_in(password=NEW)[0] == 303


def test_pages_for_strangers_keep_to_a_strict_policy(app, database):
    for path in ("/login", f"/invite/{first_link(database).code}"):
        _, headers, body = Browser(app).get(path)
        policy = headers[b"content-security-policy"].decode()
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(rb"<script(?![^>]*\bsrc=)|\son\w+=|style=", body)
        assert headers[b"cache-control"] == b"no-store"


def test_what_is_typed_as_a_name_is_shown_as_text(app):
    body = Browser(app).sign_in('"><script>alert(1)</script>', "x")[2]
    assert b"<script>alert" not in body


@pytest.mark.parametrize(
    "wanted",
    ["//evil.test", "/\\evil.test", "https://evil.test", "javascript:alert(1)", "/a\nb", "", "x", "/\\/evil"],
)
def test_nobody_is_sent_elsewhere(wanted):
    assert safe_next(wanted) == "/"


def test_paths_of_our_own_are_gone_on_to():
    assert safe_next("/findings/1?x=%2F&y=z") == "/findings/1?x=%2F&y=z"


def test_a_viewer_of_one_cluster_is_not_an_admin_of_another(app, database):
    with database.begin() as connection:
        shop = add_cluster(connection, "shop")
    browser = Browser(app)
    browser.cookies["anomaly"] = a_session(database, "eve", Role.ADMIN, [shop])
    assert b'"shop"' in browser.get("/v1/me")[2]
