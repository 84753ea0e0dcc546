"""Signing in by an identity provider: a real one on this machine, over real HTTP, with really signed tokens."""

import json
import time

import pytest
from pydantic import SecretStr, ValidationError

from anomaly.rights import Role
from anomaly.settings import OidcSettings, Settings
from anomaly.store.clusters import add_cluster
from anomaly.web.access import Doorkeeper
from anomaly.web.app import Shared
from anomaly.web.body import Pending
from anomaly.web.oidc import mapped
from anomaly.web.server import clock
from tests.anomaly.web.asking import app_on
from tests.anomaly.web.issuer import SECRET, LocalIssuer
from tests.anomaly.web.people import PASSWORD, Browser, a_person

GROUPS = {"sre": "admin", "shop-team": "analyst:shop+not-yet", "bank-team": "analyst:bank", "all": "viewer"}


@pytest.fixture
def issuer():
    with LocalIssuer() as found:
        yield found


@pytest.fixture
def app(issuer, database, commit):
    oidc = OidcSettings(
        issuer=issuer.url, client_id="anomaly", client_secret=SecretStr(SECRET), groups=GROUPS, title="Corp"
    )
    settings = Settings(oidc=oidc)
    keeper = Doorkeeper(database, clock, settings.access)
    return app_on(Shared(settings, database, keeper, Pending(1 << 24), commit))


def begin(browser, issuer, wanted="/"):
    """Begin at the login page and agree at the provider; returns what the browser is sent back with."""
    status, headers, _ = browser.get(f"/oidc/start?next={wanted}")
    assert status == 303
    place = headers[b"location"].decode()
    assert place.startswith(f"{issuer.url}/authorize?")
    return issuer.agree(place)


def sign_in(browser, issuer, wanted="/"):
    code, state = begin(browser, issuer, wanted)
    return browser.get(f"/oidc/callback?code={code}&state={state}", sec_fetch_site="cross-site")


def me(browser):
    status, _, body = browser.get("/v1/me")
    return json.loads(body) if status == 200 else None


def test_whom_the_provider_vouches_for_is_let_in_with_the_role_of_their_group(app, issuer):
    browser = Browser(app)
    assert b"Corp" in browser.get("/login")[2]
    status, headers, _ = sign_in(browser, issuer, "%2Ffindings%3Fa%3Db")
    assert (status, headers[b"location"]) == (303, b"/findings?a=b")
    said = me(browser)
    assert (said["name"], said["clusters"]) == ("ann", None)
    assert "admin" in said["rights"]


@pytest.mark.parametrize(
    ("groups", "rights", "clusters"),
    [
        pytest.param(["shop-team"], ["read", "score", "triage"], ["shop"], id="some clusters"),
        pytest.param(
            ["shop-team", "bank-team"], ["read", "score", "triage"], ["bank", "shop"], id="two groups add up"
        ),
        pytest.param(
            ["shop-team", "all"], ["read", "score", "triage"], ["shop"], id="a lower role adds nothing"
        ),
        pytest.param("all", ["read", "score"], None, id="one group as a word"),
        pytest.param(["x", "all", 7, None], ["read", "score"], None, id="groups that are not mapped"),
    ],
)
def test_groups_become_a_role_and_clusters(app, database, issuer, groups, rights, clusters):
    with database.begin() as connection:
        add_cluster(connection, "shop")
        add_cluster(connection, "bank")
    issuer.who["groups"] = groups
    browser = Browser(app)
    assert sign_in(browser, issuer)[0] == 303
    assert (me(browser)["rights"], me(browser)["clusters"]) == (rights, clusters)


def test_what_the_provider_takes_away_is_gone_at_the_next_signing_in(app, issuer):
    browser = Browser(app)
    sign_in(browser, issuer)
    issuer.who["groups"] = ["all"]
    assert sign_in(browser, issuer)[0] == 303
    assert me(browser)["rights"] == ["read", "score"]
    issuer.who["groups"] = []
    status, _, body = sign_in(Browser(app), issuer)
    assert status == 403
    assert b"none of your groups" in body


def test_a_local_account_of_the_same_name_is_never_taken_over(app, database, issuer):
    a_person(database, "ann", Role.VIEWER, password=PASSWORD)
    browser = Browser(app)
    sign_in(browser, issuer)
    assert me(browser)["name"] == "ann@127.0.0.1"
    local = Browser(app)
    local.sign_in()
    assert me(local)["rights"] == ["read", "score"]


def test_an_account_that_is_disabled_here_stays_out(app, database, issuer):
    a_person(database, "root", Role.ADMIN, password=PASSWORD)
    sign_in(Browser(app), issuer)
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE anomaly.person SET disabled_at = now() WHERE name = 'ann'")
    status, _, body = sign_in(Browser(app), issuer)
    assert status == 403
    assert b"disabled" in body


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"aud": "another"}, id="for another audience"),
        pytest.param({"aud": ["another", "third"]}, id="for several others"),
        pytest.param({"aud": ["anomaly", "another"]}, id="for us and another, without azp"),
        pytest.param({"azp": "another", "aud": ["anomaly", "another"]}, id="given to another"),
        pytest.param({"aud": None}, id="for nobody"),
        pytest.param({"nonce": "x" * 43}, id="of another nonce"),
        pytest.param({"nonce": None}, id="without a nonce"),
        pytest.param({"exp": int(time.time()) - 600}, id="expired"),
        pytest.param({"exp": None}, id="without an end"),
        pytest.param({"iss": "http://127.0.0.1:1/realm"}, id="of another issuer"),
        pytest.param({"iss": None}, id="of no issuer"),
        pytest.param({"sub": None}, id="about nobody"),
        pytest.param({"nbf": int(time.time()) + 3600}, id="not valid yet"),
    ],
)
def test_a_token_that_does_not_hold_lets_nobody_in(app, issuer, claims):
    issuer.claims = claims
    refused(app, issuer)


