"""The route table: nothing answers without a token but the health checks."""

import asyncio

import pytest
from fastapi.routing import APIRoute

from anomaly.store.clusters import add_cluster
from anomaly.store.tokens import issue, new_token, revoke
from anomaly.web.app import OPEN
from anomaly.web.server import clock


def ask(app, method, path, token=None):
    """Ask the app without a network; returns (status, headers, body)."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message):
        sent.append(message)

    headers = [(b"authorization", token.encode())] if token is not None else []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": b"", "headers": headers, "scheme": "http", "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    start = sent[0]
    return start["status"], dict(start["headers"]), b"".join(part.get("body", b"") for part in sent[1:])


def routes(app):
    """Every (method, path) there is, parameters filled in."""
    found = []
    for route in walk(app.routes):
        for method in sorted(route.methods):
            path = route.path
            for name in route.param_convertors:
                path = path.replace("{" + name + "}", "shop")
            found.append((method, path))
    return found


def walk(listed):
    """Routes, those of included routers too; anything that is none of ours (a mount, a static folder) fails."""
    for route in listed:
        if isinstance(route, APIRoute):
            yield route
        else:
            yield from walk(route.original_router.routes)


def test_no_route_answers_without_a_token_but_the_health_checks(app):
    table = routes(app)
    assert ("POST", "/v1/clusters/shop/audit") in table
    assert {path for _, path in table} >= OPEN
    for method, path in table:
        if path in OPEN:
            continue
        for token in (None, "", "Bearer", "Bearer x", f"Bearer {new_token()}", f"Basic {new_token()}"):
            status, headers, body = ask(app, method, path, token)
            assert status == 401, (method, path)
            assert headers[b"content-type"] == b"application/problem+json"
            assert headers[b"www-authenticate"].startswith(b"Bearer")
            assert new_token()[:8] not in body.decode().replace("anomaly cluster", "")


def test_a_token_of_another_cluster_is_refused_on_every_route_of_a_cluster(app, database):
    with database.begin() as connection:
        add_cluster(connection, "shop")
        token = issue(connection, add_cluster(connection, "bank"))
    for method, path in routes(app):
        if "/clusters/shop" in path:
            assert ask(app, method, path, f"Bearer {token}")[0] == 403


def test_the_answer_does_not_tell_whether_a_cluster_exists(app, database):
    with database.begin() as connection:
        add_cluster(connection, "shop")
        token = issue(connection, add_cluster(connection, "bank"))
    for shown in (None, f"Bearer {new_token()}", f"Bearer {token}"):
        there = ask(app, "POST", "/v1/clusters/shop/audit", shown)
        not_there = ask(app, "POST", "/v1/clusters/nowhere/audit", shown)
        assert there == not_there


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


@pytest.mark.parametrize("revision", ["0000_older", None])
def test_a_schema_of_another_release_is_not_ready(app, database, revision):
    with database.connection() as connection:
        connection.execute(
            "UPDATE anomaly.schema_revision SET version_num = %s", [revision]
        ) if revision else (connection.execute("DELETE FROM anomaly.schema_revision"))
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
