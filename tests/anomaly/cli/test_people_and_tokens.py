"""`anomaly token`, `account`, `certificate` and `access`: what is shown once, what is refused, and that each is recorded."""

from datetime import timedelta

import pytest

from anomaly.accounts import invite_first_admin
from anomaly.store.access_log import Asked, list_entries
from anomaly.store.certificates import clusters_named
from anomaly.store.clusters import add_cluster
from anomaly.store.tokens import digest_of, holder_of
from anomaly.web.server import clock, welcome_first_admin
from tests.anomaly.cli.running import Command


@pytest.fixture
def anomaly(database, tmp_path, monkeypatch, capsysbinary):
    with database.begin() as connection:
        add_cluster(connection, "shop")
        add_cluster(connection, "bank")
    return Command(database, tmp_path, monkeypatch, capsysbinary)


def recorded(database):
    with database.begin() as connection:
        return [one.entry.route.removeprefix("anomaly ") for one in list_entries(connection, Asked())]


def test_a_token_is_shown_once_and_may_what_was_said(anomaly, database):
    made = anomaly(
        "token", "create", "grafana", "--scope", "read", "--scope", "score", "--cluster", "shop", json=True
    ).data
    with database.begin() as connection:
        holder = holder_of(connection, digest_of(made["token"]), clock())
        ended = holder_of(connection, digest_of(made["token"]), clock() + timedelta(days=91))
    assert (set(holder.clusters), holder.rights) == ({"shop"}, {"read", "score"})
    assert ended is None
    for output in (True, False):
        listed = anomaly("token", "list", json=output)
        assert "grafana" in listed.out
        assert made["token"] not in listed.out
    assert anomaly("token", "revoke", made["id"], json=True).data == {"token": made["id"], "revoked": True}
    assert anomaly("token", "revoke", made["id"], json=True).data["revoked"] is False
    with database.begin() as connection:
        assert holder_of(connection, digest_of(made["token"]), clock()) is None
    assert recorded(database) == ["token revoke", "token revoke", "token create"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scope", "read"], "--all-clusters"),
        (["--scope", "read", "--cluster", "shop", "--all-clusters"], "--all-clusters"),
        (["--scope", "read", "--cluster", "nowhere"], "no cluster 'nowhere'"),
        (["--scope", "root", "--all-clusters"], "root"),
        (["--all-clusters"], "scope"),
        (["--scope", "read", "--all-clusters", "--expires", "-1d"], "--expires"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(anomaly, database, arguments, words):
    done = anomaly("token", "create", "x", *arguments)
    assert done.code in {1, 2}
    assert words in done.err
    assert recorded(database) == []


def test_an_account_is_made_changed_disabled_and_enabled(anomaly, database):
    made = anomaly(
        "account", "invite", "Ann@Example.com", "--role", "analyst", "--cluster", "shop", json=True
    ).data
    assert made["link"].startswith("http://127.0.0.1:8443/invite/")
    (listed,) = anomaly("account", "list", json=True).data
    assert (listed["name"], listed["role"], listed["clusters"]) == ("ann@example.com", "analyst", ["shop"])
    assert listed["state"] == "invited"
    again = anomaly("account", "reset", "ann@example.com", json=True).data
    assert again["link"] != made["link"]
    assert anomaly("account", "role", "ann@example.com", "viewer", "--all-clusters").code == 0
    assert anomaly("account", "disable", "ann@example.com", json=True).data["state"] == "disabled"
    assert "disabled" in anomaly("account", "reset", "ann@example.com").err
    assert anomaly("account", "enable", "ann@example.com", json=True).data["state"] == "invited"
    assert anomaly("account", "invite", "ann@example.com", "--all-clusters").code == 1
    assert anomaly("account", "disable", "nobody").code == 1
    routes = recorded(database)
    assert routes == [f"account {verb}" for verb in ("enable", "disable", "role", "reset", "invite")]
    assert made["link"].rpartition("/")[2] not in anomaly("access", "list").out


def test_the_first_admin_is_invited_by_name(anomaly):
    made = anomaly("account", "invite", "--first-admin", json=True).data
    assert made["name"] == "admin"
    assert anomaly("account", "invite").code == 2


def test_the_service_says_how_the_first_admin_comes_in_and_shows_the_link_to_people_alone(database, caplog):
    said = []
    welcome_first_admin(database, "https://a.test", None)
    assert "account invite --first-admin" in caplog.text
    assert "/invite/" not in caplog.text
    welcome_first_admin(database, "https://a.test", said.append)
    assert "https://a.test/invite/" in said[0]
    with database.begin() as connection:
        invite_first_admin(connection, "test", clock())
        connection.exec_driver_sql("UPDATE anomaly.person SET password = 'x'")
    caplog.clear()
    welcome_first_admin(database, "https://a.test", said.append)
    assert (len(said), caplog.text) == (1, "")


def test_a_certificate_name_is_bound_and_unbound(anomaly, database):
    assert "cluster:NAME" in anomaly("certificate", "list").err
    assert anomaly("certificate", "bind", "kube-apiserver", "shop").code == 0
    assert anomaly("certificate", "bind", "cluster:bank", "shop").code == 0
    (_, bound) = anomaly("certificate", "list", json=True).data
    assert (bound["name"], bound["cluster"]) == ("kube-apiserver", "shop")
    with database.begin() as connection:
        assert clusters_named(connection, ["kube-apiserver", "x\0"]) == {"shop"}
        assert clusters_named(connection, ["cluster:bank"]) == {"shop"}
    anomaly("certificate", "unbind", "cluster:bank")
    with database.begin() as connection:
        assert clusters_named(connection, ["cluster:bank", "cluster:nowhere"]) == {"bank"}
    assert anomaly("certificate", "unbind", "cluster:bank").code == 1
    assert anomaly("certificate", "bind", "x", "nowhere").code == 1


def test_who_did_what_is_listed(anomaly):
    assert "Nothing was read or changed" in anomaly("access", "list").err
    anomaly("certificate", "bind", "a", "shop")
    anomaly("certificate", "bind", "b", "bank")
    (entry,) = anomaly("access", "list", "--cluster", "shop", "--changes", json=True).data
    assert (entry["kind"], entry["route"], entry["object"]) == (
        "command",
        "anomaly certificate bind",
        "name=a",
    )
    assert len(anomaly("access", "list", "--limit", 1, json=True).data) == 1
    assert anomaly("access", "list", "--until", "1h", json=True).data == []
    assert anomaly("access", "list", "--limit", 0).code == 2
