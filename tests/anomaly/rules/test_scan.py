"""Rules over a stream: every request once, correlations at the end, the same through the command."""

import gzip
import json
import subprocess
import sys

import msgspec
import pytest

from anomaly.events.decode import decode_lines
from anomaly.rules import RuleSet, pack
from anomaly.rules.scan import Scan
from anomaly.testing import raw_event
from tests.anomaly.rules.builders import rules_of

SECRETS = raw_event("secrets", "list", by="trent@example.com", namespace="", audit_id="a-1")
QUIET = raw_event("pods", "list", by="trent@example.com")


def only(rule):
    return RuleSet((pack()[rule],))


def scanned(rules, *raws):
    state = Scan(rules)
    return [*state.feed(decode_lines(b"\n".join(raws))), *state.finish()], state


def test_a_match_says_who_what_when_and_why():
    (hit,), state = scanned(only("secrets-listed-everywhere"), QUIET, SECRETS)
    assert (hit.rule, hit.severity, hit.audit_id) == ("secrets-listed-everywhere", "high", "a-1")
    assert (hit.entity, hit.entity_kind, hit.attack) == ("trent@example.com", "human", ("T1552.007",))
    assert hit.why.startswith("trent@example.com listed the secrets of all namespaces")
    assert (state.events, state.hits, state.rejects) == (2, 1, 0)


def test_a_request_is_told_once_at_its_opening():
    opening = raw_event("pods/exec", "get", name="w", code=101, stage="ResponseStarted", audit_id="x")
    closing = raw_event("pods/exec", "get", name="w", code=101, audit_id="x")
    again = raw_event("pods/exec", "get", name="w", code=101, at=5, audit_id="x")
    assert len(scanned(only("exec-into-pod"), opening, closing)[0]) == 1
    assert len(scanned(only("exec-into-pod"), closing, opening, again)[0]) == 2


def test_an_audit_id_chosen_by_a_client_hides_nobody_else():
    other = raw_event("secrets", "list", by="mallory@example.com", namespace="", audit_id="a-1")
    assert len(scanned(only("secrets-listed-everywhere"), SECRETS, other)[0]) == 2


def test_correlations_come_at_the_end_and_their_rules_stay_silent():
    rules = rules_of("""
title: Refused
name: refused
level: low
detection: {a: {refused: true}, condition: a}
---
title: Many refusals
name: many
level: high
correlation: {type: event_count, rules: refused, group-by: [user.username], timespan: 5m, condition: {gte: 3}}
""")
    raws = [
        raw_event("secrets", "get", by=by, name=f"s{n}", code=403, at=n)
        for n in range(3)
        for by in ("eve", "bob")
    ][:-1]
    (hit,), _ = scanned(rules, *raws)
    assert (hit.rule, hit.severity, hit.correlation, hit.count, hit.entity) == (
        "many",
        "high",
        True,
        3,
        "eve",
    )
    assert len(hit.evidence) == 3
    assert "3 events of refused" in hit.why


def command(*arguments, given=b""):
    return subprocess.run(
        [sys.executable, "-m", "anomaly", *arguments],
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(QUIET + b"\n" + SECRETS + b"\n", id="lines"),
        pytest.param(gzip.compress(SECRETS + b"\n"), id="gzip"),
        pytest.param(
            b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[' + QUIET + b"," + SECRETS + b"]}",
            id="list",
        ),
    ],
)
def test_the_command_prints_a_line_for_each_match(tmp_path, content):
    file = tmp_path / "audit.log"
    file.write_bytes(content)
    for source, given in ((str(file), b""), ("-", content)):
        result = command("scan", source, "--output", "json", given=given)
        assert result.returncode == 0, result.stderr
        hits = [json.loads(line) for line in result.stdout.decode().splitlines()]
        (hit,) = (hit for hit in hits if hit["rule"] == "secrets-listed-everywhere")
        assert (hit["audit_id"], hit["attack"]) == ("a-1", ["T1552.007"])
        assert f"{len(hits)} matches".encode() in result.stderr


def test_the_command_takes_rules_of_a_folder_and_a_lowest_severity(tmp_path):
    rule = "title: Pods listed\nlevel: low\ndetection: {a: {verb: list, resource: pods}, condition: a}\n"
    (tmp_path / "pods-listed.yml").write_text(rule)
    result = command("scan", "-", "--rules", str(tmp_path), "--output", "json", given=QUIET)
    assert msgspec.json.decode(result.stdout)["rule"] == "pods-listed"
    assert command("scan", "-", "--rules", str(tmp_path), "--severity", "high", given=QUIET).stdout == b""


def test_input_that_is_no_audit_log_is_said_to_be_none():
    result = command("scan", "-", given=b"hello\nworld\n")
    assert result.returncode == 1
    assert b"2 not decodable" in result.stderr
    assert b"Nothing here is an audit event" in result.stderr


def test_the_first_lines_that_are_no_events_are_named_with_the_reason(tmp_path):
    file = tmp_path / "audit.log"
    file.write_bytes(b"\n".join([QUIET, b"he\x1b[2Jllo", SECRETS, *[b'{"kind":"Pod"}'] * 6, b""]))
    result = command("scan", str(file))
    assert result.returncode == 0
    said = result.stderr.decode()
    assert "audit.log:2: " in said
    assert "audit.log:7: kind is 'Pod', not Event" in said
    assert "audit.log:8" not in said
    assert "2 more not decodable." in said
    assert "2 events, 7 not decodable" in said


def test_an_escape_sequence_does_not_reach_the_terminal():
    evil = raw_event("secrets", "list", by="x\x1b]0;gone\x07", namespace="")
    result = command("scan", "-", given=evil)
    assert b"secrets-listed-everywhere" in result.stdout
    assert b"\x1b" not in result.stdout
