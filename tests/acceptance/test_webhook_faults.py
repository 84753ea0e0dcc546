"""What is acknowledged stays, and comes once: whoever is killed, restarted, stopped, overrun or not trusted."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from anomaly.settings import DatabaseSettings, Settings
from anomaly.store import migrate
from anomaly.store.database import Database
from anomaly.store.embedded import Embedded
from tests.anomaly.web.running import Sender, Service, batch, event_list, fresh_event, path_of, trusting
from tests.conftest import url_of


@pytest.fixture
def service(database, tmp_path):
    with Service(url_of(database), tmp_path) as running:
        yield running


class Patient:
    """Sends bodies as kube-apiserver does: each again until it is answered 200. `acknowledged` counts events."""

    def __init__(self, sender, bodies, count):
        self.sender, self.bodies, self.count = sender, list(bodies), count
        self.acknowledged = 0
        self.retries = 0
        self.refusals = []

    def run(self):
        """Send them all, in one thread."""
        for body in self.bodies:
            while not self._sent(body):
                self.retries += 1
                time.sleep(0.05)
            self.acknowledged += self.count

    def _sent(self, body):
        try:
            status, _, headers = self.sender.service.post(self.sender.name, self.sender.token, body)
        except (OSError, http.client.HTTPException):
            return False
        if status != 200:
            self.refusals.append((status, headers.get("Retry-After")))
        return status == 200


@contextlib.contextmanager
def running(patients):
    """Several patient senders at work; at the end all of them are done."""
    threads = [threading.Thread(target=patient.run) for patient in patients]
    for thread in threads:
        thread.start()
    yield threads
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()


def test_kill_9_loses_nothing_that_was_acknowledged_and_doubles_nothing(database, service):
    sender = Sender(database, service, "killed")
    patients = [Patient(sender, [batch(40) for _ in range(25)], 40) for _ in range(6)]
    with running(patients) as threads:
        for _ in range(3):
            time.sleep(0.25)
            before = sum(patient.acknowledged for patient in patients)
            service.kill()
            assert sender.kept() >= before
            service.start()
        assert any(thread.is_alive() for thread in threads) or patients[0].retries
    assert sum(patient.acknowledged for patient in patients) == 6 * 25 * 40
    assert sum(patient.retries for patient in patients) > 0
    assert sender.kept() == 6 * 25 * 40
    assert sender.windows_agree()


def test_while_the_database_is_away_senders_are_told_to_come_back_and_then_it_recovers(tmp_path):
    options = DatabaseSettings(parameters={"fsync": "off"})
    server = Embedded(Settings(data_dir=tmp_path / "other", database=options))
    url = server.ensure_running()
    try:
        with Database(url, options) as database:
            migrate.upgrade(database.engine)
            with Service(url_of(database), tmp_path) as service:
                sender = Sender(database, service, "outage")
                assert sender.send(batch(10))["kept"] == 10
                _outage(sender, service, server)
                assert sender.kept() == 10 + 4 * 10 * 20
                assert sender.windows_agree()
    finally:
        server.stop()


def _outage(sender, service, server):
    patients = [Patient(sender, [batch(20) for _ in range(10)], 20) for _ in range(4)]
    server.stop()
    with running(patients):
        status, answer, headers = service.post(sender.name, sender.token, batch(1))
        assert status == 503
        assert 5 <= int(headers["Retry-After"]) <= 15
        assert headers["Content-Type"] == "application/problem+json"
        assert answer["status"] == 503
        assert service.get("/healthz") == 200
        assert service.get("/readyz") == 503
        server.ensure_running()
    refusals = {status for patient in patients for status, _ in patient.refusals}
    assert refusals == {503}
    assert all(5 <= int(after) <= 15 for patient in patients for _, after in patient.refusals)
    assert service.get("/readyz") == 200


def test_a_database_that_restarts_between_two_bodies_is_not_noticed(postgres, tmp_path):
    with postgres.clone() as database, Service(url_of(database), tmp_path) as service:
        sender = Sender(database, service, "restarted")
        sender.send(batch(5))
        with database.dedicated(autocommit=True) as admin:
            # What a restart does to us: every other session of this database ends.
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert sender.send(batch(5))["kept"] == 5


def test_sigterm_answers_what_is_under_way_and_ends_within_ten_seconds(database, service):
    sender = Sender(database, service, "stopped")
    with socket.create_connection(("127.0.0.1", service.port)) as idle, ThreadPoolExecutor(8) as threads:
        jobs = [threads.submit(sender.send, batch(400)) for _ in range(8)]
        time.sleep(0.1)
        status, seconds = service.terminate()
        answered = [job for job in jobs if job.exception() is None]
        idle.close()
    assert status == 0
    assert seconds < 10
    assert sender.kept() >= 400 * len(answered)
    assert [line["signal"] for line in service.said("stopping")] == ["SIGTERM"]
    assert service.said("stopped")
    assert not [line for line in service.log if "Traceback" in line]


def test_a_body_half_sent_does_not_hold_up_the_stop(database, service):
    sender = Sender(database, service, "half")
    with socket.create_connection(("127.0.0.1", service.port)) as line:
        head = f"POST {path_of('half')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sender.token}\r\n"
        line.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        time.sleep(0.3)
        status, seconds = service.terminate()
    assert status == 0
    assert seconds < 10
    assert sender.kept() == 0


def test_more_than_fits_in_memory_is_sent_back_for_later_and_nothing_is_lost(database, tmp_path):
    limits = {"ANOMALY_SERVE__MAX_PENDING": "2MiB", "ANOMALY_SERVE__MAX_BODY": "2MiB"}
    with Service(url_of(database), tmp_path, **limits) as service:
        sender = Sender(database, service, "overrun")
        blob = {"kind": "ConfigMap", "data": os.urandom(350_000).hex()}
        bodies = [event_list(fresh_event(answer=blob), fresh_event(at=1)) for _ in range(24)]
        patients = [Patient(sender, bodies[start::8], 2) for start in range(8)]
        with running(patients):
            pass
        assert {status for patient in patients for status, _ in patient.refusals} <= {503}
        assert sender.kept() == 48
        # A declared length that does not fit is refused before the body is sent.
        with socket.create_connection(("127.0.0.1", service.port)) as held, contextlib.ExitStack() as more:
            head = (
                f"POST {path_of('overrun')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sender.token}\r\n"
            )
            held.sendall(f"{head}Content-Length: 1900000\r\n\r\n{{".encode())
            time.sleep(0.3)
            second = more.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            second.settimeout(10)
            second.sendall(f"{head}Content-Length: 1900000\r\n\r\n".encode())
            assert second.recv(12) == b"HTTP/1.1 503"
        assert sender.send(batch(1))["kept"] == 1


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority of our own, the service's certificate for 127.0.0.1, a client's, and one of a foreign authority."""
    folder = tmp_path_factory.mktemp("certificates")
    for authority in ("ca", "foreign"):
        _openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", f"/CN={authority}", "-keyout", f"{authority}.key", "-out", f"{authority}.crt")  # fmt: skip
    for name, authority in (("server", "ca"), ("client", "ca"), ("stranger", "foreign")):
        _openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                 "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        _openssl(folder, "x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", f"{authority}.crt",
                 "-CAkey", f"{authority}.key", "-CAcreateserial", "-copy_extensions", "copy", "-out", f"{name}.crt")  # fmt: skip
    return folder


