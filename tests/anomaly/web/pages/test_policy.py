"""The policy page over HTTP: what it says of a policy, that it says it as the API does, and that what is pasted stays text."""

import json

import pytest

from anomaly.bootstrap import load_rules
from anomaly.doctor import wanted_by
from anomaly.rights import Role
from anomaly.settings import Settings
from anomaly.store.clusters import ensure_cluster
from anomaly.web.pages.policy import LONGEST
from tests.anomaly.web.pages.test_pages import HOSTILE, Person

SMALL = """apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - level: None
    users: ["*"]
  - level: Metadata
    resources:
      - group: ""
        resources: ["secrets"]
"""


@pytest.fixture(scope="module")
def wanted():
    """What rules and families need; working it out takes seconds, and every app does it once."""
    return wanted_by(load_rules(Settings()))


@pytest.fixture
def erika(app, database, wanted):
    app.state.desk.wanted = wanted
    with database.begin() as connection:
        ensure_cluster(connection, "shop")
    return Person(app, database, "erika")


def test_the_page_says_what_it_is_for_and_offers_clusters_in_sight_alone(erika, app, database):
    status, body = erika.get("/policy")
    assert status == 200
    assert "What would it hide?" in body and "<option>shop</option>" in body
    _, body = Person(app, database, "ben", clusters=["bank"]).get("/policy?cluster=bank")
    assert "<option selected>bank</option>" in body and "shop" not in body


def test_traps_are_named_with_their_line_and_what_goes_blind(erika):
    status, body, _ = erika.post("/policy/look", {"policy": SMALL})
    assert status == 200
    assert "line 5" in body and "users: [&#34;*&#34;]" in body
    assert "These detections go blind" in body and "chip-bad" in body and "would refuse this file" not in body
    assert "<html" not in body


def test_what_the_server_would_refuse_is_said_and_nothing_beyond(erika):
    for text in ("", "kind: Pod", "rules: [", "\t", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n"):
        status, body, _ = erika.post("/policy/look", {"policy": text})
        assert status == 200, text
        assert "would refuse this file" in body and "These detections go blind" not in body, text


def test_a_made_policy_has_nothing_of_the_kind(erika):
    _, body, _ = erika.post("/policy/made", {"policy": ""})
    assert "kind: Policy" in body and "Paste your policy above" in body
    _, body, _ = erika.post("/policy/made", {"policy": SMALL})
    assert "None to Metadata" in body


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_is_pasted_stays_text(erika, hostile):
    text = f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n  - level: Metadata\n    users: [{json.dumps(hostile)}]\n# {hostile}\n"
    for path in ("/policy/look", "/policy/made", "/policy/trial"):
        _, body, _ = erika.post(path, {"policy": text, "cluster": "shop"})
        assert "<script>alert" not in body and "<img" not in body, path


def test_a_trial_begins_and_its_run_is_for_those_who_see_the_cluster(erika, app, database):
    status, body, _ = erika.post("/policy/trial", {"policy": SMALL, "cluster": "shop", "span": "all"})
    assert status == 200
    assert "On stored events of shop" in body
    path = body.split('href="')[1].split('"')[0] if "href=" in body else None
    assert path is not None and path.startswith("/policy/trial/")
    while "Running" in (body := erika.get(path)[1]):
        pass
    assert "No events in this time" in body
    ben = Person(app, database, "ben", clusters=["bank"])
    assert ben.get(path)[0] == 404
    assert ben.post("/policy/trial", {"policy": SMALL, "cluster": "shop"})[0] == 404
    assert erika.get("/policy/trial/999999")[0] == 404


@pytest.mark.parametrize(
    "given",
    [
        {"policy": SMALL, "cluster": "shop", "span": "9y"},
        {"policy": "kind: Pod", "cluster": "shop"},
        {"policy": "x" * (LONGEST + 1), "cluster": "shop"},
    ],
)
def test_a_trial_that_cannot_be_is_refused(erika, given):
    assert erika.post("/policy/trial", given)[0] in {400, 422}


def test_a_viewer_may_judge_but_no_other_page_can_for_them(app, database, wanted):
    app.state.desk.wanted = wanted
    vic = Person(app, database, "vic", Role.VIEWER)
    assert vic.post("/policy/look", {"policy": SMALL})[0] == 200
    assert vic.post("/policy/look", {"policy": SMALL}, csrf=False)[0] == 403
