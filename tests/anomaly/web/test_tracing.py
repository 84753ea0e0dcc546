"""Traces go to a collector when one is set, one span a request, and hold nothing that was asked for in confidence."""

import gzip
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from anomaly.errors import SettingsInvalid
from anomaly.settings import TracingSettings
from anomaly.web.tracing import start_tracing
from tests.anomaly.web.running import Service
from tests.conftest import url_of


@pytest.fixture
def collector():
    """A real OTLP receiver on this machine; `spans` fills as they arrive."""
    spans = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.spans = spans
    yield server
    server.shutdown()
    server.server_close()


def test_a_request_becomes_a_span_without_its_query(database, tmp_path, collector):
    endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
    options = {
        "ANOMALY_TRACING__ENDPOINT": endpoint,
        "ANOMALY_TRACING__SHARE": "1",
        "ANOMALY_JOBS__ENABLED": "false",
    }
    with Service(url_of(database), tmp_path, **options) as service:
        service.post("shop", "wrong", b"{}")
        service.ask("GET", "/metrics?code=SECRET-CODE")
        service.ask("GET", "/somewhere?code=SECRET-CODE")
        service.get("/healthz")
        # What is not sent yet goes out while the service stops.
        assert service.terminate()[0] == 0
    for _ in range(100):
        if len(collector.spans) >= 2:
            break
        time.sleep(0.05)
    names = {span.name for span in collector.spans}
    assert "POST /v1/clusters/{cluster}/audit" in names
    assert not {name for name in names if "healthz" in name or "metrics" in name}
    assert "SECRET-CODE" not in str(collector.spans)
    assert "wrong" not in str(collector.spans)


def test_without_a_collector_nothing_is_made():
    tracing = start_tracing(TracingSettings())
    assert tracing.telemetry == {"tracing": False, "metrics": False, "logs": False}
    tracing.close()


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsInvalid, match="not installed") as refused:
        start_tracing(TracingSettings(endpoint="http://127.0.0.1:4318/v1/traces"))
    assert "anomaly[tracing]" in refused.value.hint