def _openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def test_with_tls_a_token_is_enough_and_plain_http_is_not_understood(database, tmp_path, certificates):
    files = {
        "ANOMALY_SERVE__TLS_CERT": str(certificates / "server.crt"),
        "ANOMALY_SERVE__TLS_KEY": str(certificates / "server.key"),
    }
    with Service(url_of(database), tmp_path, **files) as service:
        sender = Sender(database, service, "tls")
        assert service.url.startswith("https://")
        trusted = trusting(certificates / "ca.crt")
        assert service.post("tls", sender.token, batch(3), context=trusted)[:2] == (
            200,
            {"kept": 3, "duplicates": 0, "quarantined": 0, "matches": 0, "dropped": 0},
        )
        assert service.post("tls", None, batch(3), context=trusted)[0] == 401
        with pytest.raises(ssl.SSLCertVerificationError):
            service.post("tls", sender.token, batch(3), context=trusting(certificates / "foreign.crt"))
        with pytest.raises((OSError, http.client.HTTPException)):
            sender.send(batch(3))
        old = trusting(certificates / "ca.crt")
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert service.get("/healthz", context=old) == 200
    assert sender.kept() == 3


def test_with_mutual_tls_no_client_of_another_authority_comes_in(database, tmp_path, certificates):
    files = {
        "ANOMALY_SERVE__TLS_CERT": str(certificates / "server.crt"),
        "ANOMALY_SERVE__TLS_KEY": str(certificates / "server.key"),
        "ANOMALY_SERVE__TLS_CLIENT_CA": str(certificates / "ca.crt"),
    }
    with Service(url_of(database), tmp_path, **files) as service:
        sender = Sender(database, service, "mutual")
        ca = certificates / "ca.crt"
        known = trusting(ca, certificates / "client.crt", certificates / "client.key")
        assert service.post("mutual", sender.token, batch(3), context=known)[0] == 200
        assert service.post("mutual", None, batch(3), context=known)[0] == 401
        stranger = trusting(ca, certificates / "stranger.crt", certificates / "stranger.key")
        with pytest.raises((OSError, http.client.HTTPException)):
            service.post("mutual", sender.token, batch(3), context=stranger)
        # Programs and people have tokens and sessions instead of certificates.
        assert service.post("mutual", sender.token, batch(3), context=trusting(ca))[0] == 200
    assert sender.kept() == 6
