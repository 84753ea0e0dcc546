"""`anomaly ingest` and bad input of every kind: a clear answer, and everything is either an event or in quarantine."""

import gzip
import os
import random
from dataclasses import asdict
from hashlib import blake2b

import pytest
import zstandard

from anomaly.testing import raw_event
from tests.anomaly.cli.running import Command
from tests.anomaly.store.state import recorded, state_of


@pytest.fixture
def anomaly(database, tmp_path, monkeypatch, capsysbinary):
    return Command(database, tmp_path, monkeypatch, capsysbinary)


@pytest.fixture(scope="module")
def shared(postgres):
    """One database for what needs no database of its own: each case has a cluster."""
    with postgres.clone() as database:
        yield database


@pytest.fixture
def in_cluster(shared, request, tmp_path, monkeypatch, capsysbinary):
    """The command on the shared database; the options name a cluster of this test's own."""
    command = Command(shared, tmp_path, monkeypatch, capsysbinary)
    name = blake2b(request.node.name.encode(), digest_size=8).hexdigest()
    return lambda *arguments, json=False: command(*arguments, "--cluster", name, json=json)


@pytest.fixture
def ingest(anomaly):
    """Ingest bytes as a file; returns (events kept, duplicates, quarantined)."""

    return lambda path, *options: counts(anomaly("ingest", path, *options, json=True))


def counts(done):
    assert done.code == 0, done.err
    return done.data["events kept"], done.data["duplicates"], done.data["quarantined"]


GOOD = [raw_event(name=f"pod-{number}", at=number, body={"spec": {"n": number}}) for number in range(4)]


def spoiled(old, new, raw=GOOD[0]):
    assert old in raw
    return raw.replace(old, new, 1)


