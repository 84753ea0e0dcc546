"""`anomaly events`: options are questions, answers are tables or JSON, and nothing an attacker named reaches the terminal raw."""

import json

import pytest

from anomaly.events.decode import decode_lines
from anomaly.redaction import Redactor
from anomaly.testing import raw_event
from tests.anomaly.cli.running import Command
from tests.anomaly.store.state import recorded

EVIL = "\x1b[2J\x1b]0;owned\x07\u202etxt.exe\x9b31m\r\n"
ODD = [
    raw_event(by=EVIL, agent=EVIL, name=EVIL, namespace=EVIL, address=EVIL, uri=EVIL, audit_id=EVIL, acting_as=EVIL, at=1),
    raw_event("pods", "get", name="100%", by="a_b@example.com", at=2),
    raw_event("pods", "get", name="100x", by="axb@example.com", at=3),
    raw_event("secrets", "list", by="eve@example.com", code=403, at=4),
    raw_event("pods", "get", name="web", code=404, at=5, stage="RequestReceived"),
    raw_event("pods", "get", name="web", code=404, at=5),
]  # fmt: skip


@pytest.fixture(scope="module")
def shared(postgres):
    with postgres.clone() as database:
        yield database


@pytest.fixture
def anomaly(shared, tmp_path, monkeypatch, capsysbinary):
    command = Command(shared, tmp_path, monkeypatch, capsysbinary)
    for name, lines in (("odd", ODD), ("real", recorded(800))):
        path = tmp_path / f"{name}.log"
        path.write_bytes(b"\n".join(lines) + b"\n")
        assert command("ingest", path, "--cluster", name).code == 0
    return command


def asked(anomaly, *options, cluster="odd"):
    done = anomaly("events", "--cluster", cluster, *options, json=True)
    assert done.code == 0, done.err
    return done.data


def test_every_option_is_a_question(anomaly):
    def names(*options):
        return sorted(str(one["name"]) for one in asked(anomaly, *options))

    assert names("--user", "a_b*") == ["100%"]
    assert names("--name", "100%") == ["100%"]
    assert (
        names("--name", "100*")
        == names("--user", "a_b@example.com", "--user", "axb@example.com")
        == ["100%", "100x"]
    )
    assert names("--outcome", "failed") == names("--code", "404") == ["web"]
    assert names("--code", "404", "--all-stages") == ["web", "web"]
    assert names(
        "--verb", "list", "--resource", "secrets", "--namespace", "shop", "--outcome", "refused"
    ) == ["None"]
    assert names("--verb", "list,watch", "--resource", "pods,secrets") == ["None"]
    assert names("--verb", "get,", "--namespace", "shop,none", "--code", "200") == ["100%", "100x"]
    assert names("--user", "a_b@example.com,axb@example.com") == []
    assert names("--address", "203.0.113.0/24") == names("--address", "203.0.113.7")
    assert names("--namespace", "") == []
    assert names("--since", "2026-03-02T09:00:02Z", "--until", "2026-03-02T09:00:04Z") == ["100%", "100x"]
    assert (
        names("--agent", "curl*") == names("--address", "203.0.113.8") == names("--acting-as", "nobody") == []
    )
    (one,) = asked(anomaly, "--name", "100x")
    assert asked(anomaly, "--audit-id", one["audit_id"]) == [one]


def test_the_newest_come_first_unless_asked_otherwise(anomaly):
    times = [one["time"] for one in asked(anomaly, "--limit", "800", "--all-stages", cluster="real")]
    assert len(times) == 800 and times == sorted(times, reverse=True)
    assert [
        one["time"]
        for one in asked(anomaly, "--oldest-first", "--limit", "9", "--all-stages", cluster="real")
    ] == times[:-10:-1]


def test_a_limit_says_that_there_is_more(anomaly):
    done = anomaly("events", "--cluster", "real", "--limit", "3")
    assert "The first 3; --limit shows more" in done.err
    assert len(done.out.strip().splitlines()) == 4


def test_nothing_raw_reaches_the_terminal_and_json_gives_it_back(anomaly):
    for options in ((), ("--raw",), ("--output", "json")):
        out = anomaly("events", "--cluster", "odd", *options).out
        assert not any(sign in out for sign in "\x1b\x07\x9b\u202e\r")
        assert "owned" in out
    (one,) = [one for one in asked(anomaly) if "owned" in one["user"]]
    assert (one["user"], one["agent"], one["audit_id"], one["acting_as"]) == (EVIL,) * 4


def test_raw_is_one_json_a_line_equal_to_what_is_kept(anomaly):
    lines = anomaly(
        "events", "--cluster", "real", "--raw", "--all-stages", "--limit", "1000"
    ).out.splitlines()
    # What is kept is what redaction leaves.
    kept = Redactor().redact(decode_lines(b"\n".join(recorded(800)))).decoded.raws
    came = sorted(map(json.loads, kept), key=str)
    assert sorted(map(json.loads, lines), key=str) == came


def test_counting_needs_no_list(anomaly):
    assert asked(anomaly, "--count", "--all-stages", cluster="real") == {"count": 800, "complete": True}
    assert anomaly("events", "--cluster", "odd", "--count", "--code", "404").out.split() == ["events", "1"]


def test_no_answer_is_said_and_is_valid_json(anomaly):
    done = anomaly("events", "--user", "nobody")
    assert (done.code, done.out, "No event answers that question." in done.err) == (0, "", True)
    assert asked(anomaly, "--user", "nobody") == []
    nowhere = anomaly("events", "--cluster", "nowhere")
    assert (nowhere.code, "There is no cluster 'nowhere'" in nowhere.err) == (1, True)


@pytest.mark.parametrize(
    "options", [("--limit", "0"), ("--since", "yesterday-ish"), ("--outcome", "odd"), ("--code", "many")]
)
def test_a_wrong_option_is_said_in_a_sentence(anomaly, options):
    done = anomaly("events", *options)
    assert (done.code, done.out, "Traceback" in done.err) == (2, "", False)
    assert done.err
