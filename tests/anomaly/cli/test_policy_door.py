"""`anomaly policy set|show|clear|dropped`: nothing is set without --yes, and what is dropped can be seen."""

import pytest

from tests.anomaly.cli.running import Command
from tests.anomaly.test_door import POLICY, mixed


@pytest.fixture
def anomaly(database, tmp_path, monkeypatch, capsysbinary):
    return Command(database, tmp_path, monkeypatch, capsysbinary)


def ingest(anomaly, folder, name, raws):
    (folder / name).write_bytes(b"\n".join(raws) + b"\n")
    return anomaly("ingest", folder / name, "--cluster", "shop", "--workers", "0", json=True).data


def test_a_policy_is_weighed_set_shown_and_cleared(anomaly, tmp_path):
    file = tmp_path / "door.yaml"
    file.write_text(POLICY)
    assert ingest(anomaly, tmp_path, "a.log", mixed(0, 10))["dropped by policy"] == 0
    weighed = anomaly("policy", "set", file, "--cluster", "shop", "--since", "2020-01-01")
    assert weighed.code == 1 and "Nothing is set yet" in weighed.err
    assert "Would have dropped 10 of 30 events" in weighed.out and "kept 10 without bodies" in weighed.out
    assert "see less" in weighed.out
    assert "everything is kept" in anomaly("policy", "show", "--cluster", "shop").err
    done = anomaly("policy", "set", file, "--cluster", "shop", "--yes", json=True)
    assert done.code == 0 and done.data["set"] and done.data["forecast"]["events"] == 0
    assert anomaly("policy", "show", "--cluster", "shop").out == POLICY.rstrip("\n") + "\n"
    assert anomaly("policy", "show", "--cluster", "shop", json=True).data["policy"] == POLICY
    counts = ingest(anomaly, tmp_path, "b.log", mixed(10, 20))
    assert (counts["events kept"], counts["dropped by policy"]) == (20, 10)
    assert "create events" in anomaly("policy", "dropped", "--cluster", "shop").out
    assert anomaly("policy", "dropped", "--cluster", "shop", json=True).data["dropped"] == 10
    days = anomaly("completeness", "show", "--cluster", "shop", json=True).data["days"]
    assert days[0]["dropped"] == 10
    assert "is kept from now on" in anomaly("policy", "clear", "--cluster", "shop").err
    assert "There was no policy" in anomaly("policy", "clear", "--cluster", "shop").err
    assert ingest(anomaly, tmp_path, "c.log", mixed(20, 30))["events kept"] == 30


def test_what_is_no_policy_or_no_cluster_is_refused(anomaly, tmp_path):
    file = tmp_path / "door.yaml"
    file.write_text("kind: Policy")
    assert anomaly("cluster", "add", "shop").code == 0
    assert anomaly("policy", "set", file, "--cluster", "shop", "--yes").code != 0
    file.write_text(POLICY)
    assert anomaly("policy", "set", file, "--cluster", "nowhere", "--yes").code != 0
    assert "everything is kept" in anomaly("policy", "show", "--cluster", "shop").err
