"""A cluster there is not is said to be none, by every command that takes one; a budget nobody can mean is refused."""

import pytest

from tests.anomaly.cli.running import Command


@pytest.fixture
def anomaly(database, tmp_path, monkeypatch, capsysbinary):
    return Command(database, tmp_path, monkeypatch, capsysbinary)


@pytest.mark.parametrize(
    "command",
    [
        ["events"],
        ["events", "--count"],
        ["findings", "list"],
        ["windows", "show", "amy"],
        ["models", "list"],
        ["models", "rollback"],
        ["quarantine", "list"],
        ["score"],
        ["train"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("name", ["nope", ""])
def test_a_cluster_there_is_not_is_not_found(anomaly, command, name):
    done = anomaly(*command, "--cluster", name)

    assert done.code == 1
    assert f"There is no cluster '{name}'." in done.err
    assert "anomaly cluster list" in done.err


@pytest.mark.parametrize("command", [["events"], ["findings", "list"]], ids=" ".join)
def test_a_cluster_in_which_nothing_happened_is_empty_and_no_error(anomaly, command):
    assert anomaly("cluster", "add", "quiet").code == 0
    done = anomaly(*command, "--cluster", "quiet", json=True)

    assert (done.code, done.data) == (0, [])


@pytest.mark.parametrize("budget", ["-1", "0", "nan", "inf", "1e9"])
def test_a_budget_that_is_none_is_a_mistake_in_use(anomaly, budget):
    done = anomaly("score", "--budget", budget)

    assert done.code == 2
    assert "--budget must be more than 0" in done.err
    assert "bug" not in done.err


def test_a_small_budget_is_one(anomaly):
    assert anomaly("score", "--budget", "0.5").code == 0
