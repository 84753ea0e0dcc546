"""What can go wrong around the service without anybody being killed: a full disk, a slow or crowded database, odd clocks, odd
connections. Always the same promise: 200 means kept, 503 says when to come back, and the same bytes again are kept once.
"""

import contextlib
import os
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from anomaly.settings import DatabaseSettings, Settings
from anomaly.store import migrate
from anomaly.store.database import Database
from anomaly.store.embedded import Embedded
from tests.anomaly.web.running import Sender, Service, batch, event_list, fresh_event, path_of
from tests.conftest import url_of


@pytest.fixture
def service(database, tmp_path):
    with Service(url_of(database), tmp_path) as running:
        yield running


def refused(service, sender, body):
    """Post a body that must be refused, and check how."""
    status, answer, headers = service.post(sender.name, sender.token, body)
    assert status == 503, (status, answer)
    assert 5 <= int(headers["Retry-After"]) <= 15
    assert headers["Content-Type"] == "application/problem+json"


def accepted_at_last(sender, body, within=60):
    """Post the same bytes until they are taken; returns the counts."""
    deadline = time.monotonic() + within
    while True:
        status, counts, _ = sender.service.post(sender.name, sender.token, body)
        if status == 200:
            return counts
        assert status == 503 and time.monotonic() < deadline, counts
        time.sleep(0.3)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 220 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=220m,mode=755", "tmpfs", str(folder)], capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("a disk of limited size can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_and_once_there_is_room_everything_is_kept_once(small_disk, tmp_path):
    parameters = {"fsync": "off", "max_wal_size": "64MB", "min_wal_size": "32MB"}
    options = DatabaseSettings(parameters=parameters)
    server = Embedded(Settings(data_dir=small_disk / "data", database=options))
    url = server.ensure_running()
    try:
        with Database(url, options) as database:
            migrate.upgrade(database.engine)
            with Service(url_of(database), tmp_path) as service:
                sender = Sender(database, service, "full")
                assert sender.send(batch(10))["kept"] == 10
                _fill(small_disk / "ballast")
                bodies = [event_list(*(_large() for _ in range(20))) for _ in range(40)]
                first = [service.post(sender.name, sender.token, body)[0] for body in bodies]
                assert set(first) <= {200, 503} and 503 in first
                assert service.get("/healthz") == 200
                (small_disk / "ballast").unlink()
                # A server whose log found no room has ended itself; whoever runs it starts it again.
                server.ensure_running()
                for status, body in zip(first, bodies, strict=True):
                    counts = accepted_at_last(sender, body)
                    if status == 200:
                        assert (counts["kept"], counts["duplicates"]) == (0, 20)
                    assert counts["kept"] + counts["duplicates"] == 20
                assert sender.kept() == 10 + 40 * 20
                assert sender.windows_agree()
    finally:
        server.stop()


def _large():
    return fresh_event(answer={"kind": "ConfigMap", "data": os.urandom(20_000).hex()})


def _fill(ballast):
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * (1 << 16))
            file.flush()


def test_while_a_lock_holds_up_storing_bodies_wait_and_those_that_wait_too_long_come_back(database, service):
    sender = Sender(database, service, "slow")
    sender.send(batch(1))
    waiting, late = batch(5), batch(7)
    with ThreadPoolExecutor(2) as threads, database.dedicated() as locker:
        locker.execute("LOCK TABLE anomaly.window_part IN ACCESS EXCLUSIVE MODE")
        # kube-apiserver gives up after 30 s: the refusal must come before.
        began = time.monotonic()
        refused(service, sender, late)
        assert time.monotonic() - began < 28
        held = threads.submit(sender.send, waiting)
        time.sleep(0.5)
        assert not held.done()
        assert service.get("/healthz") == 200
        locker.rollback()
        assert held.result()["kept"] == 5
    # Refused was only the wait: it may be stored by now, and is counted as what it is.
    counts = accepted_at_last(sender, late)
    assert counts["kept"] + counts["duplicates"] == 7
    assert sender.kept() == 13
    assert sender.windows_agree()


