"""Every route there is, asked by one who may do everything on cluster `mine`, about what belongs to cluster `theirs`.

A route that is added later is walked as well. One with a parameter that is not known here fails until an example of `theirs` is
given for it, so that no route can be added without being looked at.
"""

import json
from datetime import timedelta

import pytest

from anomaly.events.decode import decode_lines
from anomaly.findings.suppress import Suppression
from anomaly.review import suppress
from anomaly.rights import Right, Role
from anomaly.rules import pack
from anomaly.store.access_log import Entry, write_entry
from anomaly.store.clusters import add_cluster, cluster_id
from anomaly.store.sessions import csrf_of
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import raw_event
from anomaly.web.app import OPEN
from anomaly.web.server import clock
from tests.anomaly.web.asking import ask, routes
from tests.anomaly.web.people import a_person, a_session, a_token

MARK = b"theirs"
"""Everything that is made of the other cluster has this in its name."""


@pytest.fixture
def database(town):
    """The town is the other cluster: its people, a trained model, and on top findings, a suppression and quarantine."""
    with town.database.begin() as connection:
        connection.exec_driver_sql("UPDATE anomaly.cluster SET name = 'theirs'")
        connection.exec_driver_sql("UPDATE anomaly.entity SET username = 'theirs-' || username")
    at = town.now - timedelta(minutes=5)
    shells = [
        raw_event(
            "pods/exec", "create", name=f"theirs-{n}", by="theirs-mallory", at=at + timedelta(seconds=n)
        )
        for n in range(5)
    ]
    secrets = [
        raw_event("secrets", "get", name=f"theirs-{n}", by="theirs-mallory", at=at + timedelta(seconds=n))
        for n in range(30)
    ]
    broken = b'{"kind": "theirs and no event"}'
    writer = Writer(town.database.dedicated, pack(), 60_000_000)
    try:
        writer.write(
            [Arrival(town.cluster_id, "theirs", decode_lines(b"\n".join([*shells, *secrets, broken])))]
        )
    finally:
        writer.close()
    return town.database


@pytest.fixture
def theirs(database):
    """What belongs to the other cluster, by the name of the parameter that stands for it in paths."""
    with database.begin() as connection:
        add_cluster(connection, "mine")
        number = cluster_id(connection, "theirs")
        now = clock()
        scope = Suppression(
            None, "theirs-nobody", "theirs", "theirs", now + timedelta(days=1), cluster_id=number
        )
        suppress(connection, scope, now)
        write_entry(
            connection,
            Entry(clock(), "token", 1, "theirs", "GET", "/v1/x", "theirs", "theirs", 200, ""),
        )
        # Without a cluster of its own, as what was done to accounts.
        write_entry(
            connection, Entry(clock(), "person", 1, "theirs", "PATCH", "/v1/x", "theirs", None, 200, "")
        )
    a_token(database, "read", clusters=[number], name="theirs")
    a_person(database, "theirs", Role.VIEWER, [number])
    with database.begin() as connection:
        one = lambda query: connection.exec_driver_sql(query).scalars().first()  # noqa: E731
        found = {
            "token": one("SELECT id FROM anomaly.token WHERE name = 'theirs'"),
            "finding": one("SELECT id FROM anomaly.finding"),
            "model": one("SELECT id FROM anomaly.model"),
            "suppression": one("SELECT id FROM anomaly.suppression"),
            "key": one("SELECT replace(event_key::text, '-', '') FROM anomaly.event"),
            "entity": one("SELECT username FROM anomaly.entity WHERE username = 'theirs-mallory'"),
        }
        assert all(found.values()), found
        assert one("SELECT count(*) FROM anomaly.quarantine")
    return {"cluster": "theirs", "account": "theirs"} | EXAMPLES | found


EXAMPLES = {
    "id": 1,
    "username": "theirs",
    "name": "theirs",
    "model_id": 1,
    "run": 1,
    "job": "training",
    "rule": "theirs",
    "exception": 1,
    "pause": 1,
    "number": 1,
    "tree": "css",
    "key": "00000000-0000-0000-0000-000000000000",
    "moment": 1,
    "session": 999_999,
}
"""Of nothing that is there, or of what belongs to no cluster."""


def shown(database, clusters):
    """A token and a session, each with every right on these clusters."""
    secret = a_session(database, "boss", Role.ADMIN, clusters)
    return [
        {"token": a_token(database, *Right, clusters=clusters, name="mine")},
        {"cookie": f"anomaly={secret}", "x_csrf_token": csrf_of(secret)},
    ]


def mine(database):
    with database.begin() as connection:
        return [connection.exec_driver_sql("SELECT id FROM anomaly.cluster WHERE name = 'mine'").scalar_one()]


def counts(database):
    """How many rows of everything there is; what is asked of another's cluster must not change them."""
    with database.begin() as connection:
        tables = connection.exec_driver_sql(
            "SELECT relname FROM pg_class WHERE relnamespace = 'anomaly'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition AND relname NOT IN ('access_entry', 'session', 'failed_try')"
        ).scalars()
        return {
            name: connection.exec_driver_sql(f'SELECT count(*) FROM anomaly."{name}"').scalar_one()
            for name in list(tables)
        }


