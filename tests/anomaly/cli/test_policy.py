import json
from pathlib import Path

import pytest
import zstandard

from anomaly.cli.app import main
from anomaly.testing import raw_event
from tests.conftest import url_of

FOLDER = Path(__file__).parents[2] / "data" / "policy-verdicts"
VERDICTS = json.loads(zstandard.ZstdDecompressor().decompress((FOLDER / "verdicts.json.zst").read_bytes()))


@pytest.fixture
def run(capsys):
    def of(*words):
        with pytest.raises(SystemExit) as ended:
            main(["policy", *map(str, words)])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return of


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "audit.jsonl"
    lines = [raw_event("pods", "list", at=second) for second in range(0, 7200, 60)]
    path.write_bytes(
        b"\n".join([*lines, raw_event("secrets", "create", name="db", body={"data": {"x": "y"}})]) + b"\n"
    )
    return path


def recorded(name):
    return FOLDER / "policies" / f"{name}.yaml"


@pytest.mark.parametrize("name", ["k8s-docs-example", "writes-only", "failed-logins"])
def test_explain_prints_for_each_request_what_the_server_wrote(run, name):
    code, out, _ = run("explain", recorded(name), "--requests", FOLDER / "requests.json", "--output", "json")

    answers = {item["name"]: item["stages"] for item in json.loads(out)}
    assert code == 0
    assert answers == {request: verdict["stages"] for request, verdict in VERDICTS[name]["verdicts"].items()}


def test_explain_takes_a_stored_event_and_says_why_the_other_rules_do_not_decide(run, tmp_path):
    stored = tmp_path / "event.json"
    stored.write_bytes(raw_event("secrets", "create", name="db", uri="/api/v1/namespaces/shop/secrets"))
    code, out, _ = run("explain", recorded("resourcenames"), "--event", stored)

    assert code == 0
    assert "rules[1]" in out
    assert "rules[0] does not decide: name '' is not among its resourceNames" in out


def test_explain_says_why_for_every_request_when_asked(run):
    words = ("explain", recorded("resourcenames"), "--requests", FOLDER / "requests.json")
    plain, reasons = run(*words)[1], run(*words, "--why")[1]

    assert "does not decide" not in plain
    assert reasons.startswith(plain)
    assert reasons.count("\nrules[0] does not decide: ") > 100
    assert "\nsecrets-get-missing:\n" in reasons


def test_explain_says_in_json_which_bodies_are_written(run):
    _, out, _ = run("explain", recorded("metadata-all"), "--requests", FOLDER / "requests.json", "-o", "json")

    first = json.loads(out)[0]
    expected = VERDICTS["metadata-all"]["verdicts"][first["name"]]
    assert {key: first[key] for key in expected} == expected


def test_a_refused_policy_ends_with_the_server_s_words(run):
    code, out, err = run("explain", recorded("r-level-lowercase"), "--requests", FOLDER / "requests.json")

    assert (code, out) == (1, "")
    assert VERDICTS["r-level-lowercase"]["error"] in err
    assert "anomaly policy lint" in err


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "{policy}"),
        ("explain", "{policy}", "--requests", "{policy}"),
        ("coverage", "{policy}", "--keep", "secretz"),
        ("webhook", "lint"),
    ],
)
def test_what_cannot_be_understood_ends_with_2(run, words):
    code, _, err = run(*[word.format(policy=recorded("metadata-all")) for word in words])

    assert code == 2
    assert err


def test_lint_ends_with_1_on_errors_and_0_on_advice(run, tmp_path):
    advice = tmp_path / "p.yaml"
    advice.write_text("apiVersion: audit.k8s.io/v1\nrules: [{level: Metadata}]\n")

    assert run("lint", advice)[0] == 0
    code, out, err = run("lint", recorded("star-users"))
    assert code == 1
    assert "star-users.yaml:5: error: wildcard-never-matches" in out
    assert "errors" in err
    assert {row["id"] for row in json.loads(run("lint", recorded("star-users"), "-o", "json")[1])} >= {
        "nothing-written"
    }


