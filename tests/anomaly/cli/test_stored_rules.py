"""Exceptions, replay, pauses and policies over stored events, as people run them."""

import json

import pytest

from anomaly.cli.app import main
from anomaly.events.decode import decode_lines
from anomaly.rules import pack
from anomaly.store.clusters import ensure_cluster
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import raw_event
from tests.anomaly.cli.test_policy import recorded
from tests.conftest import url_of

RULE = "title: Secrets listed\ndetection:\n  s:\n    resource: secrets\n    verb: list\n  condition: s\n"


@pytest.fixture
def run(capsys, database, monkeypatch):
    monkeypatch.setenv("ANOMALY_DATABASE_URL", url_of(database))

    def of(*words):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, words)])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return of


@pytest.fixture
def store(database):
    def of(*raws, cluster="prod"):
        with database.begin() as connection:
            number = ensure_cluster(connection, cluster)
        writer = Writer(database.dedicated, pack(), 3_600_000_000)
        writer.write([Arrival(number, "t", decode_lines(b"\n".join(raws)))])
        writer.close()

    return of


def entered(who, at=0):
    return raw_event("pods/exec", "create", by=f"{who}@example.com", name="web-0", code=101, at=at)


def test_an_exception_is_tried_saved_listed_shown_and_ended(run, store):
    store(entered("eve"), entered("bob"))
    scope = ("--rule", "exec-into-pod", "--entity", "eve@*", "--days", 3650)
    tried = json.loads(run("exceptions", "preview", *scope, "-o", "json")[1])
    assert (tried["findings"], tried["events"]) == (1, 1)
    assert "would have silenced 1 findings" in run("exceptions", "preview", *scope)[1]
    assert "There are no exceptions." in run("exceptions", "list")[2]
    code, out, err = run(
        *(
            "exceptions",
            "add",
            *scope,
            "--owner",
            "ops",
            "--reason",
            "a probe",
            "--until",
            "30d",
            "-o",
            "json",
        )
    )
    number = json.loads(out)["id"]
    assert code == 0 and "would have silenced 1 findings" in err
    store(entered("eve", 7200), entered("bob", 7200))
    (listed,) = json.loads(run("exceptions", "list", "-o", "json")[1])
    assert (listed["id"], listed["silenced"], listed["owner"]) == (number, 1, "ops")
    (held,) = json.loads(run("exceptions", "show", number, "-o", "json")[1])
    assert (held["entity"], held["count"]) == ("eve@example.com", 1)
    assert run("exceptions", "end", number)[0] == 0
    assert run("exceptions", "end", number)[0] != 0
    assert json.loads(run("exceptions", "list", "-o", "json")[1]) == []
    assert len(json.loads(run("exceptions", "list", "--all", "-o", "json")[1])) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"--until": "2999-01-01"}, "a year at most"),
        ({"--rule": "*"}, "every rule"),
        ({"--rule": "nope"}, "no rule nope"),
        ({"--owner": " "}, "owner and a reason"),
    ],
)
def test_an_exception_that_may_not_be_is_refused_in_words(run, changes, said):
    given = {"--rule": "exec-into-pod", "--owner": "o", "--reason": "r", "--until": "7d"} | changes
    code, _, err = run("exceptions", "add", *(word for pair in given.items() for word in pair))
    assert code != 0 and said in err


def test_replay_shows_findings_a_day_and_examples_and_stores_nothing(run, store, tmp_path, database):
    store(*(raw_event("secrets", "list", at=day * 86_400) for day in range(3)), raw_event())
    rule = tmp_path / "new.yml"
    rule.write_text(RULE)
    made = json.loads(run("rules", "replay", rule, "-o", "json")[1])
    assert (made["events"], made["decoded"], made["findings"]) == (4, 3, 3)
    assert [day["findings"] for day in made["days"]] == [1, 1, 1]
    assert made["examples"][0]["evidence"] and made["examples"][0]["cluster"] == "prod"
    made = json.loads(
        run("rules", "replay", rule, "--from", "2026-03-03", "--to", "2026-03-04", "-o", "json")[1]
    )
    assert (made["events"], made["findings"]) == (1, 1)
    code, out, err = run("rules", "replay", rule)
    assert code == 0 and "2026-03-02" in out and "events/s" in err
    with database.dedicated() as connection:
        assert connection.execute("SELECT count(*) FROM anomaly.finding WHERE name = 'new'").fetchone() == (
            0,
        )


def test_replay_takes_rules_of_the_pack_and_says_when_there_is_none(run, store):
    store(entered("eve"))
    assert json.loads(run("rules", "replay", "exec-into-pod", "-o", "json")[1])["findings"] == 1
    assert json.loads(run("rules", "replay", "audit-id-reused", "-o", "json")[1])["findings"] == 0
    code, _, err = run("rules", "replay", "exec-into-pd")
    assert code != 0 and "exec-into-pod" in err


def test_a_rule_that_exploded_is_listed_and_resumed(run, store):
    assert "No rule is paused." in run("rules", "paused")[2]
    store(*(entered(f"u{number}", number) for number in range(60)))
    found = {one["rule"]: one for one in json.loads(run("rules", "paused", "-o", "json")[1])}
    assert found["exec-into-pod"]["held"] == 10
    assert len(json.loads(run("rules", "paused", "exec-into-pod", "-o", "json")[1])) == 10
    assert run("rules", "resume", "exec-into-pod")[0] == 0
    assert run("rules", "resume", "exec-into-pod")[0] != 0


def test_policies_are_simulated_forecast_and_covered_over_stored_events(run, store):
    body = {"data": {"x": "y"}}
    store(
        *(raw_event("pods", "list", at=second) for second in range(0, 7200, 60)),
        raw_event("secrets", "create", body=body),
    )
    store(raw_event("nodes", "get"), cluster="other")
    scope = ("--stored", "--cluster", "prod")
    found = json.loads(run("policy", "simulate", recorded("writes-only"), *scope, "-o", "json")[1])
    assert (found["total"]["events"], found["total"]["dropped"]) == (121, 120)
    one = run(
        "policy",
        "simulate",
        recorded("metadata-all"),
        *scope,
        "--until",
        "2026-03-02T09:00:30Z",
        "-o",
        "json",
    )
    assert json.loads(one[1])["total"]["events"] == 2
    told = json.loads(run("policy", "forecast", "--stored", "-o", "json")[1])
    assert told["total"]["events"] == pytest.approx(122 * 86400 / told["seconds"], rel=0.01)
    code, out, err = run("policy", "coverage", recorded("writes-only"), *scope, "-o", "json")
    covered = {one["owner"]: one for one in json.loads(out)}
    assert code == 1 and "different requests are stored" in err
    assert all(
        "pods" in gap["request"] or "secrets" in gap["request"]
        for one in covered.values()
        for gap in one["gaps"]
    )


@pytest.mark.parametrize(
    "words", [("--cluster", "prod"), ("x.log", "--stored"), ("--stored", "--cluster", "none"), ()]
)
def test_a_log_or_stored_events_but_not_both(run, words):
    code, _, err = run("policy", "simulate", recorded("metadata-all"), *words)
    assert code != 0 and err
