"""Every resource, asked over the network: what it answers, what it keeps from whom, and what it does when somebody was faster."""

import json
import time
from datetime import timedelta

import pytest

from tests.anomaly import town as build


def finished(ask, path, body):
    """Begin long work and wait for its end; returns its run."""
    run = ask("POST", path, body, 202)
    assert ask.headers["Location"] == f"/v1/runs/{run['id']}"
    for _ in range(600):
        run = ask("GET", f"/runs/{run['id']}", status=200)
        if run["outcome"] != "running":
            return run
        time.sleep(0.1)
    raise AssertionError(run)


@pytest.fixture(scope="module")
def judged(served):
    """Findings by the model, made by a run that was asked for."""
    run = finished(served[2]["admin"], "/clusters/town/judge", {})
    assert run["outcome"] == "ok", run
    assert run["detail"]["judged"][0]["findings"] >= 1
    assert run["detail"]["cluster"] == "town" and run["detail"]["by"] == "token root"
    return served


def test_every_finding_comes_once_whatever_is_added_between_pages(judged, ask):
    database = judged[0]
    whole = ask("GET", "/findings?order=newest&limit=1000", status=200)["items"]
    seen, cursor, step = [], "", 0
    while True:
        page = ask("GET", f"/findings?order=newest&limit=1{cursor}", status=200)
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None or step > 50:
            break
        step += 1
        cursor = f"&cursor={page['next']}"
        with database.begin() as session:
            # Newer than everything: an offset would now show the last one twice.
            session.exec_driver_sql(
                "INSERT INTO anomaly.finding (id, cluster_id, entity_id, kind, name, title, severity, attack, start_at, end_at,"
                " score, reason, count) SELECT gen_random_uuid(), cluster_id, entity_id, kind, name, 'added', severity, attack,"
                f" now() + interval '{step} hours', now() + interval '{step} hours', 0.1, 'added', 1"
                " FROM anomaly.finding LIMIT 1"
            )
    assert [one for one in seen if one in {each["id"] for each in whole}] == [one["id"] for one in whole]
    assert len(seen) == len(set(seen))
    with database.begin() as session:
        session.exec_driver_sql("DELETE FROM anomaly.finding WHERE title = 'added'")


def test_a_cursor_of_another_list_is_refused(ask):
    assert ask("GET", "/findings?cursor=bm9uZQ")[0] == 422
    assert ask("GET", "/findings?cursor=%00")[0] == 422


def test_what_has_not_changed_is_not_sent_again(judged, ask):
    (one, *_) = ask("GET", "/findings?limit=1", status=200)["items"]
    ask("GET", f"/findings/{one['id']}", status=200)
    tag = ask.headers["ETag"]
    assert ask("GET", f"/findings/{one['id']}", If_None_Match=tag) == (304, "")
    assert ask("GET", f"/findings/{one['id']}", If_None_Match='"other"')[0] == 200


def test_whoever_was_slower_hears_who_was_faster(judged, ask):
    (one, *_) = ask("GET", "/findings?limit=1", status=200)["items"]
    path = f"/findings/{one['id']}"
    ask("GET", path, status=200)
    tag = ask.headers["ETag"]
    taken = ask("POST", f"{path}/moves", {"move": "take"}, 200, If_Match=tag)
    assert taken["state"] == "taken" and taken["assignee"] == "token root"
    late = ask("POST", f"{path}/moves", {"move": "close", "verdict": "benign"}, 412, If_Match=tag)
    assert "token root was faster (take)" in late["detail"]
    assert ask("POST", f"{path}/moves", {"move": "take"}, 409)["title"] == "Not in this state"
    steps = ask("GET", f"{path}/steps", status=200)
    # Others may have moved it before and undone that.
    assert steps["steps"][-1]["move"] == "take" and "release" in steps["moves"]
    assert ask("POST", f"{path}/moves", {"move": "undo"}, 200)["state"] == "open"


def test_many_are_moved_at_once_and_each_says_what_became_of_it(judged, ask):
    found = [one["id"] for one in ask("GET", "/findings", status=200)["items"]]
    unknown = "00000000-0000-0000-0000-000000000001"
    made = ask("POST", "/triage/moves", {"move": "take", "findings": [*found, unknown]}, 200)
    assert {one["finding"]: one["moved"] for one in made} == dict.fromkeys(found, True) | {unknown: False}
    again = ask("POST", "/triage/moves", {"move": "take", "findings": found}, 200)
    assert not any(one["moved"] for one in again) and all("cannot take" in one["reason"] for one in again)
    ask("POST", "/triage/moves", {"move": "release", "findings": found}, 200)