BAD = {
    "truncated": GOOD[0][:-20],
    "no JSON": b"hello",
    "a number": b"1e999",
    "an object of something else": b'{"level":"info","message":"started"}',
    "null": b"null",
    "a string": b'"event"',
    "binary": bytes(byte for byte in range(256) if byte != 10) * 20,
    "NUL bytes": bytes(5_000),
    "user is a list": spoiled(b'"user":{', b'"user":[],"x":{'),
    "user name is a number": spoiled(b'"username":"alice@example.com"', b'"username":7'),
    "groups is a text": spoiled(b'"groups":["dev","system:authenticated"]', b'"groups":"dev"'),
    "addresses are numbers": spoiled(b'"sourceIPs":["203.0.113.7"]', b'"sourceIPs":[1]'),
    "annotations of lists": spoiled(b'"annotations":{', b'"annotations":{"a":[],'),
    "code is a text": spoiled(b'"code":200', b'"code":"200"'),
    "code is a fraction": spoiled(b'"code":200', b'"code":200.5'),
    "code has 6,000 digits": spoiled(b'"code":200', b'"code":1' + b"0" * 6_000),
    "deep and never closed": b'{"a":' * 100_000,
    "leap second": spoiled(b"09:00:00.000000Z", b"23:59:60.000000Z"),
    "time is a number": spoiled(b'"2026-03-02T09:00:00.000000Z"', b"1772442000"),
    "year one": spoiled(b"2026-03-02T09:00:00.000000Z", b"0001-01-01T00:00:00.000000Z"),
    "year one, further west": spoiled(b"2026-03-02T09:00:00.000000Z", b"0001-01-01T00:00:00.000000+14:00"),
    "year 9999, further east": spoiled(b"2026-03-02T09:00:00.000000Z", b"9999-12-31T23:59:59.000000-14:00"),
    "year 2500": spoiled(b"2026-03-02", b"2500-03-02"),
    "no audit id": spoiled(b'"auditID":"', b'"auditId":"'),
    "empty audit id": raw_event().replace(b'"auditID":"', b'"auditID":"","x":"', 1),
    "no stage": spoiled(b'"stage":"ResponseComplete"', b'"stage":""'),
    "another kind": spoiled(b'"kind":"Event"', b'"kind":"Pod"'),
    "another API": spoiled(b"audit.k8s.io/v1", b"events.k8s.io/v1"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_event_is_put_aside_with_a_reason_and_its_neighbours_are_kept(in_cluster, tmp_path, case):
    path = tmp_path / "audit.log"
    path.write_bytes(b"\n".join([GOOD[0], GOOD[1], BAD[case], GOOD[2], GOOD[3]]) + b"\n")
    assert counts(in_cluster("ingest", path, json=True)) == (4, 0, 1)
    (kept,) = in_cluster("quarantine", "list", json=True).data
    assert kept["reason"] and "\n" not in kept["reason"] and kept["size"] == len(BAD[case])
    assert in_cluster("events", "--count", json=True).data == {"count": 4, "complete": True}


LONG = "x" * 10_000_000
ODD = {
    "10 MB user agent": raw_event(agent=LONG),
    "10 MB user name": raw_event(by=LONG),
    "10 MB path": raw_event("/" + LONG),
    "10 MB object name": raw_event(name=LONG),
    "10 MB annotation": raw_event(annotations={"a": LONG}),
    "10 MB audit id": raw_event(audit_id=LONG),
    "a group a thousand times": raw_event(groups=["g"] * 1_000),
    "ten thousand groups": raw_event(groups=[f"g{number}" for number in range(10_000)]),
    "NUL everywhere": raw_event(
        by="a\0b", agent="\0", name="\0", namespace="\0", audit_id="\0", address="\0", uri="/\0", acting_as="\0",
        annotations={"\0": "\0"}, extra={"\0": ["\0"]}, groups=["\0"], verb="\0", level="\0", body={"\0": "\0"},
    ),
    "code of 30 digits": spoiled(b'"code":200', b'"code":1' + b"0" * 30),
    "negative code": spoiled(b'"code":200', b'"code":-7'),
    "invalid UTF-8 in the body": spoiled(b'{"n":0}', b'{"containers":[{"image":"\xff\xfe"}]}'),
    "invalid UTF-8 in a created pod": raw_event("pods", "create", body={"spec": {"containers": [{"image": "QQ"}]}}).replace(b"QQ", b"\xff"),
    "invalid UTF-8 in a role": raw_event("roles", "create", body={"rules": [{"verbs": ["QQ"]}]}).replace(b"QQ", b"\xff"),
    "invalid UTF-8 in a review": raw_event("selfsubjectaccessreviews", "create", body={"spec": {"namespace": "QQ"}}).replace(b"QQ", b"\xff"),
    "a body of the wrong shape": raw_event("pods", "create", body=[1, {"spec": 7}]),
    "terminal escapes": raw_event(by="\x1b[2J\x1b]0;gone\x07", name="\u202e", agent="\x9b31m"),
    "unknown stage and level": raw_event(stage="Unheard", level="Of"),
    "unknown fields": raw_event(brandNew={"a": [1, 2]}),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_what_is_only_odd_is_an_event_like_any_other(in_cluster, tmp_path, case):
    path = tmp_path / "audit.log"
    path.write_bytes(GOOD[1] + b"\n" + ODD[case] + b"\n")
    assert counts(in_cluster("ingest", path, json=True)) == (2, 0, 0)
    assert counts(in_cluster("ingest", path, "--again", json=True)) == (0, 2, 0)
    for options in ((), ("--raw",), ("--output", "json")):
        done = in_cluster("events", "--all-stages", *options)
        assert done.code == 0, done.err
        assert not any(sign in done.out for sign in "\x00\x1b\x07\x9b\u202e")
    assert in_cluster("findings", "list").code == 0


HARD = {
    "lone surrogate": spoiled(b"alice@example.com", b"a\\ud800b"),
    "invalid UTF-8 in the user": spoiled(b"alice@example.com", b"a\xffb"),
    "invalid UTF-8 in the URI": spoiled(b"/api/v1", b"/\xff/v1"),
    "deep nesting": spoiled(b'"spec":{', b'"deep":' + b"[" * 200_000 + b"]" * 200_000 + b',"spec":{'),
}


@pytest.mark.parametrize("case", HARD)
def test_what_is_hard_to_read_is_an_event_or_put_aside_and_never_in_the_way(in_cluster, tmp_path, case):
    path = tmp_path / "audit.log"
    path.write_bytes(b"\n".join([GOOD[1], HARD[case], GOOD[2]]) + b"\n")
    kept, duplicates, aside = counts(in_cluster("ingest", path, json=True))
    assert (kept >= 2, duplicates, kept + aside) == (True, 0, 3)
    assert len(in_cluster("quarantine", "list", json=True).data) == aside
    for options in ((), ("--raw",), ("--output", "json")):
        done = in_cluster("events", "--all-stages", *options)
        assert done.code == 0, done.err
    assert in_cluster("events", "--all-stages", "--count", json=True).data == {
        "count": kept,
        "complete": True,
    }


def test_an_event_too_large_to_hold_is_noted_and_reading_goes_on(anomaly, ingest, tmp_path):
    path = tmp_path / "audit.log"
    huge = raw_event(agent="x" * (33 << 20))
    path.write_bytes(GOOD[0] + b"\n" + huge + b"\n" + GOOD[1] + b"\n")
    assert ingest(path, "--workers", "0") == (2, 0, 1)
    (kept,) = anomaly("quarantine", "list", json=True).data
    assert kept["size"] == len(huge) and "only its first 65,536 bytes are kept" in kept["reason"]


def test_a_file_that_begins_like_one_of_our_own_notes_is_only_a_file(ingest, tmp_path):
    path = tmp_path / "audit.log"
    path.write_bytes(b"\x00oversized nonsense\n" + b"\n".join(GOOD) + b"\n")
    assert ingest(path) == (4, 0, 1)


def test_a_gzip_bomb_costs_time_but_no_memory_and_hides_nothing(ingest, tmp_path):
    path = tmp_path / "audit.log.gz"
    with gzip.open(path, "wb", compresslevel=9) as out:
        out.write(GOOD[0] + b"\n")
        for _ in range(150):
            out.write(bytes(1 << 20))
        out.write(b"\n" + GOOD[1] + b"\n" + b"\n" * (1 << 20) + GOOD[2])
    assert path.stat().st_size < 300_000
    assert ingest(path, "--workers", "0") == (3, 0, 1)


EMPTY = {
    "nothing": b"",
    "blank lines": b"\n\n \n",
    "packed": gzip.compress(b"", mtime=0),
    "a mark": b"\xef\xbb\xbf",
}


@pytest.mark.parametrize("content", EMPTY.values(), ids=EMPTY)
def test_an_empty_file_is_no_failure(in_cluster, tmp_path, content):
    path = tmp_path / "audit.log"
    path.write_bytes(content)
    assert counts(in_cluster("ingest", path, json=True)) == (0, 0, 0)


def test_what_cannot_be_read_is_said_in_one_sentence(anomaly, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "utf16.log").write_bytes("{}\n".encode("utf-16"))
    said = {
        tmp_path / "missing.log": "does not exist",
        tmp_path / "empty": "there is no audit log in",
        tmp_path / "utf16.log": "is UTF-16 text",
        "/proc/self/mem": "cannot be read",
    }
    for path, words in said.items():
        done = anomaly("ingest", path)
        assert (done.code, words in done.err, "Traceback" in done.err) == (1, True, False), (path, done.err)
        assert done.err.startswith("anomaly: ") and len(done.err.strip().splitlines()) <= 2
    done = anomaly("ingest", tmp_path / "missing.log", "--cluster", "Not A Name")
    assert done.code == 1
    (tmp_path / "fine.log").write_bytes(GOOD[0])
    assert anomaly("ingest", tmp_path / "fine.log", "--cluster", "Not A Name").code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_one_may_not_read_is_said_so(anomaly, tmp_path):
    path = tmp_path / "audit.log"
    path.write_bytes(GOOD[0])
    path.chmod(0)
    done = anomaly("ingest", path)
    assert (done.code, "Permission denied" in done.err) == (1, True)


@pytest.mark.parametrize(
    "pack_it",
    [gzip.compress, zstandard.ZstdCompressor().compress, lambda data: data],
    ids=["gz", "zst", "plain"],
)
def test_every_packing_gives_the_same_and_is_recognised_again(ingest, tmp_path, pack_it):
    lines = recorded(300)
    plain, packed = tmp_path / "audit.log", tmp_path / "audit.log.packed"
    plain.write_bytes(b"\n".join(lines) + b"\n")
    packed.write_bytes(pack_it(plain.read_bytes()))
    assert ingest(packed) == (300, 0, 0)
    assert ingest(packed) == (0, 0, 0)
    assert ingest(plain) == (0, 0, 0), "compressed since, but the same log"
    assert ingest(plain, "--again") == (0, 300, 0)
    assert ingest(plain, "--cluster", "another") == (300, 0, 0)


def test_a_cut_archive_gives_what_was_whole_and_says_so(anomaly, tmp_path):
    lines = recorded(3_000)
    whole = gzip.compress(b"\n".join(lines) + b"\n")
    (tmp_path / "audit.log.gz").write_bytes(whole[: len(whole) // 2])
    done = anomaly("ingest", tmp_path / "audit.log.gz", json=True)
    assert (done.code, "is cut short" in done.err) == (1, True)
    kept = done.data["events kept"]
    assert 500 < kept < 3_000 and done.data["quarantined"] == 0
    (tmp_path / "audit.log.gz").write_bytes(whole)
    done = anomaly("ingest", tmp_path / "audit.log.gz", json=True)
    assert (done.code, done.data["events kept"]) == (0, 3_000 - kept)
    assert done.data["duplicates"] < 600


def test_one_bad_file_of_a_directory_does_not_keep_the_others_out(anomaly, tmp_path):
    lines, folder = recorded(400), tmp_path / "logs"
    folder.mkdir()
    (folder / "audit-2026-01-01T00-00-00.000.log.gz").write_bytes(
        gzip.compress(b"\n".join(lines[:200]) + b"\n")[:-30]
    )
    (folder / "audit-2026-01-02T00-00-00.000.log").write_bytes(b"\n".join(lines[200:300]) + b"\n")
    (folder / "audit.log").write_bytes(b"\n".join(lines[300:]) + b"\n")
    (folder / "notes.txt").write_bytes(b"not a log")
    done = anomaly("ingest", folder, json=True)
    assert (done.code, done.data["files"]) == (1, 3)
    assert 200 <= done.data["events kept"] <= 400 and "is cut short" in done.err
    (folder / "audit-2026-01-01T00-00-00.000.log.gz").write_bytes(
        gzip.compress(b"\n".join(lines[:200]) + b"\n")
    )
    assert anomaly("ingest", folder, json=True).code == 0
    assert anomaly("events", "--all-stages", "--count", json=True).data == {"count": 400, "complete": True}


def test_a_growing_renamed_and_replaced_log_is_read_on_where_it_was(ingest, tmp_path):
    lines = [line + b"\n" for line in recorded(900)]
    live = tmp_path / "audit.log"
    live.write_bytes(b"".join(lines[:300]))
    assert ingest(live) == (300, 0, 0)
    with live.open("ab") as out:
        out.write(b"".join(lines[300:500]) + lines[500][:-1])
    assert ingest(live) == (201, 0, 0)
    with live.open("ab") as out:
        out.write(b"\n" + b"".join(lines[501:600]))
    # The line without its end was kept, and is looked at once more.
    assert ingest(live) == (99, 1, 0)
    live.rename(tmp_path / "audit-2026-01-01T00-00-00.000.log")
    live.write_bytes(b"".join(lines[600:]))
    assert ingest(tmp_path) == (300, 0, 0)
    assert ingest(tmp_path) == (0, 0, 0)


def test_a_file_name_may_be_any_bytes(anomaly, tmp_path):
    path = os.fsencode(tmp_path) + b"/audit-\xff\x1b[31m.log"
    with open(path, "wb") as out:
        out.write(GOOD[0] + b"\n{]\n")
    done = anomaly("ingest", tmp_path, json=True)
    assert (done.code, done.data["events kept"], done.data["quarantined"]) == (0, 1, 1), done.err
    assert "\x1b" not in anomaly("quarantine", "list").out


def test_workers_and_none_give_the_same(
    database, postgres, anomaly, ingest, tmp_path, monkeypatch, capsysbinary
):
    lines = recorded(4_000)
    random.Random(2).shuffle(lines)
    path = tmp_path / "audit.log"
    path.write_bytes(b"\n".join(lines + lines[:50] + [b"{]"]) + b"\n")
    assert ingest(path, "--workers", "3") == (4_000, 50, 1)
    with postgres.clone() as other:
        alone = Command(other, tmp_path, monkeypatch, capsysbinary)
        assert alone("ingest", path, "--workers", "0").code == 0
        assert asdict(state_of(other)) == asdict(state_of(database))