def test_nothing_of_another_cluster_is_seen_or_changed_by_any_route(app, database, theirs):
    bearers = shown(database, mine(database))
    before, asked = counts(database), 0
    for method, pattern, path in routes(app, **theirs):
        if pattern in OPEN:
            continue
        unknown = {part.strip("{}").partition(":")[0] for part in pattern.split("/") if "{" in part} - set(
            theirs
        )
        assert not unknown, f"{pattern}: give test_scope.py an example of another cluster's {unknown}"
        for bearer in bearers:
            for query in ("", "?cluster=theirs", "?since=2020-01-01T00:00:00Z"):
                named = "{cluster}" in pattern or "cluster=" in query
                status, _, body = ask(
                    app, method, path + query, body=b"{}", content_type="application/json", **bearer
                )
                asked += 1
                assert status < 500, (method, path, query, body)
                # What concerns only whoever asks is of no cluster.
                if named and not pattern.startswith("/v1/me"):
                    assert status in {404, 405, 422}, (method, path, query, status)
                if status < 400:
                    assert MARK not in body, (method, path, query, body)
    assert counts(database) == before
    assert asked


NAMED_IN_BODIES = {
    "/v1/accounts": {"name": "x", "role": "viewer", "clusters": ["theirs"]},
    "/v1/exceptions": {"rule": "exec-into-pod", "owner": "x", "reason": "x", "ends_in_days": 1, "cluster": "theirs"},
    "/v1/exceptions/preview": {"rule": "exec-into-pod", "cluster": "theirs"},
    "/v1/policy/simulate": {"policy": "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n", "cluster": "theirs"},
    "/v1/replays/rules": {"rule": "exec-into-pod", "cluster": "theirs"},
    "/v1/suppressions": {"reason": "x", "entity": "theirs-mallory", "cluster": "theirs"},
    "/v1/suppressions/preview": {"entity": "theirs-mallory", "cluster": "theirs"},
    "/v1/tokens": {"name": "x", "scopes": ["read"], "clusters": ["theirs"]},
}  # fmt: skip
"""Sound bodies that name the other cluster, for each route whose body may name one."""


def naming_routes(app):
    """Paths of the routes whose JSON body has a field for clusters, by the description of the API."""
    described = app.openapi()
    schemas = described["components"]["schemas"]
    for path, methods in described["paths"].items():
        body = methods.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        named = schemas.get(body.get("schema", {}).get("$ref", "").rpartition("/")[2], {})
        if {"cluster", "clusters"} & set(named.get("properties", ())):
            yield path


def test_a_cluster_of_another_named_in_a_body_is_one_that_is_not_there(app, database, theirs):
    assert set(naming_routes(app)) == set(NAMED_IN_BODIES), "give an example of a body for each"
    bearers = shown(database, mine(database))
    before = counts(database)
    for bearer in bearers:
        for path, given in NAMED_IN_BODIES.items():
            answers = [
                ask(app, "POST", path, body=body, content_type="application/json", **bearer)
                for body in (json.dumps(given), json.dumps(given).replace('"theirs"', '"nowhere"'))
                for body in [body.encode()]
            ]
            assert answers[0][0] in {403, 404, 422}, (path, answers[0])
            assert answers[0][0] == answers[1][0], path
            assert answers[0][2].replace(b"theirs", b"nowhere") == answers[1][2].replace(
                b"theirs", b"nowhere"
            )
    assert counts(database) == before
    everywhere = a_token(database, *Right)
    for path, given in NAMED_IN_BODIES.items():
        body = json.dumps(given).encode()
        status = ask(app, "POST", path, everywhere, body, content_type="application/json")[0]
        assert status < 400, (path, status, "the body must be one that only the scope refuses")


def test_a_cluster_of_another_is_answered_as_one_that_is_not_there(app, database, theirs):
    (bearer, _) = shown(database, mine(database))
    for method, pattern, path in routes(app, **theirs):
        if "{cluster}" not in pattern or pattern in OPEN:
            continue
        there = ask(app, method, path, body=b"{}", content_type="application/json", **bearer)
        gone = path.replace("theirs", "nowhere", 1)
        not_there = ask(app, method, gone, body=b"{}", content_type="application/json", **bearer)
        assert there[0] == not_there[0], path
        assert there[2].replace(b"theirs", b"nowhere") == not_there[2].replace(b"theirs", b"nowhere"), path


def test_an_admin_of_one_cluster_gives_no_more_than_they_have(app, database, theirs):
    for bearer in shown(database, mine(database)):
        for path, given in (
            ("/v1/tokens", {"name": "x", "scopes": ["read"]}),
            ("/v1/tokens", {"name": "x", "scopes": ["read"], "clusters": ["theirs"]}),
            ("/v1/tokens", {"name": "x", "scopes": ["read"], "clusters": ["mine", "theirs"]}),
            ("/v1/accounts", {"name": "x", "role": "viewer"}),
            ("/v1/accounts", {"name": "x", "role": "viewer", "clusters": ["theirs"]}),
            ("/v1/accounts", {"name": "x", "role": "admin", "clusters": ["mine", "nowhere"]}),
        ):
            body = json.dumps(given).encode()
            status = ask(app, "POST", path, body=body, content_type="application/json", **bearer)[0]
            assert status in {403, 404}, (path, given)


def test_one_who_may_see_every_cluster_does_see_the_other(app, database, theirs):
    """The twin of the first test: what it does not find must be there to be found."""
    everywhere = a_token(database, *Right)
    seen = {
        pattern
        for method, pattern, path in routes(app, **theirs)
        if method == "GET"
        and pattern not in OPEN
        and MARK in ask(app, method, f"{path}?since=2020-01-01T00:00:00Z", everywhere)[2]
    }
    wanted = {
        "/v1/tokens",
        "/v1/tokens/{token}",
        "/v1/accounts",
        "/v1/access",
        "/v1/findings",
        "/v1/clusters",
    }
    assert seen >= wanted
    assert len(seen) >= 12, sorted(seen)