def test_who_sees_another_cluster_sees_nothing_of_this_one(judged):
    stranger = judged[2]["stranger"]
    admin = judged[2]["admin"]
    (one, *_) = admin("GET", "/findings?limit=1", status=200)["items"]
    (entity, *_) = admin("GET", "/entities?limit=1", status=200)["items"]
    (model, *_) = admin("GET", "/models", status=200)["items"]
    for path in ("/findings", "/entities", "/models", "/quarantine", "/events"):
        assert stranger("GET", path, status=200)["items"] == [], path
    for path in (
        f"/findings/{one['id']}", f"/findings/{one['id']}/events", f"/findings/{one['id']}/steps",
        f"/entities/{entity['id']}", f"/entities/{entity['id']}/behaviour", f"/models/{model['id']}",
        "/clusters/town", "/findings?cluster=town",
    ):  # fmt: skip
        assert stranger("GET", path)[0] == 404, path
    assert stranger("POST", f"/findings/{one['id']}/moves", {"move": "take"})[0] == 404
    assert stranger("POST", f"/models/{model['id']}/promote")[0] == 404
    assert [each["name"] for each in stranger("GET", "/clusters", status=200)] == ["elsewhere"]
    assert not any(
        run["detail"].get("cluster") == "town" for run in stranger("GET", "/runs", status=200)["items"]
    )


def test_who_may_only_read_changes_nothing(judged):
    reader = judged[2]["reader"]
    (one, *_) = reader("GET", "/findings?limit=1", status=200)["items"]
    assert reader("POST", f"/findings/{one['id']}/moves", {"move": "take"})[0] == 403
    assert reader("POST", "/clusters/town/train", {})[0] == 403
    assert reader("POST", "/clusters/town/score", {"entity": "amy"})[0] == 403


def test_a_theft_told_as_counts_deviates_and_a_day_as_usual_does_not(judged, ask):
    entities = ask("GET", "/entities?username=bob", status=200)["items"]
    usual = ask("GET", f"/entities/{entities[0]['id']}/windows?limit=5", status=200)[0]
    quiet = ask("POST", "/clusters/town/score", {"window": {"entity": "bob", **usual}}, 200)["windows"][0]
    assert not quiet["deviates"] and quiet["p_value"] > quiet["line"] and not quiet["stranger"]
    counts = usual["counts"] | {
        "requests": {"": 40}, "verb": {"get": 40}, "resource": {"secrets": 40}, "action": {"get secrets": 40},
        "target": {"secrets @db": 40}, "secret": {f"db/s{n}": 1 for n in range(40)}, "namespace": {"db": 40},
    }  # fmt: skip
    theft = ask("POST", "/clusters/town/score", {"window": {"entity": "bob", "counts": counts}}, 200)[
        "windows"
    ][0]
    assert theft["deviates"] and theft["contributions"] and "secrets" in theft["reason"]
    assert ask("POST", "/clusters/town/score", {"entity": "nobody-here"})[0] == 404
    assert ask("POST", "/clusters/elsewhere/score", {"entity": "bob"})[0] == 409


def test_events_are_scored_without_being_kept_unless_asked(judged, ask):
    import json

    events = [json.loads(raw) for raw in build.theft("cleo", build.this_minute(), 25, "vault")]
    before = ask("GET", "/events/count?q=user:cleo", status=200)["count"]
    said = ask("POST", "/clusters/town/score", {"events": [*events, {"kind": "Event"}]}, 200)
    assert (
        said["windows"][0]["entity"] == "cleo"
        and said["windows"][0]["deviates"]
        and len(said["rejected"]) == 1
    )
    assert ask("GET", "/events/count?q=user:cleo", status=200)["count"] == before
    kept = ask("POST", "/clusters/town/score", {"events": events, "keep": True}, 200)["kept"]
    assert kept["kept"] == 25
    assert ask("GET", "/events/count?q=user:cleo", status=200)["count"] == before + 25
    now = ask("POST", "/clusters/town/score", {"entity": "cleo"}, 200)["windows"]
    assert not now or now[0]["entity"] == "cleo"


def test_events_come_in_pages_and_one_comes_as_it_was(judged, ask):
    page = ask("GET", "/events?q=user:amy&limit=3", status=200)
    rest = ask("GET", f"/events?q=user:amy&limit=3&cursor={page['next']}", status=200)
    assert len(page["items"]) == 3 and not {one["key"] for one in page["items"]} & {
        one["key"] for one in rest["items"]
    }
    one = page["items"][0]
    raw = ask("GET", f"/clusters/town/events/{one['key']}?time={one['time']}", status=200)
    assert raw["auditID"] == one["audit_id"]
    assert ask("GET", "/events?q=nonsense:(", None)[0] == 422


def test_behaviour_says_what_is_usual_and_with_whom_it_is_compared(judged, ask):
    (amy,) = ask("GET", "/entities?username=amy", status=200)["items"]
    said = ask("GET", f"/entities/{amy['id']}/behaviour", status=200)
    assert {"list pods", "get pods"} <= {one["value"] for one in said["usual"]["actions"]}
    assert set(said["usual"]["members"]) <= set(build.PEOPLE) and len(said["usual"]["hours"]) == 48


