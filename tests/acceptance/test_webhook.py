"""What a kube-apiserver sends is kept exactly once, whatever it holds, however it is sent, whoever dies meanwhile.

A real service in its own process, a real PostgreSQL, bodies that a real kube-apiserver posted.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy
import zstandard

from tests.anomaly.web.running import Sender, Service, batch, event_list, fresh_event, path_of
from tests.conftest import url_of


@pytest.fixture(scope="module")
def shared_database(postgres):
    with postgres.clone() as database:
        yield database


@pytest.fixture(scope="module")
def service(shared_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    limits = {"ANOMALY_SERVE__MAX_BODY": "40MiB", "ANOMALY_SERVE__BODY_TIMEOUT": "2s"}
    with Service(url_of(shared_database), folder, **limits) as running:
        yield running


@pytest.fixture
def sender(shared_database, service, request):
    return Sender(
        shared_database, service, f"c-{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"
    )


@pytest.fixture(scope="module")
def deliveries(data):
    packed = (data / "webhook/deliveries.jsonl.zst").read_bytes()
    text = zstandard.ZstdDecompressor().stream_reader(packed).read()
    return [json.loads(line) for line in text.splitlines()]


def test_a_recorded_delivery_is_stored_exactly_once_though_bodies_are_retried_and_overlap(sender, deliveries):
    def deliver(delivery):
        body = delivery["body"].encode()
        assert hashlib.sha256(body).hexdigest() == delivery["sha256"]
        return sender.send(
            body,
            **dict(header for header in delivery["headers"] if header[0] in {"Accept", "Accept-Encoding"}),
        )

    with ThreadPoolExecutor(8) as senders:
        answers = list(senders.map(deliver, [*deliveries, *deliveries[::3]]))
    total = sum(delivery["items"] for delivery in deliveries)
    retried = sum(delivery["items"] for delivery in deliveries[::3])
    assert sender.kept() == total
    assert sum(answer["kept"] for answer in answers) == total
    assert sum(answer["duplicates"] for answer in answers) == retried
    assert sum(answer["quarantined"] for answer in answers) == 0
    assert sum(answer["matches"] for answer in answers) > 0
    assert sender.windows_agree()


def test_a_retried_body_is_not_doubled(sender):
    body = batch(5)
    assert sender.send(body) == {"kept": 5, "duplicates": 0, "quarantined": 0, "matches": 0, "dropped": 0}
    assert sender.send(body) == {"kept": 0, "duplicates": 5, "quarantined": 0, "matches": 0, "dropped": 0}
    assert sender.kept() == 5


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"kind":"PodList","apiVersion":"v1","items":[]}', id="another kind"),
        pytest.param(b"not JSON at all", id="no JSON"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe\x00" * 100, id="invalid UTF-8"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="deep nesting"),
        pytest.param(
            b'{"items":[' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"]}", id="deep nesting in an item"
        ),
        pytest.param(b'{"kind":"EventList","items":"many"}', id="items of a wrong type"),
    ],
)
def test_what_cannot_be_decoded_is_kept_in_quarantine_and_answered_200(sender, body):
    assert sender.send(body) == {"kept": 0, "duplicates": 0, "quarantined": 1, "matches": 0, "dropped": 0}
    ((reason, size, times),) = sender.quarantined()
    assert reason
    assert size <= max(len(body), 1)
    sender.send(body)
    assert sender.quarantined()[0].times == times + 1


def test_of_a_truncated_body_the_whole_events_are_kept_and_the_tail_is_in_quarantine(sender):
    body = batch(3)[:-40]
    assert sender.send(body) == {"kept": 2, "duplicates": 0, "quarantined": 1, "matches": 0, "dropped": 0}
    ((reason, size, _),) = sender.quarantined()
    third = len(body) - body.rindex(b'{"kind":"Event"')
    assert reason
    assert size == third
    assert sender.send(body) == {"kept": 0, "duplicates": 2, "quarantined": 1, "matches": 0, "dropped": 0}
    assert sender.kept() == 2
    assert sender.quarantined()[0].times == 2


def test_senders_that_go_away_in_the_middle_are_a_line_each_in_the_log(sender, service):
    def left():
        return [
            line
            for line in service.said("request")
            if line["status"] == 499 and line["cluster"] == sender.name
        ]

    head = (
        f"POST {path_of(sender.name)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sender.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
    ).encode()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(head + b'{"kind":"EventList","items":[')
            time.sleep(0.2)
    deadline = time.monotonic() + 20
    while len(left()) < 5 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [line["level"] for line in left()] == ["info"] * 5
    assert not any("ClientDisconnect" in line or "Traceback" in line for line in service.log)
    assert sender.kept() == 0 and sender.quarantined() == []
    assert sender.send(batch(2))["kept"] == 2


def test_one_bad_item_does_not_spoil_its_neighbours(sender):
    counts = sender.send(event_list(fresh_event(), b'{"kind":"Event","auditID":7}', fresh_event(at=1)))
    assert (counts["kept"], counts["quarantined"]) == (2, 1)


def test_an_event_that_cannot_be_stored_spoils_neither_its_neighbours_nor_other_bodies(sender):
    poison = fresh_event().replace(b"2026-03-02T09:00:00.000000Z", b"9999-12-31T23:59:59.999999Z")
    bodies = [batch(50) if number % 4 else event_list(poison) for number in range(12)]
    with ThreadPoolExecutor(12) as senders:
        answers = list(senders.map(sender.send, bodies))
    assert sum(answer["kept"] for answer in answers) == 9 * 50
    assert sum(answer["quarantined"] for answer in answers) == 3
    assert sender.kept() == 9 * 50


def test_nul_bytes_and_hostile_texts_are_kept(sender):
    hostile = {"agent": "a\x00b\x1b[31m\u202e", "namespace": "x\x00y", "annotations": {"k\x00": "v\x00"}}
    assert sender.send(event_list(fresh_event(**hostile)))["kept"] == 1
    sender.send(b'{"kind":"\x00","items":[\x00]}')
    assert sender.kept() == 1


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_the_content_type_does_not_matter(sender, kind):
    assert sender.send(batch(2), **{"Content-Type": kind})["kept"] == 2


def test_compressed_bodies_are_taken(sender):
    assert sender.send(gzip.compress(batch(4)), **{"Content-Encoding": "gzip"})["kept"] == 4
    assert sender.send(zstandard.compress(batch(4)), **{"Content-Encoding": "zstd"})["kept"] == 4
    assert sender.send(batch(4), **{"Content-Encoding": "br"})["kept"] == 4
    assert sender.quarantined() == []


def test_damaged_compression_goes_to_quarantine(sender):
    packed = gzip.compress(batch(100))
    assert sender.send(packed[:-30], **{"Content-Encoding": "gzip"})["quarantined"] == 1
    assert (
        sender.send(packed[:20] + b"\x00" * 50 + packed[70:], **{"Content-Encoding": "gzip"})["quarantined"]
        == 1
    )


def test_a_gzip_bomb_goes_to_quarantine_as_it_came(sender):
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb") as packed:
        for _ in range(200):
            packed.write(b" " * (1 << 20))
    assert sender.send(bomb.getvalue(), **{"Content-Encoding": "gzip"})["quarantined"] == 1
    ((reason, size, _),) = sender.quarantined()
    assert "bomb" in reason or "more than serve.max_body" in reason
    assert size >= len(bomb.getvalue())


def test_a_body_of_27_megabytes_is_kept(sender):
    blob = {"kind": "ConfigMapList", "data": os.urandom(1_500_000).hex()}
    body = event_list(*(fresh_event(at=place, answer=blob) for place in range(9)))
    assert len(body) > 27_000_000
    assert sender.send(body)["kept"] == 9


def test_of_a_body_over_the_limit_whole_events_are_kept_and_the_loss_is_recorded(sender):
    blob = {"kind": "ConfigMapList", "data": os.urandom(1_500_000).hex()}
    body = event_list(*(fresh_event(at=place, answer=blob) for place in range(20)))
    counts = sender.send(body)
    assert counts["kept"] == (40 << 20) // (len(body) // 20)
    assert counts["quarantined"] == 1
    ((reason, size, _),) = sender.quarantined()
    assert f"{len(body):,} bytes long" in reason
    assert size > 0
    assert sender.send(body) == counts | {"kept": 0, "duplicates": counts["kept"]}


def test_a_chunked_body_without_a_length_is_taken(sender):
    body = batch(300)
    pieces = (body[start : start + 10_000] for start in range(0, len(body), 10_000))
    assert sender.send(pieces)["kept"] == 300


def test_a_slow_sender_is_told_so_and_nothing_of_it_is_kept(sender, service):
    with socket.create_connection(("127.0.0.1", service.port)) as line:
        line.settimeout(20)
        head = f"POST {path_of(sender.name)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sender.token}\r\n"
        line.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        answer = line.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    assert sender.kept() == 0
    assert sender.quarantined() == []


def test_a_sender_that_goes_away_inside_a_body_leaves_nothing(sender, service):
    with socket.create_connection(("127.0.0.1", service.port)) as line:
        head = f"POST {path_of(sender.name)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sender.token}\r\n"
        line.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode() + batch()[:500])
    assert sender.send(batch(1))["kept"] == 1
    assert sender.kept() == 1
    assert sender.quarantined() == []


def test_many_clusters_at_once_keep_their_own_events(shared_database, service):
    senders = [Sender(shared_database, service, f"many-{number}") for number in range(4)]
    with ThreadPoolExecutor(8) as threads:
        jobs = [threads.submit(one.send, batch(40)) for one in senders for _ in range(6)]
        assert all(job.result()["kept"] == 40 for job in jobs)
    assert [one.kept() for one in senders] == [240] * 4


def test_windows_are_folded_while_the_service_runs(sender, shared_database):
    sender.send(batch(50))
    deadline = time.monotonic() + 30
    statement = sqlalchemy.text("SELECT count(*) FROM anomaly.entity_window WHERE cluster_id = :id")
    while time.monotonic() < deadline:
        with shared_database.begin() as connection:
            if connection.execute(statement, {"id": sender.id}).scalar_one() == 1:
                break
        time.sleep(0.2)
    else:
        pytest.fail("the parts were not folded")


def test_nothing_secret_and_no_line_of_an_attacker_reaches_the_log(sender, service):
    service.ask("GET", "/%0a%7b%22message%22%3a%22forged%22%7d%1b%5b31m")
    service.post(sender.name, "anomaly_wrong\u00e9".encode().decode("latin-1"), batch())
    sender.send(batch(1, agent="SECRET-AGENT"))
    written = "".join(service.log)
    assert sender.token not in written
    assert "SECRET-AGENT" not in written
    assert "Bearer" not in written
    assert service.said("forged") == []
    assert "\x1b" not in written


def test_requests_at_the_same_time_wait_their_turn_and_are_all_kept(sender):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(sender.send(batch(100))["kept"])) for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [100] * 30
    assert sender.kept() == 3000
