"""A town served by a real process, and a caller with a token of every right, one who may only read, and one of another cluster."""

import http.client
import json

import pytest

from anomaly.rights import Right
from anomaly.store.clusters import add_cluster
from anomaly.store.tokens import Grant, make
from tests.anomaly import town as build
from tests.anomaly.web.running import Service
from tests.conftest import url_of


class Caller:
    """Asks a service with one token; keeps the headers of the last answer."""

    def __init__(self, service, token):
        self._service, self.token = service, token
        self.headers = {}

    def __call__(self, method, path, body=None, status=None, **headers):
        given = {"Authorization": f"Bearer {self.token}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        data = None
        if body is not None:
            data, given["Content-Type"] = json.dumps(body), "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=60)
        try:
            connection.request(method, f"/v1{path}", data, given)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        self.headers = answer.headers
        assert status is None or answer.status == status, (answer.status, text)
        plain = answer.headers.get("Content-Type", "").partition(";")[0] in {
            "application/json",
            "application/problem+json",
        }
        decoded = json.loads(text) if plain else text.decode()
        return decoded if status is not None else (answer.status, decoded)


@pytest.fixture(scope="module")
def served(postgres, town_built, tmp_path_factory):
    """(database, service, caller by name) on a clone of the town, with a theft in it that rules and the model find."""
    name, now, cluster_id = town_built
    with postgres.clone(name) as database:
        build.keep(database, build.theft("amy", now - 5 * build.MINUTE, 30))
        with database.begin() as session:
            other = add_cluster(session, "elsewhere")
            tokens = {
                "admin": make(session, Grant("root", frozenset({Right.ADMIN}), None))[1],
                "reader": make(session, Grant("reader", frozenset({Right.READ}), frozenset({cluster_id})))[1],
                "stranger": make(session, Grant("stranger", frozenset({Right.ADMIN}), frozenset({other})))[1],
            }
        folder = tmp_path_factory.mktemp("api")
        service = Service(
            url_of(database),
            folder,
            ANOMALY_WINDOWS__SPAN="1m",
            ANOMALY_JOBS__ENABLED="false",
            ANOMALY_DATABASE__POOL_SIZE="4",
        )
        with service:
            yield database, service, {who: Caller(service, token) for who, token in tokens.items()}


@pytest.fixture
def ask(served):
    """The caller who may do everything."""
    return served[2]["admin"]
