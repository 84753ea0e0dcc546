"""The route table: nothing answers without a token or session but what lets people in and the health checks."""

import pytest

from anomaly.store.clusters import add_cluster
from anomaly.store.tokens import issue, new_token, revoke
from anomaly.web.app import OPEN
from anomaly.web.server import clock
from tests.anomaly.web.asking import ask, mounts, routes


def test_no_route_answers_without_a_token_or_a_session(app):
    table = routes(app)
    assert ("POST", "/v1/clusters/{cluster}/audit", "/v1/clusters/shop/audit") in table
    assert {pattern for _, pattern, _ in table} | set(mounts(app)) >= OPEN
    assert set(mounts(app)) <= OPEN
    tried = 0
    for method, pattern, path in table:
        if pattern in OPEN:
            continue
        for shown in (
            {},
            *({"token": text} for text in ("", "Bearer", "Bearer x", f"Bearer {new_token()}")),
            {"token": f"Basic {new_token()}"},
            {"cookie": "anomaly=made-up"},
            {"cookie": "anomaly="},
        ):
            status, headers, body = ask(app, method, path, **shown)
            tried += 1
            if status == 303:
                assert headers[b"location"].startswith(b"/login?next="), (method, path)
                assert not body
                continue
            assert status == 401, (method, path, shown)
            assert headers[b"content-type"] == b"application/problem+json"
            assert headers[b"www-authenticate"].startswith(b"Bearer")
            assert new_token()[:8] not in body.decode().replace("anomaly token", "")
    assert tried


def test_a_token_of_another_cluster_finds_nothing_on_any_route_of_a_cluster(app, database):
    with database.begin() as connection:
        add_cluster(connection, "shop")
        token = issue(connection, add_cluster(connection, "bank"))
    for method, pattern, path in routes(app):
        if "{cluster}" in pattern:
            assert ask(app, method, path, f"Bearer {token}")[0] in {403, 404}, (method, path)
    assert ask(app, "POST", "/v1/clusters/shop/audit", f"Bearer {token}")[0] == 404


def test_the_answer_does_not_tell_whether_a_cluster_exists(app, database):
    with database.begin() as connection:
        add_cluster(connection, "shop")
        token = issue(connection, add_cluster(connection, "bank"))
    for shown in (None, f"Bearer {new_token()}", f"Bearer {token}"):
        there = ask(app, "POST", "/v1/clusters/shop/audit", shown)
        not_there = ask(app, "POST", "/v1/clusters/nowhere/audit", shown)
        assert there[0] == not_there[0]
        assert there[2] == not_there[2].replace(b"nowhere", b"shop")


def test_a_revoked_token_opens_no_door(app, database):
    with database.begin() as connection:
        number = add_cluster(connection, "shop")
        token = issue(connection, number)
        revoke(connection, number, clock())
    assert ask(app, "POST", "/v1/clusters/shop/audit", f"Bearer {token}")[0] == 401


def test_an_expired_token_opens_no_door(app, database):
    with database.begin() as connection:
        token = issue(connection, add_cluster(connection, "shop"), clock())
    assert ask(app, "POST", "/v1/clusters/shop/audit", f"Bearer {token}")[0] == 401


def test_health_is_open(app):
    assert ask(app, "GET", "/healthz")[::2] == (200, b"ok\n")
    assert ask(app, "GET", "/readyz")[::2] == (200, b"ok\n")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE anomaly.schema_revision SET version_num = '0001'",
        "UPDATE anomaly.schema_revision SET version_num = '9999'; COMMENT ON SCHEMA anomaly IS 'works from revision 9998'",
        "DELETE FROM anomaly.schema_revision",
    ],
    ids=["older", "newer, and breaking", "none"],
)
def test_a_schema_of_another_release_is_not_ready(app, database, change):
    with database.connection() as connection:
        for statement in change.split("; "):
            connection.execute(statement)
    status, headers, body = ask(app, "GET", "/readyz")
    assert status == 503
    assert 5 <= int(headers[b"retry-after"]) <= 15
    assert b"another release" in body
    assert ask(app, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    "path", ["/docs", "/openapi.json", "/redoc", "/v1", "/v1/clusters/a/b/audit", "/healthz/"]
)
def test_what_is_not_there_is_a_problem_of_its_own(app, path):
    status, headers, _ = ask(app, "GET", path)
    assert status in {307, 404}
    if status == 404:
        assert headers[b"content-type"] == b"application/problem+json"
