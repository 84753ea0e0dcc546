"""`anomaly findings`: what rules made of a log, listed and shown."""

import fcntl
import os
import struct
import subprocess
import sys
import termios

import pytest

from anomaly.testing import raw_event
from tests.anomaly.cli.running import Command

EVIL = "\x1b[2Jeve\u202e"
TROUBLE = [
    raw_event("pods", "delete", by=EVIL, name=f"dns-{n}", namespace="kube-system", at=n) for n in range(3)
]
REFUSED = [raw_event("secrets", "list", by="bob@example.com", code=403, at=n) for n in range(1_200)]


@pytest.fixture(scope="module")
def shared(postgres):
    with postgres.clone() as database:
        yield database


@pytest.fixture
def anomaly(shared, tmp_path, monkeypatch, capsysbinary):
    command = Command(shared, tmp_path, monkeypatch, capsysbinary)
    path = tmp_path / "audit.log"
    path.write_bytes(b"\n".join(TROUBLE + REFUSED) + b"\n")
    assert command("ingest", path, "--cluster", "prod").code == 0
    return command


def listed(anomaly, *options):
    done = anomaly("findings", "list", *options, json=True)
    assert done.code == 0, done.err
    return done.data


def test_a_finding_in_json_holds_what_programs_need(anomaly):
    (one,) = listed(anomaly, "--name", "pod-deleted-in-kube-system")
    assert {
        "id",
        "cluster",
        "entity",
        "kind",
        "name",
        "severity",
        "attack",
        "start",
        "end",
        "score",
        "reason",
        "evidence",
    } <= set(one)
    assert (one["cluster"], one["entity"], one["kind"], one["count"]) == ("prod", EVIL, "rule", 3)
    assert one["start"] == "2026-03-02T09:00:00Z" and one["end"] == "2026-03-02T09:00:02Z"
    assert len(one["evidence"]) == 3 and one["reason"] and 0 < one["score"] <= 1


def test_evidence_is_held_to_a_thousand_and_can_be_left_out(anomaly):
    (one,) = listed(anomaly, "--name", "request-refused")
    assert (one["count"], len(one["evidence"]), len(set(one["evidence"]))) == (1_200, 1_000, 1_000)
    (one,) = listed(anomaly, "--name", "request-refused", "--no-evidence")
    assert one["evidence"] == []


def test_the_most_severe_come_first_and_choices_restrict(anomaly):
    ranks = ["info", "low", "medium", "high", "critical"]
    order = [ranks.index(one["severity"]) for one in listed(anomaly)]
    assert order == sorted(order, reverse=True) and len(order) >= 2
    assert {one["entity"] for one in listed(anomaly, "--entity", "bob@example.com")} == {"bob@example.com"}
    assert all(one["severity"] != "info" for one in listed(anomaly, "--severity", "low"))
    assert listed(anomaly, "--kind", "behaviour") == listed(anomaly, "--since", "2026-04-01") == []
    nowhere = anomaly("findings", "list", "--cluster", "nowhere")
    assert nowhere.code == 1 and "There is no cluster 'nowhere'" in nowhere.err


def test_tables_and_pages_show_no_raw_names(anomaly):
    table = anomaly("findings", "list", "--name", "pod-deleted-in-kube-system")
    identity = table.out.splitlines()[1].split()[0]
    page = anomaly("findings", "show", identity)
    assert table.code == page.code == 0, page.err
    for out in (table.out, page.out, anomaly("findings", "show", identity, json=True).out):
        assert not any(sign in out for sign in "\x1b\u202e")
    assert "3 of 3" in page.out and "dns-2" in page.out
    shown = anomaly("findings", "show", identity, "--events", "2", json=True).data
    assert [one["name"] for one in shown["events"]] == ["dns-0", "dns-1"]


def test_an_id_that_fits_none_or_several_is_said(anomaly):
    for prefix in ("ffffffff-0000-0000", "%", "zzz"):
        missing = anomaly("findings", "show", prefix)
        assert (missing.code, "There is no finding" in missing.err) == (1, True)
    several = anomaly("findings", "show", "")
    assert (several.code, "Several findings begin with" in several.err) == (2, True)


def test_no_finding_is_good_news(anomaly):
    done = anomaly("findings", "list", "--entity", "nobody")
    assert (done.code, done.out, "No findings" in done.err) == (0, "", True)
    assert anomaly("findings", "list", "--limit", "0").code == 2


def on_terminal(columns, *arguments):
    """What the command writes on a real terminal of this width, line by line."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    command = [sys.executable, "-P", "-m", "anomaly", *arguments]
    with subprocess.Popen(
        command, stdout=theirs, stdin=theirs, env=environment | {"NO_COLOR": "1", "TERM": "dumb"}
    ) as running:
        os.close(theirs)
        out = b""
        try:
            while piece := os.read(ours, 65536):
                out += piece
        except OSError:
            pass  # Linux says EIO at the end of a terminal
        assert running.wait(30) == 0
    os.close(ours)
    return out.decode().replace("\r", "").splitlines()


def test_a_narrow_terminal_shows_a_finding_in_few_columns(anomaly):
    heading, *lines = on_terminal(80, "findings", "list", "--name", "request-refused")
    assert heading.split() == ["id", "sev", "start", "entity", "what", "events"]
    assert "03-02 09:00" in lines[0] and "bob@example.com" in lines[0]
    assert len(lines) <= 2 and max(map(len, lines)) <= 80


def test_what_all_events_share_is_said_once_on_a_narrow_terminal(anomaly):
    (one,) = listed(anomaly, "--name", "request-refused")
    lines = on_terminal(100, "findings", "show", one["id"], "--events", "3")
    events = lines[next(at for at, line in enumerate(lines) if line.startswith("Events")) :]
    assert "address of them all: 203.0.113.7" in events
    assert sum("03-02 09:00:0" in line for line in events) == 3
