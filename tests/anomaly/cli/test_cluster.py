"""`anomaly cluster`, as people use it: what is printed, what is refused, and that the printed token opens the door."""

import json
import stat
from base64 import b64decode

import pytest
import sqlalchemy
from ruamel.yaml import YAML

from anomaly.cli import main
from tests.anomaly.web.running import Service, batch
from tests.conftest import url_of


@pytest.fixture
def anomaly(database, tmp_path, monkeypatch, capsys):
    """Run the command on a database of the test's own; returns (exit code, standard output, standard error)."""
    monkeypatch.setenv("ANOMALY_DATABASE__URL", url_of(database))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["cluster", *arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


def added(anomaly, *arguments):
    code, out, err = anomaly("add", *arguments, "--output", "json")
    assert code == 0, err
    return json.loads(out)


def test_the_printed_token_and_address_are_all_that_a_sender_needs(anomaly, database, tmp_path):
    given = added(anomaly, "prod-eu-1")
    config = YAML(typ="safe").load(given["kubeconfig"])
    user = {one["name"]: one["user"] for one in config["users"]}
    cluster = {one["name"]: one["cluster"] for one in config["clusters"]}
    context = {one["name"]: one["context"] for one in config["contexts"]}[config["current-context"]]
    assert (config["apiVersion"], config["kind"]) == ("v1", "Config")
    assert cluster[context["cluster"]]["server"].endswith("/v1/clusters/prod-eu-1/audit")
    token = user[context["user"]]["token"]
    assert token == given["token"]
    with Service(url_of(database), tmp_path) as service:
        assert service.post("prod-eu-1", token, batch(2))[0] == 200
        code, out, _ = anomaly("revoke", "prod-eu-1", "-o", "json")
        assert (code, json.loads(out)) == (0, {"cluster": "prod-eu-1", "revoked": 1})
        another = json.loads(anomaly("token", "prod-eu-1", "-o", "json")[1])["token"]
        assert service.post("prod-eu-1", another, batch(2))[0] == 200


def test_the_page_for_people_holds_token_file_and_flags(anomaly):
    code, out, err = anomaly("add", "shop", "--server", "https://anomaly.example.org:8443")
    assert code == 0
    assert out.count("anomaly_") >= 2
    assert "server: https://anomaly.example.org:8443/v1/clusters/shop/audit" in out
    assert "certificate-authority: /etc/kubernetes/audit/ca.crt" in out
    assert "tls-client-config" not in out
    for flag in (
        "config-file=",
        "mode=batch",
        "batch-max-size=400",
        "initial-backoff=10s",
        "truncate-enabled=true",
    ):
        assert f"--audit-webhook-{flag}" in out
    assert err == ""


def test_policy_webhook_generate_makes_the_same_file_and_flags(anomaly, capsys):
    server = "https://anomaly.example.org:8443"
    given = added(anomaly, "shop", "--server", server)
    with pytest.raises(SystemExit):
        main(
            [
                "policy",
                "webhook",
                "generate",
                server,
                "--cluster",
                "shop",
                "--token",
                given["token"],
                "-o",
                "json",
            ]
        )
    made = json.loads(capsys.readouterr().out)
    assert made == {"kubeconfig": given["kubeconfig"], "flags": given["flags"]}


def test_only_a_digest_of_the_token_is_stored(anomaly, database):
    token = added(anomaly, "shop")["token"]
    with database.begin() as connection:
        rows = connection.execute(sqlalchemy.text("SELECT t::text FROM anomaly.token t")).scalars().all()
    assert len(rows) == 1
    assert token not in rows[0]
    assert token.removeprefix("anomaly_")[:20] not in rows[0]


def test_a_name_that_is_taken_is_refused_with_the_way_out(anomaly):
    added(anomaly, "shop")
    code, out, err = anomaly("add", "shop")
    assert (code, out) == (1, "")
    assert "There is a cluster 'shop' already." in err
    assert "anomaly cluster token shop" in err


@pytest.mark.parametrize("name", ["Shop", "a_b", "-a", "a-", "a" * 64, "a.b", "a/b", "", "\u00e4", "a\n"])
def test_names_that_no_path_can_hold_are_refused(anomaly, name):
    code, out, err = anomaly("add", "--", name)
    assert (code, out) == (2, "")
    assert "a-z, 0-9 and -" in err
    assert json.loads(anomaly("list", "-o", "json")[1]) == []


@pytest.mark.parametrize(
    "server",
    [
        "anomaly:8443",
        "ftp://x",
        "https://",
        "https://x?cluster=y",
        "https://u:p@x",
        "https://x:99999",
        "https://x#y",
    ],
)
def test_an_address_that_kube_apiserver_would_misread_is_refused_before_anything_is_made(anomaly, server):
    code, _, err = anomaly("add", "shop", "--server", server)
    assert code == 2
    assert "https://anomaly.example.org:8443" in err
    assert json.loads(anomaly("list", "-o", "json")[1]) == []


def test_a_certificate_authority_can_be_embedded(anomaly, tmp_path):
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    (tmp_path / "ca.crt").write_text(pem)
    given = added(anomaly, "shop", "--server", "https://x", "--embed-certificate-authority", "ca.crt")
    cluster = YAML(typ="safe").load(given["kubeconfig"])["clusters"][0]["cluster"]
    assert b64decode(cluster["certificate-authority-data"]).decode() == pem
    assert "certificate-authority" not in cluster
    (tmp_path / "key").write_text("no certificate")
    assert anomaly("add", "other", "--server", "https://x", "--embed-certificate-authority", "key")[0] == 2
    assert (
        anomaly("add", "other", "--server", "https://x", "--embed-certificate-authority", "nowhere")[0] == 1
    )


def test_the_configuration_can_be_written_to_a_private_file_and_is_then_not_printed(anomaly, tmp_path):
    given = added(anomaly, "shop", "--write", "webhook.yaml")
    file = tmp_path / "webhook.yaml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "token: anomaly_" in file.read_text()
    assert "token" not in given
    code, _, err = anomaly("add", "other", "--write", "webhook.yaml")
    assert code == 2
    assert "webhook.yaml cannot be written" in err
    assert [one["name"] for one in json.loads(anomaly("list", "-o", "json")[1])] == ["shop"]


def test_tokens_are_listed_by_number_and_state_and_revoked_one_by_one(anomaly):
    added(anomaly, "shop", "--expires", "90d")
    anomaly("token", "shop")
    anomaly("token", "shop")
    shown = json.loads(anomaly("show", "shop", "-o", "json")[1])
    assert [one["state"] for one in shown] == ["valid"] * 3
    assert [one["expires_at"] is None for one in shown] == [True, True, False]
    newest, middle, _ = (one["id"] for one in shown)
    assert anomaly("revoke", "shop", "--token", str(middle))[0] == 0
    assert json.loads(anomaly("revoke", "shop", "--keep-newest", "-o", "json")[1])["revoked"] == 1
    states = {one["id"]: one["state"] for one in json.loads(anomaly("show", "shop", "-o", "json")[1])}
    assert [states[newest], states[middle]] == ["valid", "revoked"]
    assert json.loads(anomaly("list", "-o", "json")[1])[0]["tokens"] == 1
    assert "valid" in anomaly("show", "shop")[1]


@pytest.mark.parametrize("arguments", [("token", "nobody"), ("show", "nobody"), ("revoke", "nobody")])
def test_a_cluster_that_is_not_there_is_said_so(anomaly, arguments):
    code, out, err = anomaly(*arguments)
    assert (code, out) == (1, "")
    assert "There is no cluster 'nobody'." in err


def test_a_token_of_another_cluster_cannot_be_revoked_through_this_one(anomaly):
    added(anomaly, "shop")
    added(anomaly, "bank")
    (token,) = json.loads(anomaly("show", "bank", "-o", "json")[1])
    code, _, err = anomaly("revoke", "shop", "--token", str(token["id"]))
    assert code == 1
    assert "no token number" in err
    assert json.loads(anomaly("show", "bank", "-o", "json")[1])[0]["state"] == "valid"


@pytest.mark.parametrize("expires", ["soon", "0s", "-1d", "99999999999d"])
def test_an_expiry_that_makes_no_sense_is_refused(anomaly, expires):
    code, _, err = anomaly("add", "shop", f"--expires={expires}")
    assert code == 2
    assert "--expires" in err


def test_with_no_cluster_the_list_says_how_to_make_one(anomaly):
    code, out, err = anomaly("list")
    assert (code, out) == (0, "")
    assert "anomaly cluster add NAME" in err