@pytest.mark.parametrize("signs", ["none", "HS256", "forged"])
def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(app, issuer, signs):
    issuer.signs = signs
    refused(app, issuer)


def refused(app, issuer):
    browser = Browser(app)
    status, headers, body = sign_in(browser, issuer)
    assert status == 400
    assert headers[b"content-type"] == b"application/problem+json"
    assert b"Signing in was not completed" in body
    assert me(browser) is None


def test_keys_that_change_are_fetched_anew(app, issuer, monkeypatch):
    assert sign_in(Browser(app), issuer)[0] == 303
    assert sign_in(Browser(app), issuer)[0] == 303
    assert issuer.asked.count("/realm/keys") == 1
    monkeypatch.setattr("anomaly.web.oidc._KEYS_AGAIN_SECONDS", 0.0)
    issuer.rotate()
    assert sign_in(Browser(app), issuer)[0] == 303
    assert issuer.asked.count("/realm/keys") == 2


@pytest.mark.parametrize("state", ["", "forged", "x" * 43, "\u00e9"])
def test_a_forged_state_is_a_problem_and_no_crash(app, issuer, state):
    browser = Browser(app)
    code, _ = begin(browser, issuer)
    status, headers, _ = browser.get(f"/oidc/callback?code={code}&state={state}")
    assert (status, headers[b"content-type"]) == (400, b"application/problem+json")
    assert me(browser) is None


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(app, issuer):
    attacker, victim = Browser(app), Browser(app)
    code, state = begin(attacker, issuer)
    assert victim.get(f"/oidc/callback?code={code}&state={state}")[0] == 400
    begin(victim, issuer)
    assert victim.get(f"/oidc/callback?code={code}&state={state}")[0] == 400
    assert me(victim) is None


def test_a_code_works_once(app, issuer):
    browser = Browser(app)
    code, state = begin(browser, issuer)
    cookies = dict(browser.cookies)
    assert browser.get(f"/oidc/callback?code={code}&state={state}")[0] == 303
    again = Browser(app)
    again.cookies = cookies
    assert again.get(f"/oidc/callback?code={code}&state={state}")[0] == 400


def test_a_refusal_of_the_provider_is_said(app, issuer):
    browser = Browser(app)
    _, state = begin(browser, issuer)
    status, _, body = browser.get(f"/oidc/callback?error=access_denied&state={state}")
    assert status == 400
    assert b"access_denied" in body


def test_signing_out_ends_it(app, issuer):
    from anomaly.store.sessions import csrf_of

    browser = Browser(app)
    sign_in(browser, issuer)
    browser.csrf = csrf_of(browser.cookies["anomaly"])
    assert browser.post("/logout")[0] == 303
    assert me(browser) is None


def test_a_session_from_before_does_not_live_on(app, issuer):
    browser = Browser(app)
    browser.cookies["anomaly"] = "planted"
    sign_in(browser, issuer)
    assert browser.cookies["anomaly"] != "planted"
    assert me(browser)


def test_a_provider_that_is_away_or_another_is_said_plainly(app, issuer):
    issuer.broken = True
    status, headers, body = Browser(app).get("/oidc/start")
    assert (status, headers[b"content-type"]) == (502, b"application/problem+json")
    assert SECRET.encode() not in body
    issuer.broken = False
    issuer.says = {"issuer": "https://elsewhere.test"}
    assert b"calls itself otherwise" in Browser(app).get("/oidc/start")[2]


@pytest.mark.parametrize("where", ["file:///etc/passwd", "gopher://x", "", "/token", 7])
def test_endpoints_that_are_none_are_not_asked(app, issuer, where):
    issuer.says = {"authorization_endpoint": where}
    assert Browser(app).get("/oidc/start")[0] == 502


def test_nothing_is_asked_of_an_address_that_a_request_names(app, issuer):
    browser = Browser(app)
    browser.get("/oidc/start?issuer=http://127.0.0.1:1/&next=http://127.0.0.1:1/", host="evil.test")
    assert issuer.asked == ["/realm/.well-known/openid-configuration"]


def test_without_a_provider_there_is_no_such_page(database, commit):
    settings = Settings()
    keeper = Doorkeeper(database, clock, settings.access)
    browser = Browser(app_on(Shared(settings, database, keeper, Pending(1 << 24), commit)))
    assert browser.get("/oidc/start")[0] == 404
    assert b"/oidc/start" not in browser.get("/login")[2]


@pytest.mark.parametrize(
    "given",
    [
        {"issuer": "http://login.example.com"},
        {"issuer": "https://user:password@login.example.com"},
        {"issuer": "https://login.example.com"},
        {"groups": {"a": "root"}},
        {"groups": {"a": "admin:"}},
    ],
)
def test_settings_that_cannot_work_are_refused(given):
    with pytest.raises(ValidationError):
        OidcSettings(**given)


def test_what_a_group_gives_is_read():
    assert mapped("admin") == (Role.ADMIN, None)
    assert mapped("viewer: a + b") == (Role.VIEWER, frozenset({"a", "b"}))
