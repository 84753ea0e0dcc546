"""Canaries and counts, all the way: a real service, and a stub API server that audits what it is asked to our webhook."""

import http.server
import json
import threading

import pytest

from anomaly.api_server import ApiServer, api_servers, ask
from anomaly.canary import commands, look_for_canaries, make_canary, send_canary
from anomaly.errors import SettingsInvalid, SourceUnavailable
from anomaly.settings import CompletenessSettings
from anomaly.store.canaries import canaries_of
from anomaly.testing import raw_event
from anomaly.web.clock import clock
from tests.anomaly.web.running import Sender, Service, event_list
from tests.conftest import url_of


class StubApiServer:
    """Answers 404 to GETs of objects and delivers the audit event as kube-apiserver does; counts on /metrics."""

    def __init__(self, sender):
        self.events, self.audits, stub = [], True, self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/metrics":
                    self._answer(200, f"apiserver_audit_event_total {len(stub.events)}\n")
                elif self.path == "/elsewhere":
                    self.send_response(302)
                    self.send_header("Location", "/metrics")
                    self.end_headers()
                else:
                    name = self.path.rpartition("/")[2]
                    stub.events.append(name)
                    if stub.audits:
                        event = raw_event(
                            "configmaps", "get", namespace="default", name=name, code=404, at=clock(),
                            agent=self.headers["User-Agent"], audit_id=self.headers["Audit-ID"],
                        )  # fmt: skip
                        sender.send(event_list(event))
                    self._answer(404, json.dumps({"kind": "Status", "code": 404}))

            def _answer(self, status, text):
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def test_a_canary_comes_all_the_way_and_a_lost_one_is_missing(database, tmp_path):
    with Service(url_of(database), tmp_path, ANOMALY_JOBS__ENABLED="false") as service:
        sender = Sender(database, service, "prod")
        with StubApiServer(sender) as stub:
            (server,) = api_servers(CompletenessSettings(api_servers={"prod": stub.url}))
            came, failure = send_canary(database, server, sender.id, clock)
            assert failure == ""
            stub.audits = False
            lost, _ = send_canary(database, server, sender.id, clock)
            by_hand = make_canary(database, sender.id, clock())
            assert look_for_canaries(database, clock()) == 1
            assert look_for_canaries(database, clock()) == 0
            with database.connection() as connection:
                found = {one.id: one for one in canaries_of(connection, sender.id, came.made)}
            assert found[came.id].status == 404 and 0 <= found[came.id].delay.total_seconds() < 300
            assert found[lost.id].sent is not None and found[lost.id].noticed is None
            assert found[by_hand.id].sent is None and by_hand.id in commands(by_hand)["kubectl"]
            assert ask(server, "/metrics") == (200, b"apiserver_audit_event_total 2\n")
            assert ask(server, "/elsewhere")[0] == 302, "redirects are not followed"


def test_who_cannot_be_asked_is_said_without_the_token(database, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret-token\n\x01")
    for url in ("http://127.0.0.1:9", "https://127.0.0.1:9"):
        with pytest.raises(SourceUnavailable) as refused:
            ask(ApiServer("prod", "", url, token, None, 1.0), "/metrics")
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:6443", "file:///etc/passwd", "gopher://x", "10.0.0.1:6443", ""]
)
def test_only_https_is_asked(url):
    with pytest.raises(SettingsInvalid):
        list(api_servers(CompletenessSettings(api_servers={"prod": url})))


def test_nobody_is_asked_unless_set():
    assert list(api_servers(CompletenessSettings())) == []
    two = CompletenessSettings(
        api_servers={"prod/a": "https://a", "prod/b": "https://b/"}, api_cas={"prod/b": "ca"}
    )
    assert [(one.cluster, one.instance, one.url) for one in api_servers(two)] == [
        ("prod", "a", "https://a"), ("prod", "b", "https://b")
    ]  # fmt: skip
