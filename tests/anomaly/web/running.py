"""A real `anomaly serve` in a process of its own, and a client that can send it anything."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
import uuid

import sqlalchemy

from anomaly.store.clusters import add_cluster
from anomaly.store.tokens import issue
from anomaly.store.windows import Span, read_windows
from anomaly.testing import raw_event
from anomaly.windows.dimension import Dimension


class Service:
    """Started in `with`; `log` holds the lines of standard error as they come."""

    def __init__(self, url, folder, **environment):
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("ANOMALY_")
        }
        self._environment |= {
            "ANOMALY_DATABASE__URL": url,
            "ANOMALY_DATA_DIR": str(folder),
            "ANOMALY_LOG__FORMAT": "json",
            "HOME": str(folder),
        } | environment
        self._folder = folder
        self.port = 0
        self.log = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        """Start, again if need be on the port it had, and wait until it listens."""
        command = [sys.executable, "-P", "-m", "anomaly", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, env=self._environment, cwd=self._folder, stderr=subprocess.PIPE, text=True
        )
        for line in self.process.stderr:
            self.log.append(line)
            said = json.loads(line) if line.startswith("{") else {}
            if said.get("message") == "listening":
                self.url = said["url"]
                self.port = int(said["url"].rpartition(":")[2])
                break
        else:
            raise AssertionError("".join(self.log))
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stream):
        for line in stream:
            self.log.append(line)

    def said(self, message):
        """The log lines with this message, decoded."""
        lines = [json.loads(line) for line in self.log if line.startswith("{")]
        return [line for line in lines if line["message"] == message]

    def terminate(self):
        """Send SIGTERM, wait for the end; returns (exit status, seconds it took)."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        self._reader.join(5)
        return status, time.monotonic() - began

    def kill(self):
        """kill -9, if it still runs."""
        self.process.kill()
        self.process.wait(10)
        self._reader.join(5)
        self.process.stderr.close()

    def connect(self, context=None, timeout=60):
        """A new connection; TLS with a context."""
        if context is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def get(self, path, context=None):
        """Status of a GET."""
        return self.ask("GET", path, context=context)[0]

    def post(self, cluster, token, body, headers=None, context=None):
        """Post a batch as kube-apiserver does; returns (status, decoded answer, headers)."""
        given = {"Content-Type": "application/json", "User-Agent": "Go-http-client/1.1"}
        given |= {"Authorization": f"Bearer {token}"} if token is not None else {}
        return self.ask("POST", path_of(cluster), body, given | (headers or {}), context)

    def ask(self, method, path, body=None, headers=None, context=None):
        """Any request; returns (status, decoded answer, headers)."""
        connection = self.connect(context)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            text = answer.read()
            decoded = json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text
            return answer.status, decoded, answer.headers
        finally:
            connection.close()


class Sender:
    """A cluster with its token, and what is kept of it."""

    def __init__(self, database, service, name):
        self._database, self.service, self.name = database, service, name
        with database.begin() as connection:
            self.id = add_cluster(connection, name)
            self.token = issue(connection, self.id)

    def send(self, body, **headers):
        """Post a body that must be taken; returns the counts."""
        status, counts, _ = self.service.post(self.name, self.token, body, headers)
        assert status == 200, counts
        return counts

    def kept(self):
        """How many events are stored."""
        return self._one("SELECT count(*) FROM anomaly.event WHERE cluster_id = :id")

    def quarantined(self):
        """What is in quarantine: (reason, size, times), oldest first."""
        with self._database.begin() as connection:
            statement = (
                "SELECT reason, size, times FROM anomaly.quarantine WHERE cluster_id = :id ORDER BY id"
            )
            return connection.execute(sqlalchemy.text(statement), {"id": self.id}).all()

    def windows_agree(self):
        """Whether the windows count exactly the stored events that are requests."""
        final = self._one("SELECT count(*) FROM anomaly.event WHERE cluster_id = :id AND flags & 2 > 0")
        with self._database.connection() as connection:
            windows = read_windows(connection, Span(cluster_id=self.id), 3_600_000_000)
        return windows.count(Dimension.REQUESTS).sum() == final

    def _one(self, statement):
        with self._database.begin() as connection:
            return connection.execute(sqlalchemy.text(statement), {"id": self.id}).scalar_one()


def path_of(cluster):
    """The path that kube-apiserver posts to: its own query string is appended to the configured path."""
    return f"/v1/clusters/{cluster}/audit?timeout=30s"


def event_list(*raws):
    """An EventList as kube-apiserver writes it."""
    return (
        b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
        + b",".join(raws)
        + b"]}"
    )


def batch(count=3, **given):
    """An EventList of made-up events that were never sent before."""
    return event_list(*(fresh_event(at=place, **given) for place in range(count)))


def fresh_event(**given):
    """One event that was never sent before."""
    return raw_event("pods", "get", by="bob", audit_id=str(uuid.uuid4()), **given)


def trusting(authority=None, certificate=None, key=None):
    """A client's TLS context that trusts this authority and shows this certificate."""
    context = ssl.create_default_context(cafile=authority)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context
