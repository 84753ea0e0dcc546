"""Pages of clusters over HTTP: what each shows, who may add one, and that a token is shown once and never half made."""

import re
from datetime import timedelta

import pytest

from anomaly.bootstrap import load_rules
from anomaly.doctor import wanted_by
from anomaly.rights import Role
from anomaly.settings import Settings
from anomaly.store.clusters import ensure_cluster
from anomaly.store.tokens import issue, list_tokens
from anomaly.web.clock import clock
from tests.anomaly.web.asking import ask
from tests.anomaly.web.pages.test_pages import HOSTILE, Person
from tests.anomaly.web.running import batch

ADD = "/clusters/-/add"
GIVEN = {"name": "prod-eu-1", "server": "https://anomaly.example.org:8443"}


@pytest.fixture(scope="module")
def wanted():
    """What rules and families need; working it out takes seconds, and every app does it once."""
    return wanted_by(load_rules(Settings()))


@pytest.fixture
def app(app, wanted):
    app.state.desk.wanted = wanted
    return app


@pytest.fixture
def ada(app, database):
    return Person(app, database, "ada", Role.ADMIN)


@pytest.fixture
def erika(app, database):
    return Person(app, database, "erika")


def shown(answer):
    status, body = answer[:2]
    assert status == 200
    return body


def kubeconfig_of(body):
    return re.search(r'<pre id="file-webhook"[^>]*>(.*?)</pre>', body, re.DOTALL)[1]


def tokens_of(database, name):
    with database.begin() as connection:
        return list_tokens(connection, ensure_cluster(connection, name))


def count(database):
    with database.begin() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM anomaly.cluster").scalar_one()


def test_without_a_cluster_an_admin_is_led_to_add_one_and_others_are_told_who_can(ada, erika):
    body = shown(ada.get("/clusters"))
    assert "No cluster yet" in body and f'href="{ADD}"' in body
    body = shown(erika.get("/clusters"))
    assert "An admin can add one." in body and ADD not in body


def test_a_cluster_that_sent_nothing_waits_with_the_causes_and_the_next_step(erika, database):
    with database.begin() as connection:
        issue(connection, ensure_cluster(connection, "shop"))
    body = shown(erika.get("/clusters"))
    assert 'data-light="never"' in body and "Install the webhook configuration" in body
    body = shown(erika.get("/clusters/shop"))
    assert "Waiting for the first event" in body
    assert "The API server was not restarted with its audit flags" in body
    assert "<details>" in body, "while it may still come the causes stay folded"


def test_once_something_should_have_come_the_causes_are_unfolded(erika, database):
    with database.begin() as connection:
        issue(connection, ensure_cluster(connection, "shop"))
        connection.exec_driver_sql("UPDATE anomaly.token SET created_at = now() - interval '1 hour'")
    body = shown(erika.get("/clusters/shop/light"))
    assert "<details open>" in body


def send(app, database, commit, name):
    with database.begin() as connection:
        token = issue(connection, ensure_cluster(connection, name))
    if not any(thread.ident for thread in commit._threads):
        commit.start()
    path = f"/v1/clusters/{name}/audit"
    assert ask(app, "POST", path, f"Bearer {token}", batch(), content_type="application/json")[0] == 200


def test_the_light_turns_on_with_the_first_event(erika, app, database, commit):
    with database.begin() as connection:
        ensure_cluster(connection, "shop")
    assert 'data-light="never"' in shown(erika.get("/clusters/shop/light"))
    send(app, database, commit, "shop")
    body = shown(erika.get("/clusters/shop/light"))
    assert 'data-light="on"' in body and 'href="/clusters/shop"' in body
    assert "Waiting" not in body


def test_a_cluster_that_sends_is_told_of_whole(erika, app, database, commit):
    send(app, database, commit, "shop")
    body = shown(erika.get("/clusters/shop"))
    for part in (
        "Levels",
        "ResponseComplete",
        "webhook",
        "Completeness by day",
        "No pause that was not usual.",
        "cannot fire",
    ):
        assert part in body, part
    days = re.findall(r'<th scope="row" class="figure">(\d{4}-\d\d-\d\d)</th>', body)
    assert len(days) == 14 and days == sorted(days, reverse=True)
    assert not re.search(r"<(main|html)\b", shown(erika.get("/clusters/shop", hx_request="true")))