def test_simulate_counts_by_rule(run, log):
    code, out, _err = run("simulate", recorded("writes-only"), log, "--output", "json")

    found = json.loads(out)
    assert code == 0
    assert (found["total"]["dropped"], found["total"]["lowered"], found["total"]["kept"]) == (120, 1, 1)
    assert found["talkers"][0]["action"] == "create secrets"
    assert found["notes"]


def test_forecast_scales_to_a_day_with_and_without_a_policy(run, log):
    stored = json.loads(run("forecast", log, "-o", "json")[1])
    cheaper = json.loads(run("forecast", log, "--policy", recorded("writes-only"), "-o", "json")[1])

    assert stored["total"]["events"] == pytest.approx(121 * 86400 / stored["seconds"], rel=0.01)
    assert cheaper["total"]["bytes"] < stored["total"]["bytes"] / 10
    assert run("forecast", log)[1].startswith("part")


def test_coverage_diff_and_cis_end_with_1_when_there_is_something_to_see(run):
    metadata = recorded("metadata-all")

    assert run("coverage", metadata, "--keep", "secrets")[0] == 0
    assert run("coverage", metadata, "--keep", "workloads")[0] == 1
    assert run("diff", metadata, metadata)[0] == 0
    assert run("diff", metadata, recorded("writes-only"), "--requests", FOLDER / "requests.json")[0] == 1
    assert run("cis", metadata)[0] == 0
    code, out, _ = run("cis", recorded("writes-only"), "-o", "json")
    assert code == 1
    assert {
        check["verb"] for check in json.loads(out) if check["target"] == "secrets" and not check["passed"]
    } == {"get", "list", "watch"}


def test_generate_prints_a_policy_that_lint_accepts(run, tmp_path):
    code, out, err = run("generate", "--keep", "exec-into-pod", "--keep", "secrets")
    made = tmp_path / "p.yaml"
    made.write_text(out)

    assert (code, "see all they need" in err) == (0, True)
    assert run("coverage", made, "--keep", "exec-into-pod", "--keep", "secrets")[0] == 0


def test_generate_names_the_rules_that_confidential_bodies_would_feed(run):
    code, out, err = run("generate", "--keep", "credentials-in-configmap", "-o", "json")

    assert code == 1
    assert json.loads(out)["withheld"] == {"credentials-in-configmap": ["configmaps"]}
    assert "--bodies-of configmaps" in err
    assert run("generate", "--keep", "credentials-in-configmap", "--bodies-of", "configmaps")[0] == 0
    assert run("generate", "--bodies-of", "pods")[0] == 2


def test_the_webhook_files_are_generated_and_checked(run, tmp_path):
    code, out, _ = run(
        "webhook", "generate", "https://sink.corp:9443/audit", "--cluster", "lab", "-o", "json"
    )
    made = json.loads(out)
    config, manifest = tmp_path / "webhook.yaml", tmp_path / "flags"
    config.write_text(made["kubeconfig"])
    manifest.write_text("\n".join(made["flags"]))

    assert code == 0
    assert run("webhook", "lint", config, "--flags", manifest)[0] == 0
    assert run("webhook", "lint", FOLDER / "seed-article" / "webhook-indented.yaml")[0] == 1


def test_a_file_that_is_not_there_is_said_so(run, tmp_path):
    code, _, err = run("lint", tmp_path / "none.yaml")

    assert code == 1
    assert "cannot be read" in err


def test_an_empty_database_is_said_to_be_empty(run, worker_database, monkeypatch):
    monkeypatch.setenv("ANOMALY_DATABASE__URL", url_of(worker_database))
    policy = recorded("metadata-all")

    code, out, err = run("simulate", policy, "--stored")
    assert (code, "all" in out, "No events." in out + err) == (0, True, True)
    code, out, err = run("forecast", "--stored", "--policy", policy)
    assert (code, out) == (2, "")
    assert "no events" in err
    code, out, err = run("coverage", policy, "--stored", "-o", "json")
    assert (code, json.loads(out)) == (0, [])
    assert "0 different requests are stored" in err