def test_suppressions_and_exceptions_are_tried_kept_and_ended(judged, ask):
    would = ask("POST", "/suppressions/preview", {"entity": "amy", "up_to": "critical"}, 200)
    kept = ask("POST", "/suppressions", {"entity": "zed", "reason": "a drill", "cluster": "town"}, 201)
    assert would["looked_at"] >= 1 and kept["hidden_now"] == 0
    assert kept["suppression"] in {one["id"] for one in ask("GET", "/suppressions", status=200)}
    ask("POST", f"/suppressions/{kept['suppression']}/end", None, 204)
    assert kept["suppression"] not in {one["id"] for one in ask("GET", "/suppressions", status=200)}
    rule = {"rule": "exec-into-pod", "entity": "zed"}
    assert ask("POST", "/exceptions/preview", rule, 200)["findings"] == 0
    made = ask("POST", "/exceptions", rule | {"owner": "ann", "reason": "a drill", "ends_in_days": 3}, 201)
    assert ask("GET", f"/exceptions/{made['id']}/held", status=200) == []
    ask("POST", f"/exceptions/{made['id']}/end", None, 204)
    assert ask("POST", f"/exceptions/{made['id']}/end")[0] == 404


def test_rules_and_models_are_replayed_as_runs(judged, ask):
    replayed = finished(ask, "/replays/rules", {"rule": "exec-into-pod", "cluster": "town"})
    assert (
        replayed["outcome"] == "ok"
        and replayed["detail"]["findings"] == 0
        and replayed["detail"]["events"] > 0
    )
    (model, *_) = ask("GET", "/models", status=200)["items"]
    until = build.this_minute()
    body = {"since": (until - timedelta(hours=3)).isoformat(), "until": until.isoformat()}
    assert finished(ask, f"/models/{model['id']}/replay", body)["outcome"] == "ok"
    assert ask("POST", "/replays/rules", {})[0] == 422
    assert ask("POST", "/replays/rules", {"rule": "no-such-rule"})[0] == 404


def test_findings_are_exported_as_lines(judged, ask):
    total = len(ask("GET", "/findings?limit=1000", status=200)["items"])
    lines = ask("GET", "/exports/findings?form=jsonl", status=200).splitlines()
    table = ask("GET", "/exports/findings?form=csv", status=200).splitlines()
    assert len(lines) == total and len(table) >= total + 1 and table[0].startswith("id,cluster,entity")


def test_events_that_answer_are_exported_whole_or_as_a_table(judged, ask):
    query = "q=user:amy%20verb:get"
    total = ask("GET", f"/events/count?{query}", status=200)["count"]
    lines = ask("GET", f"/exports/events?{query}&oldest_first=true", status=200).splitlines()
    assert ask.headers["Anomaly-Complete"] == "yes" and int(ask.headers["Anomaly-Events"]) == total > 0
    times = [json.loads(line)["requestReceivedTimestamp"] for line in lines]
    assert len(lines) == total and times == sorted(times)
    table = ask("GET", f"/exports/events?{query}&form=csv", status=200).splitlines()
    assert len(table) == total + 1 and table[0].startswith("time,cluster,user")
    assert ask("GET", "/exports/events?q=verb:")[0] == 422
    assert ask("GET", "/exports/events?form=xml")[0] == 422


def test_a_cluster_is_added_with_its_webhook_files_once(judged, ask):
    body = {"name": "fresh", "server": "https://anomaly.example.org:8443"}
    made = ask("POST", "/clusters", body, 201)
    assert made["token"] in made["kubeconfig"] and ask.headers["Cache-Control"] == "no-store"
    assert ask("POST", "/clusters", body)[0] == 409


def test_a_body_that_is_too_long_is_refused(ask):
    assert ask("POST", "/policy/lint", {"policy": "x" * (9 << 20)})[0] == 413


def test_a_path_says_which_methods_it_takes(ask):
    assert ask("DELETE", "/suppressions")[0] == 405
    assert ask.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize("moment", ["0.5", "1764000000", "nan", "2026-11-23T10:30:00", "true"])
@pytest.mark.parametrize("path", ["/access", "/findings"])
def test_a_time_is_written_out_with_its_zone(ask, path, moment):
    assert ask("GET", f"{path}?until={moment}")[0] == 422
    assert ask("GET", f"{path}?until=2026-11-23T10:30:00Z")[0] == 200


def test_what_is_true_or_false_is_no_number(ask):
    assert ask("PATCH", "/accounts/nobody", {"disabled": 0})[0] == 422
    assert ask("PATCH", "/accounts/nobody", {"disabled": False})[0] == 404
