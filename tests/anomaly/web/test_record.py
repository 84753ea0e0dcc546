"""Who read and changed what is kept: changes before they are made, reads soon after, refusals counted, secrets never."""

import json

import pytest

from anomaly.errors import DatabaseUnavailable
from anomaly.rights import Role
from anomaly.store.access_log import Asked, Entry, list_entries, write_entry
from anomaly.store.clusters import add_cluster
from anomaly.store.sessions import csrf_of
from anomaly.web import record
from anomaly.web.server import clock
from tests.anomaly.web.asking import ask
from tests.anomaly.web.people import PASSWORD, Browser, a_person, a_session, a_token


@pytest.fixture
def kept(app, database):
    def read(**asked):
        app.state.shared.doorkeeper.record.flush()
        with database.begin() as connection:
            return [one.entry for one in list_entries(connection, Asked(**asked))]

    return read


def new_token(app, authorization, **given):
    wanted = json.dumps({"name": "made", "scopes": ["read"]} | given).encode()
    return ask(app, "POST", "/v1/tokens", authorization, wanted, content_type="application/json")


def test_a_read_is_kept_with_who_what_and_where_from(app, database, kept):
    assert ask(app, "GET", "/v1/accounts", a_token(database, "admin"))[0] == 200
    (entry,) = kept()
    assert (entry.kind, entry.name, entry.method, entry.route) == ("token", "robot", "GET", "/v1/accounts")
    assert (entry.status, entry.address, entry.times) == (200, "127.0.0.1", 1)


def test_a_change_is_kept_before_it_is_made(app, database, kept):
    admin = a_token(database, "admin")
    assert new_token(app, admin)[0] == 201
    with database.begin() as connection:
        (begun,) = list_entries(connection, Asked())
    assert begun.entry.status is None
    assert [one.status for one in kept()] == [201]


def test_what_cannot_be_kept_is_not_changed(app, database, monkeypatch):
    admin = a_token(database, "admin")

    def away(*_):
        raise DatabaseUnavailable

    monkeypatch.setattr(record, "write_entry", away)
    assert new_token(app, admin)[0] == 503
    with database.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM anomaly.token").scalar_one() == 1


def test_no_secret_is_in_any_row(app, database, kept):
    a_person(database, password=PASSWORD)
    browser = Browser(app)
    browser.sign_in(password="wrong-and-secret")
    browser.sign_in("typed-password-as-name", "x")
    browser.sign_in()
    admin = a_token(database, "admin")
    made = json.loads(new_token(app, admin)[2])["token"]
    invited = json.dumps({"name": "zoe", "role": "viewer"}).encode()
    _, _, link = ask(app, "POST", "/v1/accounts", admin, invited, content_type="application/json")
    code = json.loads(link)["link"].rpartition("/")[2]
    Browser(app).get(f"/invite/{code}")
    Browser(app).post(f"/invite/{code}", password="x", again="y")
    text = repr(kept())
    assert "/login" in text
    secrets = ("wrong-and-secret", "typed-password-as-name", PASSWORD, admin[7:], made, code)
    for secret in (*secrets, browser.cookies["anomaly"]):
        assert secret not in text


def test_refusals_of_strangers_are_counted_not_kept_one_by_one(app, kept):
    for _ in range(5):
        ask(app, "GET", "/v1/accounts", "Bearer x")
    (entry,) = kept()
    assert (entry.kind, entry.status, entry.times) == ("nobody", 401, 5)


def test_a_flood_is_bounded_and_its_loss_is_kept(app, kept, monkeypatch):
    monkeypatch.setattr(record, "_STRANGERS", 3)
    for number in range(10):
        ask(app, "GET", "/v1/accounts", "Bearer x", client=f"192.0.2.{number}")
    entries = kept()
    assert len(entries) == 4
    (lost,) = [one for one in entries if one.name == "not kept"]
    assert lost.times == app.state.shared.doorkeeper.record.lost == 7


def test_what_waits_while_the_database_is_away_is_written_later(app, database, kept, monkeypatch):
    ask(app, "GET", "/v1/accounts", a_token(database, "admin"))

    def away(*_):
        raise DatabaseUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(record, "write_entries", away)
        app.state.shared.doorkeeper.record.flush()
    assert [one.status for one in kept()] == [200]


def test_an_admin_of_some_clusters_sees_what_was_done_with_those(app, database):
    with database.begin() as connection:
        shop, _ = add_cluster(connection, "shop"), add_cluster(connection, "bank")
        for cluster in ("shop", "bank", None):
            write_entry(
                connection,
                Entry(clock(), "token", 1, "x", "GET", "/y", f"of-{cluster}", cluster, 200, ""),
            )
    status, _, body = ask(app, "GET", "/v1/access", a_token(database, "admin", clusters=[shop]))
    assert status == 200
    assert [one["object"] for one in json.loads(body)["items"]] == ["of-shop"]


def test_entries_come_in_pages(app, database):
    with database.begin() as connection:
        for number in range(5):
            write_entry(connection, Entry(clock(), "token", 1, "x", "GET", "/y", str(number), None, 200, ""))
    admin, seen, after = a_token(database, "admin"), [], ""
    for _ in range(4):
        page = json.loads(ask(app, "GET", f"/v1/access?limit=2&name=x{after}", admin)[2])
        seen += [one["object"] for one in page["items"]]
        if page["next"] is None:
            break
        after = f"&before={page['next']}"
    assert seen == ["4", "3", "2", "1", "0"]


def test_only_admins_read_it(app, database):
    assert ask(app, "GET", "/v1/access", a_token(database, "read", "triage"))[0] == 403
    secret = a_session(database, "ann", Role.ANALYST)
    assert ask(app, "GET", "/v1/access", cookie=f"anomaly={secret}", x_csrf_token=csrf_of(secret))[0] == 403
