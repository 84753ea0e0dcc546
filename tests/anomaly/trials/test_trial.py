"""Trials end to end on a cut of the real log: its quiet hour of the first minutes, and its attacks."""

import gzip
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

import anomaly
from anomaly.rules import RuleSet, pack
from anomaly.trials import Plan, load_labels, present_ids, report_of, run_trial, summary
from models import Budget

DEMO = Path(anomaly.__file__).parent / "demo"
MINUTE = timedelta(minutes=1)
FIRST = datetime(2026, 11, 23, 10, 46, tzinfo=UTC)
QUIET = datetime(2026, 11, 23, 10, 5, tzinfo=UTC)
CUT = "2026-11-23T10:56"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Events until the first pass of the attacks is over, and the labels of that pass with fields nobody knows."""
    made = tmp_path_factory.mktemp("log")
    with zstandard.open(DEMO / "audit.jsonl.zst", "rt", encoding="utf-8") as file:
        lines = [line for line in file if received(line) < CUT]
    (made / "audit.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode(), 1))
    rows = [json.loads(line) for line in (DEMO / "labels.jsonl").read_text().splitlines()]
    kept = [row | {"more": {"of": 1}} for row in rows if row["start"] < CUT]
    (made / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    return made


def received(line):
    place = line.index('"requestReceivedTimestamp":"') + 28
    return line[place : place + 16]


def tried(database, folder, until=FIRST, rules=None, **plan):
    labels, files = load_labels(folder / "labels.jsonl"), [folder / "audit.jsonl.gz"]
    planned = Plan(MINUTE, until, Budget(), 60.0, **plan)
    outcome = run_trial(database, "trial", files, rules or RuleSet(), planned)
    in_log = present_ids(files, [number for label in labels for number in label.ids])
    return report_of(outcome, labels, planned, in_log)


@pytest.fixture
def judged(database, folder):
    return tried(database, folder)


def test_behaviour_alone_finds_most_attacks_within_the_budget_and_names_them_rightly(judged):
    figures = summary(judged)

    assert figures["findings"]["behaviour"]["all"] <= 10 * max(judged.days, 1)
    assert figures["findings"]["rules"]["all"] == 0
    assert figures["findings"]["behaviour"]["false"] == 0
    found = [met for met in judged.met if met.behaviour]
    assert sum(bool(met.behaviour_cause) for met in found) >= 0.8 * len(found) > 0
    # A day has room for ten of the seventeen; what has none is kept below, and said.
    assert figures["scenarios"]["behaviour"]["found"] >= 9
    assert len(judged.outcome.below) == judged.outcome.judged.full
    assert all(met.missed for met in judged.met if not met.behaviour)


def test_a_second_judging_changes_nothing(database, folder, judged):
    again = tried(database, folder)

    assert again.outcome.findings == judged.outcome.findings
    assert again.outcome.below == judged.outcome.below
    assert again.outcome.receipt.kept == 0
    assert again.outcome.judged.new == 0


def test_quiet_time_held_back_stays_within_the_budget(database, folder):
    report = tried(database, folder, until=QUIET)
    quiet = [one for one in report.outcome.findings if one.end < FIRST]

    days = (FIRST - QUIET) / timedelta(days=1) * 60
    assert len(quiet) <= 10 * (int(days) + 1)
    assert report.a_day() <= 10


def test_rules_alone_are_measured_without_a_model(database, folder):
    report = tried(database, folder, rules=pack(), behaviour=False)

    assert report.outcome.judged is None and report.outcome.trained is None
    assert report.days == pytest.approx(10 / 24, rel=0.1)
    assert summary(report)["scenarios"]["rules"]["share"] >= 0.6
    assert summary(report)["scenarios"]["behaviour"]["found"] == 0


def test_a_log_that_is_all_attack_is_judged_by_rules_and_says_why(database, folder):
    report = tried(database, folder, until=datetime(2026, 11, 23, 9, 46, tzinfo=UTC))

    assert report.outcome.untrained
    assert all(met.missed.startswith("no model") for met in report.met)


def test_the_command_says_all_of_it_and_leaves_nothing_behind(folder, tmp_path):
    asked = ["--time-scale", "60", "--train-until", "2026-11-23T10:46:30", "--output", "json", "--rules-off"]
    command = [sys.executable, "-m", "anomaly", "benchmark", "detection", str(folder), *asked]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={"TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)

    assert said["train_until"].startswith("2026-11-23T10:46:00")
    assert said["scenarios"]["behaviour"]["of"] == len({episode["scenario"] for episode in said["episodes"]})
    assert said["line"]["windows"] == said["line"]["over"] + said["line"]["below"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_labels_is_refused_in_words(tmp_path):
    command = [sys.executable, "-m", "anomaly", "benchmark", "detection", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert "labels.jsonl" in done.stderr


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_being_interrupted_leaves_nothing_behind_either(folder, tmp_path, ending):
    command = [sys.executable, "-m", "anomaly", "benchmark", "detection", str(folder), "--time-scale", "60"]
    running = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={"TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        start_new_session=True,
    )
    for line in running.stderr:
        if line.startswith("reading"):
            break
    os.killpg(running.pid, ending)
    running.communicate(timeout=60)

    assert running.returncode in {130, 143}
    assert list(tmp_path.iterdir()) == []
