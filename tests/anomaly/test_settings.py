"""Layers, origins, secrets, and every way of getting a setting wrong."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import anomaly
from anomaly.errors import SettingsInvalid
from anomaly.settings import DatabaseSettings, Settings, load_settings
from anomaly.settings.layers import fields
from anomaly.settings.reference import docstrings, page
from anomaly.settings.units import parse_duration, parse_size, show_duration, show_size

PROMISED = {
    "completeness.silence_after": "10m",
    "completeness.lag_most": "10m",
    "completeness.watch_every": "1m",
    "completeness.quarantined_most": 0.01,
    "completeness.quarantined_few": 10,
    "completeness.api_servers": {},
    "completeness.api_tokens": {},
    "completeness.api_cas": {},
    "completeness.api_timeout": "10s",
    "completeness.scrape_every": "5m",
    "completeness.canary_every": "10m",
    "completeness.complete_least": 0.99,
    "completeness.refused_most": 20,
    "database.connect_timeout": "15s",
    "database.lock_timeout": "10s",
    "database.max_wal_size": "2GiB",
    "database.parameters": {},
    "database.pool_overflow": 8,
    "database.pool_size": 8,
    "database.query_timeout": "30s",
    "database.run_as": "nobody",
    "database.shared_buffers": "256MiB",
    "database.start_timeout": "5m",
    "database.url": None,
    "access.session_idle": "2h",
    "access.session_lifetime": "12h",
    "ingest.max_expansion": 200,
    "sources.follow": {},
    "sources.folder": {},
    "sources.follow_every": "1s",
    "sources.look_every": "30s",
    "jobs.enabled": True,
    "jobs.fold_every": "10s",
    "jobs.lead_every": "2s",
    "jobs.retain_at": "04:30",
    "jobs.score_every": "1s",
    "jobs.suppress_every": "15s",
    "log.format": "auto",
    "log.level": "info",
    "tracing.endpoint": None,
    "tracing.share": 0.1,
    "redaction.configmaps": False,
    "redaction.enabled": True,
    "redaction.key": None,
    "oidc.client_id": "",
    "oidc.client_secret": None,
    "oidc.groups": {},
    "oidc.groups_claim": "groups",
    "oidc.issuer": None,
    "oidc.name_claim": "preferred_username",
    "oidc.scopes": ["openid", "profile", "email"],
    "oidc.title": "single sign-on",
    "retention.access": "400d",
    "retention.events": "90d",
    "retention.findings": "730d",
    "retention.quarantine": "30d",
    "retention.windows": "400d",
    "rules.disabled": [],
    "rules.folders": [],
    "scoring.findings_per_day": 10.0,
    "serve.body_timeout": "30s",
    "serve.host": "127.0.0.1",
    "serve.max_body": "64MiB",
    "serve.max_pending": "256MiB",
    "serve.port": 8443,
    "serve.public_url": None,
    "serve.tls_cert": None,
    "serve.tls_client_ca": None,
    "serve.tls_key": None,
    "training.at": "02:30",
    "training.jobs": -1,
    "training.keep_models": 30,
    "training.lookback": "28d",
    "training.min_windows": 200,
    "training.sample": 256,
    "training.seed": 20260101,
    "training.trees": 200,
    "training.verdicts_per_technique": 20,
    "training.zone": "UTC",
    "windows.settle": "5m",
    "windows.span": "1h",
}


@pytest.fixture
def home(tmp_path):
    for folder in ("work", "config/anomaly"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def load(home, config=None, **environ):
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), **environ}
    return load_settings(config, environ=environ, directory=home / "work")


def here(home, text):
    (home / "work" / "anomaly.toml").write_text(text)


def test_the_promised_defaults_hold(home):
    loaded = load(home)
    plain = loaded.settings.model_dump(mode="json")
    flat = {
        f"{group}.{name}": value
        for group in plain
        if group != "data_dir"
        for name, value in plain[group].items()
    }

    assert flat == PROMISED
    assert set(loaded.origins.values()) == {"default"}


def test_each_layer_wins_over_the_one_below(home):
    (home / "config" / "anomaly" / "config.toml").write_text(
        "[serve]\nport = 1\nhost = 'a'\nmax_body = '1MiB'\n[scoring]\nfindings_per_day = 1\n"
    )
    here(home, "[serve]\nport = 2\nhost = 'b'\nmax_body = '2MiB'\n")
    named = home / "named.toml"
    named.write_text("[serve]\nport = 4\n")
    loaded = load(home, named, ANOMALY_SERVE__PORT="3", ANOMALY_SERVE__HOST="c")

    serve = loaded.settings.serve
    assert (serve.port, serve.host, serve.max_body, loaded.settings.scoring.findings_per_day) == (
        4,
        "c",
        2 * 2**20,
        1,
    )
    assert loaded.origins["serve.port"] == str(named)
    assert loaded.origins["serve.host"] == "environment ANOMALY_SERVE__HOST"
    assert loaded.origins["serve.max_body"] == str(home / "work" / "anomaly.toml")
    assert loaded.origins["scoring.findings_per_day"] == str(home / "config" / "anomaly" / "config.toml")
    assert loaded.origins["serve.tls_key"] == "default"


def test_the_file_named_by_the_environment_counts_as_named(home):
    (home / "named.toml").write_text("[serve]\nport = 4\n")

    assert (
        load(home, ANOMALY_CONFIG=str(home / "named.toml"), ANOMALY_SERVE_PORT="3").settings.serve.port == 4
    )


@pytest.mark.parametrize("variable", ["ANOMALY_DATABASE_URL", "ANOMALY_DATABASE__URL"])
def test_one_underscore_does_as_well_as_two(home, variable):
    loaded = load(home, **{variable: "postgresql://h/x"})

    assert loaded.settings.database.url.get_secret_value() == "postgresql://h/x"


def test_no_two_settings_share_a_variable():
    flat = ["_".join(field.key) for field in fields()]

    assert len(set(flat)) == len(flat)


def test_the_data_directory_follows_xdg(home, monkeypatch):
    monkeypatch.setenv("HOME", str(home))
    assert load(home).settings.data_dir == home / ".local" / "share" / "anomaly"
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "share"))
    assert load(home).settings.data_dir == home / "share" / "anomaly"
    monkeypatch.setenv("XDG_DATA_HOME", "relative/ones/do/not/count")
    assert load(home).settings.data_dir == home / ".local" / "share" / "anomaly"


def test_relative_paths_count_from_the_file_that_names_them(home):
    (home / "config" / "anomaly" / "config.toml").write_text("[rules]\nfolders = ['mine', '/etc/theirs']\n")

    assert load(home).settings.rules.folders == (home / "config" / "anomaly" / "mine", Path("/etc/theirs"))
    assert load(home, ANOMALY_RULES_FOLDERS="a,b").settings.rules.folders == (
        home / "work" / "a",
        home / "work" / "b",
    )
    assert load(home, ANOMALY_DATA_DIR="data").settings.data_dir == home / "work" / "data"


def test_a_secret_may_be_kept_in_a_file(home):
    (home / "work" / "url").write_text("postgresql://ann:secret@h/x\n")
    here(home, "[database]\nurl_file = 'url'\n")

    assert load(home).settings.database.url.get_secret_value() == "postgresql://ann:secret@h/x"
    assert load(home, ANOMALY_DATABASE_URL_FILE="url").origins["database.url"].startswith("environment")
    assert "ann:secret" not in repr(load(home).settings)


def test_server_parameters_can_be_a_table_or_a_variable(home):
    here(home, "[database.parameters]\nwork_mem = '64MB'\njit = true\nmax_connections = 9\n")

    assert load(home).settings.database.parameters == {
        "work_mem": "64MB",
        "jit": "on",
        "max_connections": "9",
    }
    assert load(home, ANOMALY_DATABASE_PARAMETERS="a=1,b=on").settings.database.parameters == {
        "a": "1",
        "b": "on",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[serve]\nprot = 1", ["anomaly.toml", "serve.prot", "serve.port"], id="misspelt name"),
        pytest.param("[server]\nport = 1", ["anomaly.toml", "serve"], id="misspelt group"),
        pytest.param("port = 1", ["anomaly.toml", "serve.port"], id="group forgotten"),
        pytest.param("[serve]\nport = = 1", ["anomaly.toml", "line 2"], id="broken TOML"),
        pytest.param("[serve]\nport = 70000", ["anomaly.toml", "serve.port", "65535"], id="out of bounds"),
        pytest.param("[serve]\nport = 'x'", ["anomaly.toml", "serve.port", "integer"], id="wrong type"),
        pytest.param("serve = 1", ["anomaly.toml", "serve"], id="a group that is none"),
        pytest.param("[serve]\nport = 1\nport = 2", ["anomaly.toml", "line 3"], id="twice"),
        pytest.param(
            "[windows]\nspan = '7h'",
            ["anomaly.toml: windows.span", "span must divide a day"],
            id="span does not divide a day",
        ),
        pytest.param("[windows]\nspan = '0s'", ["anomaly.toml", "windows.span"], id="no span"),
        pytest.param("[windows]\nspan = 'an hour'", ["windows.span", "90s, 15m"], id="no duration"),
        pytest.param("[serve]\nmax_body = '1XB'", ["serve.max_body", "64MiB"], id="no size"),
        pytest.param(
            "[serve]\ntls_cert = 'a'",
            ["anomaly.toml: serve.tls_cert", "set together"],
            id="half a certificate",
        ),
        pytest.param(
            "[database]\nurl_file = 'gone'", ["database.url_file", "gone"], id="secret file missing"
        ),
        pytest.param("[serve]\nport_file = 'x'", ["serve.port_file"], id="file for what is no secret"),
    ],
)
def test_a_mistake_in_a_file_is_named(home, text, words):
    here(home, text)
    with pytest.raises(SettingsInvalid) as raised:
        load(home)

    assert [word for word in words if word not in str(raised.value)] == []
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ANOMALY_SERVE__PROT", "1", ["ANOMALY_SERVE__PROT", "ANOMALY_SERVE__PORT?"]),
        ("ANOMALY_SERVE_PORT", "many", ["ANOMALY_SERVE_PORT", "integer"]),
        ("ANOMALY_WINDOWS__SPAN", "1y", ["ANOMALY_WINDOWS__SPAN", "90s"]),
        ("ANOMALY_DATABASE_PARAMETERS", "{broken", ["ANOMALY_DATABASE_PARAMETERS"]),
        ("ANOMALY_RULES_FOLDERS", "[broken", ["ANOMALY_RULES_FOLDERS"]),
    ],
)
def test_a_mistake_in_a_variable_is_named(home, variable, value, words):
    with pytest.raises(SettingsInvalid) as raised:
        load(home, **{variable: value})

    assert [word for word in words if word not in str(raised.value)] == []


def test_a_secret_never_stands_in_the_message_about_it(home):
    here(home, "[database]\nurl = ['hunter2']\n")
    with pytest.raises(SettingsInvalid) as raised:
        load(home)

    assert "hunter2" not in str(raised.value)


def test_a_named_file_must_exist(home):
    with pytest.raises(SettingsInvalid, match="does not exist"):
        load(home, home / "nowhere.toml")


def test_other_variables_are_none_of_our_business(home):
    assert set(load(home, ANOMALYSERVE="1", PATH="/bin", anomaly_serve="x").origins.values()) == {"default"}


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(ValidationError):
        Settings().serve.port = 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("7d", 604800),
        ("2w", 1209600),
        ("45", 45),
        ("1.5h", 5400),
        (60, 60),
    ],
)
def test_durations_are_read_as_people_write_them(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "h", "1x", "1h 5", "-1h", "1h,2m", "1 hour"])
def test_other_words_are_no_duration(text):
    with pytest.raises(ValueError, match="write a duration"):
        parse_duration(text)


@given(st.integers(0, 10**9))
def test_a_written_duration_reads_back(seconds):
    assert parse_duration(show_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@given(st.integers(0, 2**50))
def test_a_written_size_reads_back(size):
    assert parse_size(show_size(size)) == size


def test_every_setting_has_a_reason():
    said = docstrings()
    groups = {name: field.annotation for name, field in Settings.model_fields.items()}
    for field in fields():
        kind = "Settings" if len(field.key) == 1 else groups[field.key[0]].__name__
        assert len(said[kind, field.key[-1]]) > 20, field.name


def test_the_reference_page_is_current():
    written = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"

    assert written.read_text(encoding="utf-8") == page(), (
        "run: anomaly settings --reference > docs/reference/settings.md"
    )


def test_a_setting_can_be_made_in_code_with_the_same_words():
    assert DatabaseSettings(query_timeout="1m", shared_buffers="1GiB").shared_buffers == 2**30


def test_no_setting_is_left_that_nothing_reads():
    package = Path(anomaly.__file__).parent
    outside = [path for path in package.rglob("*.py") if package / "settings" not in path.parents]
    words = set(re.findall(r"\w+", "\n".join(path.read_text(encoding="utf-8") for path in outside)))
    assert {name for name in PROMISED if name.rpartition(".")[2] not in words} == set()