def test_a_pool_without_a_free_connection_is_a_503_and_recovers(database, tmp_path):
    few = {
        "ANOMALY_DATABASE__POOL_SIZE": "1",
        "ANOMALY_DATABASE__POOL_OVERFLOW": "0",
        "ANOMALY_JOBS__ENABLED": "false",
    }
    with Service(url_of(database), tmp_path, **few) as service:
        sender = Sender(database, service, "pool")
        with database.dedicated() as locker, ThreadPoolExecutor(6) as threads:
            # Whoever asks for a token now holds the only connection and waits.
            locker.execute("LOCK TABLE anomaly.token IN ACCESS EXCLUSIVE MODE")
            bodies = [batch(3) for _ in range(6)]
            asked = [threads.submit(service.post, sender.name, sender.token, body) for body in bodies]
            time.sleep(5)
            assert service.get("/healthz") == 200
            locker.rollback()
            answers = [one.result() for one in asked]
        assert {status for status, _, _ in answers} <= {200, 503}
        assert any(status == 503 for status, _, _ in answers)
        assert all(5 <= int(headers["Retry-After"]) <= 15 for status, _, headers in answers if status == 503)
        for body in bodies:
            accepted_at_last(sender, body)
        assert sender.kept() == 18


def test_a_database_that_takes_no_more_connections_is_a_503_and_recovers(database, service):
    sender = Sender(database, service, "crowded")
    sender.send(batch(1))
    name = psycopg.sql.Identifier(database.url.database)
    with database.dedicated(autocommit=True) as admin:
        admin.execute(psycopg.sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 0").format(name))
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        body = batch(4)
        refused(service, sender, body)
        assert service.get("/readyz") == 503
        admin.execute(psycopg.sql.SQL("ALTER DATABASE {} CONNECTION LIMIT -1").format(name))
    assert accepted_at_last(sender, body)["kept"] == 4
    assert sender.kept() == 5


def test_clocks_that_are_wrong_lose_nothing_and_the_unbelievable_is_kept_apart(database, service):
    sender = Sender(database, service, "skewed")
    now = datetime.fromtimestamp(time.time(), UTC)
    skews = [
        timedelta(0),
        timedelta(minutes=-7),
        timedelta(hours=30),
        timedelta(days=-40),
        timedelta(days=200),
    ]
    body = event_list(
        *(fresh_event(at=now + skew) for skew in skews), fresh_event(at=now + timedelta(days=4000))
    )
    assert sender.send(body) == {"kept": 5, "duplicates": 0, "quarantined": 1, "matches": 0, "dropped": 0}
    assert sender.send(body)["kept"] == 0
    ((reason, _, times),) = sender.quarantined()
    assert "year" in reason and times == 2
    assert sender.kept() == 5
    assert sender.windows_agree()


def test_a_sender_that_closes_its_half_or_vanishes_leaves_a_body_that_can_come_again(database, service):
    sender = Sender(database, service, "half")
    body = batch(6)
    head = (
        f"POST {path_of('half')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sender.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    for close in (lambda line: line.shutdown(socket.SHUT_WR), lambda line: None):
        with socket.create_connection(("127.0.0.1", service.port)) as line:
            line.sendall(head + body)
            close(line)
            time.sleep(0.1)
    counts = sender.send(body)
    assert counts["kept"] + counts["duplicates"] == 6
    assert sender.kept() == 6
    assert not [line for line in service.log if "Traceback" in line]


def test_hundreds_of_connections_that_never_finish_do_not_hold_up_the_others(database, service):
    sender = Sender(database, service, "loris")
    with contextlib.ExitStack() as open_lines:
        for number in range(300):
            line = open_lines.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            head = f"POST {path_of('loris')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sender.token}\r\n"
            line.sendall((head if number % 2 else f"{head}Content-Length: 3000\r\n\r\n{{").encode())
        for _ in range(20):
            assert sender.send(batch(5))["kept"] == 5
    assert sender.kept() == 100
