"""`anomaly models`, `train`, `replay`, `jobs`, `triage` and `suppress` as people use them, on a town with a model."""

import json

import pytest

from anomaly.cli import main
from tests.anomaly.town import theft
from tests.conftest import url_of


@pytest.fixture
def anomaly(town, tmp_path, monkeypatch, capsys):
    """Run the command on the town's database; returns (exit code, standard output, standard error)."""
    monkeypatch.setenv("ANOMALY_DATABASE__URL", url_of(town.database))
    monkeypatch.setenv("ANOMALY_WINDOWS__SPAN", "1m")
    monkeypatch.setenv("ANOMALY_WINDOWS__SETTLE", "0s")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


@pytest.fixture
def ask(anomaly):
    """The same, as JSON."""

    def run(*arguments):
        code, out, err = anomaly(*arguments, "--output", "json")
        assert code == 0, err
        return json.loads(out)

    return run


@pytest.fixture
def stolen(town, ask):
    """The id of the finding about mallory."""
    town.keep(*theft("mallory", town.now))
    assert ask("jobs", "run", "scoring")["outcome"] == "ok"
    (one,) = ask("findings", "list", "--entity", "mallory")
    return one["id"]


def test_models_are_trained_listed_shown_promoted_and_rolled_back(anomaly, ask):
    (first,) = ask("models", "list")
    (trained,) = ask("train", "--since", "2h", "--recipe", "small", "--time-scale", "60")
    assert trained["verdicts"]["reason"] == "No verdicts to hear."
    ask("models", "promote", str(trained["model"]))
    assert [one["state"] for one in ask("models", "list")] == ["champion", "retired"]
    assert ask("models", "rollback")["model"] == first["id"]
    assert [one["state"] for one in ask("models", "list")] == ["withdrawn", "champion"]

    shown = ask("models", "show", str(first["id"]))
    assert shown["card"]["windows"] == first["windows"] == 360
    code, out, _ = anomaly("models", "show", str(first["id"]))
    assert code == 0
    assert "Promoted, as there is no other model" in out


def test_going_back_with_nothing_to_go_back_to_says_so(anomaly):
    code, out, err = anomaly("models", "rollback")

    assert (code, out) == (1, "")
    assert "no earlier champion" in err


def test_a_model_that_there_is_not_is_told_with_where_to_look(anomaly):
    code, _, err = anomaly("models", "show", "99")

    assert code == 1
    assert "There is no model 99." in err
    assert "anomaly models list" in err


def test_two_models_are_compared_by_card_line_drift_and_findings(ask, stolen, anomaly):
    (trained,) = ask("train", "--since", "2h", "--time-scale", "60")
    (_, first) = ask("models", "list")
    both = ask("models", "diff", str(first["id"]), str(trained["model"]), "--days", "1")

    facts = {one["fact"]: (one["one"], one["other"]) for one in both["facts"]}
    assert facts["windows"][0] == 360
    assert facts["line (p-value)"][0] > 0
    assert sum(day["tried"] for day in both["days"]) >= 1
    code, out, _ = anomaly("models", "diff", str(first["id"]), str(first["id"]), "--days", "1")
    assert code == 0
    assert "trained until" in out


def test_a_replay_shows_each_day_and_keeps_nothing(ask, stolen, anomaly):
    (first,) = ask("models", "list")
    before = len(ask("findings", "list"))
    said = ask("replay", "--model", str(first["id"]), "--from", "1d")

    assert said["against"] == first["id"]
    assert sum(day["tried"] for day in said["days"]) >= 1
    assert all(day["gained"] == day["lost"] == [] for day in said["days"])
    assert len(ask("findings", "list")) == before
    code, out, _ = anomaly("replay", "--model", str(first["id"]), "--from", "1d")
    assert (code, "gained" in out) == (0, True)


def test_jobs_are_listed_run_and_their_history_shown(ask, anomaly):
    listed = {one["job"]: one for one in ask("jobs", "list")}
    assert listed["training"]["runs"] == "daily at 02:30 UTC"
    assert listed["folding"]["outcome"] is None
    assert ask("jobs", "run", "folding")["parts"] == 0

    (run,) = ask("jobs", "history")
    assert (run["job"], run["outcome"], run["attempt"]) == ("folding", "ok", 1)
    code, _, err = anomaly("jobs", "run", "sleeping")
    assert code == 1
    assert "There is no job 'sleeping'" in err


