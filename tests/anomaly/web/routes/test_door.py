"""The policy at our door over the network: weighed, set, heeded by the running service, accounted for, cleared."""

import json
import time

from tests.anomaly.test_door import POLICY, mixed
from tests.anomaly.web.routes.test_answers import finished
from tests.anomaly.web.running import event_list

PATH = "/clusters/elsewhere"


def send(ask, raws):
    """Post a batch; returns the counts."""
    body = json.loads(event_list(*raws))
    return ask("POST", f"{PATH}/audit", body, 200)


def test_a_policy_is_weighed_set_heeded_and_cleared(served):
    root, stranger = (served[2][name] for name in ("admin", "stranger"))
    assert root("GET", f"{PATH}/policy", status=200) == {
        "cluster": "elsewhere",
        "policy": None,
        "id": None,
        "set_at": None,
        "set_by": None,
    }
    assert send(root, mixed(0, 10))["kept"] == 30
    detail = finished(root, f"{PATH}/policy/forecast", {"policy": POLICY, "since": "2020-01-01T00:00:00Z"})[
        "detail"
    ]
    assert (detail["events"], detail["dropped"], detail["lowered"]) == (30, 10, 10)
    assert detail["most"][0]["action"] == "create secrets" and detail["goes_blind"]
    # Of the last day nothing is stored.
    assert finished(root, f"{PATH}/policy/forecast", {"policy": POLICY})["detail"]["events"] == 0
    made = stranger("PUT", f"{PATH}/policy", {"policy": POLICY}, 200)
    assert made["set_by"] == "stranger" and made["policy"] == POLICY
    assert root("GET", f"{PATH}/policy", status=200) == made
    for turn in range(1, 20):
        time.sleep(1)
        counts = send(root, mixed(turn * 100, turn * 100 + 10))
        if counts["dropped"]:
            break
    assert (counts["kept"], counts["dropped"]) == (20, 10)
    ledger = root("GET", f"{PATH}/dropped?days=1", status=200)
    assert (ledger["dropped"], ledger["lowered"]) == (10, 10)
    assert {(line["rule"], line["deed"], line["events"], line["policy"]) for line in ledger["lines"]} == {
        ("rules[1]", "dropped", 5, made["id"]),
        ("rules[2]", "lowered", 10, made["id"]),
    }
    day = root("GET", f"{PATH}/completeness?days=1", status=200)["days"][0]
    assert (day["dropped"], day["lowered"]) == (10, 10)
    assert root("DELETE", f"{PATH}/policy", status=200)["policy"] is None
    assert root("DELETE", f"{PATH}/policy", status=200)["policy"] is None


def test_who_may_not_is_refused_and_what_is_no_policy_is_not_set(served):
    root, reader = (served[2][name] for name in ("admin", "reader"))
    assert reader("PUT", "/clusters/town/policy", {"policy": POLICY})[0] == 403
    assert reader("DELETE", "/clusters/town/policy")[0] == 403
    assert reader("PUT", f"{PATH}/policy", {"policy": POLICY})[0] in {403, 404}
    assert reader("GET", "/clusters/town/policy", status=200)["policy"] is None
    status, said = root("PUT", "/clusters/town/policy", {"policy": "kind: Policy"})
    assert status == 400 and "audit" in said["detail"]
    assert root("GET", "/clusters/town/policy", status=200)["policy"] is None
    # A refusal changes nothing, so it is written with the reads, within a second or so.
    deadline = time.monotonic() + 20
    noted = set()
    while not {"PUT", "DELETE"} <= noted and time.monotonic() < deadline:
        entries = root("GET", "/access?changes=true", status=200)["items"]
        noted = {one["method"] for one in entries if one["route"].endswith("/policy")}
        time.sleep(0.2)
    assert {"PUT", "DELETE"} <= noted