def test_only_clusters_in_sight_are_shown_and_the_installation_only_to_who_sees_all(app, database):
    ben = Person(app, database, "ben", clusters=["shop"])
    with database.begin() as connection:
        ensure_cluster(connection, "bank")
    body = shown(ben.get("/clusters"))
    assert "shop" in body and "bank" not in body and "/doctor" not in body
    for path in ("/clusters/bank", "/clusters/bank/light", "/clusters/nowhere", "/clusters/Shop%20x"):
        assert ben.get(path)[0] == 404, path
    status, body = ben.get("/doctor")
    assert status == 403
    assert "those who see every cluster" in body


def test_the_installation_is_told_of_with_its_next_step(erika, database):
    with database.begin() as connection:
        ensure_cluster(connection, "shop")
    body = shown(erika.get("/doctor"))
    assert "Next step" in body and 'href="/clusters/shop"' in body


def test_a_cluster_is_added_and_its_token_opens_the_door(ada, app, database, commit):
    status, body, _ = ada.post(ADD, GIVEN)
    assert status == 200
    text = kubeconfig_of(body)
    assert "server: https://anomaly.example.org:8443/v1/clusters/prod-eu-1/audit" in text
    token = re.search(r"token: (\S+)", text)[1]
    commit.start()
    path = "/v1/clusters/prod-eu-1/audit"
    assert ask(app, "POST", path, f"Bearer {token}", batch(), content_type="application/json")[0] == 200
    for part in (
        "--audit-webhook-config-file=",
        "kind: Policy",
        "Waiting for the first event",
        'data-copy="file-policy"',
    ):
        assert part in body, part
    for path in ("/clusters", "/clusters/prod-eu-1", "/clusters/prod-eu-1/light"):
        assert token not in shown(ada.get(path)), path


def test_a_certificate_is_written_into_the_file_and_a_token_may_end(ada, database):
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    _, body, _ = ada.post(ADD, GIVEN | {"pem": pem, "days": "30"})
    assert "certificate-authority-data: " in kubeconfig_of(body)
    (token,) = tokens_of(database, "prod-eu-1")
    assert timedelta(days=29) < token.expires_at - clock() <= timedelta(days=30)


def test_an_address_without_tls_is_warned_of(ada):
    assert "without TLS" not in ada.post(ADD, GIVEN)[1]
    assert "without TLS" in ada.post(ADD, {"name": "b", "server": "http://10.0.0.1:8443"})[1]


@pytest.mark.parametrize(
    "given",
    [
        {"name": "Prod EU"},
        {"name": "-"},
        {"name": "x" * 64},
        {"server": "anomaly"},
        {"server": "https://u:p@anomaly.example.org"},
        {"days": "0"},
        {"days": "soon"},
        {"pem": "no certificate"},
        *({"name": text} for text in HOSTILE),
        *({"server": text} for text in HOSTILE),
    ],
)
def test_an_answer_that_cannot_be_is_said_beside_what_was_given_and_nothing_is_made(ada, database, given):
    status, body, _ = ada.post(ADD, GIVEN | given)
    assert status == 422
    assert 'role="alert"' in body and "<script>alert" not in body and "<img" not in body
    assert count(database) == 0


def test_a_name_that_is_taken_is_refused_and_gets_no_token(ada, database):
    with database.begin() as connection:
        ensure_cluster(connection, "prod-eu-1")
    status, body, _ = ada.post(ADD, GIVEN)
    assert status == 409
    assert "There is a cluster" in body
    assert tokens_of(database, "prod-eu-1") == []


def test_only_admins_add_and_only_from_our_own_page(ada, erika, app, database):
    assert erika.get(ADD)[0] == 403
    assert erika.post(ADD, GIVEN)[0] == 403
    assert ada.post(ADD, GIVEN, csrf=False)[0] == 403
    assert ada.post(ADD, GIVEN, sec_fetch_site="cross-site")[0] == 403
    some = Person(app, database, "sam", Role.ADMIN, clusters=["shop"])
    assert some.post(ADD, GIVEN)[0] == 422
    assert count(database) == 1


def test_pages_of_clusters_speak_chinese_and_hold_nothing_inline(ada, database):
    with database.begin() as connection:
        ensure_cluster(connection, "shop")
    for path in ("/clusters", "/clusters/shop", "/doctor", ADD):
        status, body = ada.get(path, accept_language="zh-CN")
        assert status == 200
        assert "集群" in body and " style=" not in body and " onclick=" not in body