def test_nobody_running_the_jobs_is_said(anomaly):
    _, _, err = anomaly("jobs", "list")

    assert "Nobody runs them now" in err


def test_a_finding_is_taken_closed_and_its_history_shown(ask, anomaly, stolen):
    assert ask("triage", "take", stolen[:8], "--as", "ann")["assignee"] == "ann"
    code, _, err = anomaly("triage", "close", stolen, "--verdict", "benign", "--version", "0", "--as", "bea")
    assert code == 1
    assert "ann was faster" in err
    ask("triage", "comment", stolen, "a drill of the red team", "--as", "bea")
    closed = ask("triage", "close", stolen, "--verdict", "benign", "--note", "drill", "--as", "ann")
    assert (closed["state"], closed["verdict"], closed["version"]) == ("closed", "benign", 3)
    assert ask("triage", "undo", stolen)["state"] == "taken"

    steps = ask("triage", "history", stolen)["steps"]
    assert [(one["move"], one["undone"]) for one in steps] == [
        ("take", False),
        ("comment", False),
        ("close", True),
        ("undo", False),
    ]
    code, _, err = anomaly("triage", "take", stolen)
    assert code == 1
    assert "It can assign, release, comment, close." in err


@pytest.mark.parametrize("verdict", ["", "maybe"])
def test_a_verdict_that_is_none_is_a_mistake_of_usage(anomaly, stolen, verdict):
    assert anomaly("triage", "close", stolen, *(("--verdict", verdict) if verdict else ()))[0] == 2


def test_a_suppression_is_previewed_added_listed_and_ended(ask, anomaly, stolen):
    would = ask("suppress", "preview", "--entity", "mal*")
    assert [one["id"] for one in would["hidden"]] == [stolen]
    added = ask("suppress", "add", "--entity", "mal*", "--reason", "a drill", "--owner", "ann", "--days", "3")
    assert added["hidden_now"] == 1
    (listed,) = ask("suppress", "list")
    assert (listed["hides"], listed["owner"], listed["up_to"]) == (1, "ann", "high")
    (one,) = ask("findings", "list", "--entity", "mallory")
    assert one["state"] == "suppressed"

    number = str(listed["id"])
    assert ask("suppress", "end", number)["ended"] is True
    assert ask("suppress", "list") == []
    assert anomaly("suppress", "end", number)[0] == 1


def test_a_suppression_of_everything_is_refused(anomaly):
    code, _, err = anomaly("suppress", "add", "--reason", "peace and quiet")

    assert code == 2
    assert "needs a name or an entity" in err


def test_a_false_alarm_makes_alike_findings_sink_when_windows_are_scored(town, ask):
    for who in ("ann1", "ann2", "ann3"):
        town.keep(*theft(who, town.now, 12))
    since = town.now.isoformat()
    ask("score", "--since", since)
    first, second, third = ask("findings", "list", "--name", "secrets_enumerated")
    ask("triage", "close", first["id"], "--verdict", "false_alarm")
    ask("triage", "close", second["id"], "--verdict", "false_alarm")
    ask("score", "--since", since)
    with town.database.connection() as connection:
        heard = dict(
            connection.execute("SELECT finding_id::text, heard_score FROM anomaly.triage").fetchall()
        )

    assert heard[third["id"]] < third["score"]
    assert heard[first["id"]] is None


def test_budget_says_what_was_promised_of_each_day_and_what_came(anomaly, ask, town):
    town.keep(*theft("amy", town.now))
    assert anomaly("score", "--since", town.now.isoformat())[0] == 0

    today = ask("budget")[0]
    assert today["cluster"] == "town"
    assert today["came"]["shown"] >= 1
    assert today["promised"]["low"] <= today["promised"]["expected"] <= today["promised"]["high"]
    assert anomaly("jobs", "run", "promising")[0] == 0
    code, out, _ = anomaly("budget")
    assert code == 0
    assert "so far" in out
