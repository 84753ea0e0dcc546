"""The metrics of a running service: what was taken in, what is stored, and of whose clusters."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from anomaly.rights import Right
from anomaly.store.clusters import add_cluster, cluster_id
from anomaly.store.tokens import Grant, issue, make
from anomaly.web.server import clock
from tests.anomaly.web.running import Service, batch, event_list
from tests.conftest import url_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def service(database, tmp_path):
    with Service(url_of(database), tmp_path, ANOMALY_JOBS__ENABLED="false") as running:
        yield running


def scrape(service, token):
    status, text, headers = service.ask("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
    assert status == 200, text
    assert headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def reader(database, *clusters):
    with database.begin() as connection:
        numbers = frozenset(cluster_id(connection, name) for name in clusters)
        return make(connection, Grant("monitor", frozenset({Right.READ}), numbers or None))[1]


@pytest.fixture
def tokens(database):
    """Ingest tokens of two clusters by name."""
    with database.begin() as connection:
        return {name: issue(connection, add_cluster(connection, name)) for name in ("shop", "bank")}


def test_what_is_taken_in_is_counted_by_cluster_and_outcome(service, database, tokens):
    body = batch(4)
    for sent in (body, body, event_list(b'{"kind":"Event","auditID":1}')):
        assert service.post("shop", tokens["shop"], sent)[0] == 200
    found = scrape(service, reader(database))
    events = {
        outcome: found["anomaly_ingest_events_total", ("cluster", "shop"), ("outcome", outcome)]
        for outcome in ("kept", "duplicate", "quarantined")
    }
    assert events == {"kept": 4, "duplicate": 4, "quarantined": 1}
    assert found["anomaly_ingest_bytes_total", ("cluster", "shop")] > 2 * len(body)
    assert found[("anomaly_ingest_commit_duration_seconds_count",)] == 3
    assert found[("anomaly_ingest_pending_bytes",)] == 0
    assert found[("anomaly_database_up",)] == 1
    assert found[("anomaly_database_size_bytes",)] > 1_000_000


def test_requests_are_counted_by_the_path_of_the_route_table_alone(service, database, tokens):
    service.get("/nobody/made/this?x=1")
    service.post("shop", "not-a-token", b"{}")
    service.post("invented-cluster", tokens["shop"], b"{}")
    service.ask("BREW", "/healthz")
    found = scrape(service, reader(database))
    seen = {key[1:] for key in found if key[0] == "anomaly_http_request_duration_seconds_count"}
    routes = {dict(labels)["route"] for labels in seen}
    assert routes <= {"unknown", "/v1/clusters/{cluster}/audit", "/metrics", "/healthz"}
    assert {dict(labels)["method"] for labels in seen} <= {"GET", "POST", "other"}
    assert not [key for key in found if "invented-cluster" in str(key)]


def test_a_token_of_some_clusters_sees_only_these(service, database, tokens):
    for name, token in tokens.items():
        assert service.post(name, token, batch(2))[0] == 200
    everything, some = scrape(service, reader(database)), scrape(service, reader(database, "bank"))
    assert {"shop", "bank"} == clusters_in(everything)
    assert {"bank"} == clusters_in(some)
    assert some[("anomaly_database_up",)] == 1


def clusters_in(found):
    return {value for key in found for name, value in key[1:] if name == "cluster"}


def test_an_ingest_token_reads_no_metrics(service, tokens):
    headers = {"Authorization": f"Bearer {tokens['shop']}"}
    assert service.ask("GET", "/metrics", headers=headers)[0] == 403
    assert service.get("/metrics") == 401


def test_the_state_of_findings_models_and_jobs_is_shown(town, tmp_path):
    with town.database.connection() as connection:
        connection.execute(
            "INSERT INTO anomaly.job_run (job, scheduled_at, started_at, finished_at, outcome)"
            " VALUES ('folding', now(), now() - interval '2 s', now(), 'ok'), ('training', now(), now(), now(), 'failed')"
        )
    with Service(
        url_of(town.database), tmp_path, ANOMALY_JOBS__ENABLED="false", ANOMALY_WINDOWS__SPAN="1m"
    ) as service:
        found = scrape(service, reader(town.database))
    assert found["anomaly_job_ok", ("job", "folding")] == 1
    assert found["anomaly_job_ok", ("job", "training")] == 0
    assert found["anomaly_job_duration_seconds", ("job", "folding")] == pytest.approx(2, abs=0.1)
    assert ("anomaly_job_last_success_timestamp_seconds", ("job", "training")) not in found
    (made,) = [value for key, value in found.items() if key[0] == "anomaly_model_made_timestamp_seconds"]
    assert abs(made - clock().timestamp()) < 3600


def test_the_reference_names_every_metric(service, database):
    status, text, _ = service.ask("GET", "/metrics", headers={"Authorization": f"Bearer {reader(database)}"})
    assert status == 200
    families = set(re.findall(r"^# TYPE (anomaly_\S+)", text.decode(), re.MULTILINE))
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    assert len(families) > 12
    missing = {
        name
        for name in families
        if f"`{name}`" not in page and f"`{name}_total`" not in page and not name.endswith("_created")
    }
    assert not missing
