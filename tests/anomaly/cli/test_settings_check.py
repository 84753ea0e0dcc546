"""`anomaly settings check` uses what is set and says what cannot be used; it starts nothing."""

import json

from tests.anomaly.cli.running import run
from tests.conftest import url_of


def checked(home, **environment):
    done = run("settings", "check", "--output", "json", home=home, **environment)
    return done.returncode, {row["what"]: (row["usable"], row["detail"]) for row in json.loads(done.stdout)}


def test_a_fresh_installation_is_usable_and_nothing_is_started(tmp_path):
    status, found = checked(tmp_path)
    assert status == 0
    assert found["database"] == (True, "embedded, absent")
    assert not (tmp_path / ".local").exists()
    assert "rules" in found["rules"][1]


def test_what_cannot_be_used_is_said_with_what_to_do(tmp_path):
    (tmp_path / "cert.pem").write_text("no certificate")
    status, found = checked(
        tmp_path,
        ANOMALY_TRAINING__ZONE="Europe/Nowhere",
        ANOMALY_SERVE__TLS_CERT=str(tmp_path / "cert.pem"),
        ANOMALY_SERVE__TLS_KEY=str(tmp_path / "cert.pem"),
        ANOMALY_DATA_DIR=str(tmp_path / "cert.pem" / "data"),
    )
    assert status == 1
    unusable = {what for what, (usable, _) in found.items() if not usable}
    assert unusable == {"nightly training", "TLS", "data folder"}
    assert "Europe/Nowhere" in found["nightly training"][1]
    assert "cert.pem" in found["TLS"][1]


def test_a_server_by_url_is_asked_for_its_schema(tmp_path, database, postgres):
    status, found = checked(tmp_path, ANOMALY_DATABASE_URL=url_of(database))
    assert (status, found["database"][0]) == (0, True)
    assert "PostgreSQL 1" in found["database"][1]
    with postgres.empty() as empty:
        status, found = checked(tmp_path, ANOMALY_DATABASE_URL=url_of(empty))
    assert (status, found["database"][0]) == (1, False)
    assert "anomaly db upgrade" in found["database"][1]


def test_a_setting_that_there_is_not_ends_it_at_once(tmp_path):
    done = run("settings", "check", home=tmp_path, ANOMALY_SERVE__PROT="1")
    assert done.returncode == 2
    assert "Did you mean" in done.stderr
