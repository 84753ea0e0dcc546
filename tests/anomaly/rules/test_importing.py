"""Twenty rules as people publish them: every modifier and every correlation, mended where need be, and behaving as Sigma says."""

import base64
from pathlib import Path

import pytest
from sigma.modifiers import modifier_mapping

from anomaly.events.decode import decode_lines
from anomaly.rules import load
from anomaly.rules.document import read_text
from anomaly.rules.importing import import_path, mend
from anomaly.rules.pack import rule_set
from anomaly.rules.problem import Gravity
from anomaly.rules.scan import Scan
from anomaly.testing import raw_event

FOLDER = Path(__file__).parent / "public"
FILES = sorted(FOLDER.glob("*.yml"))
ROLE = ("rbac.authorization.k8s.io/rolebindings", "create")


def encoded(text, how="utf-8"):
    return {"data": {"script": base64.b64encode(text.encode(how)).decode()}}


def pod(**spec):
    return {"spec": {"containers": [{"name": "a", **spec}]}}


def many(count, resource, verb, **fields):
    return [raw_event(resource, verb, at=number * 10, name=f"n{number}", **fields) for number in range(count)]


HOST = {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}
ADMIN = pod(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}})
SHELL = "/api/v1/namespaces/a/pods/b/exec?command=%2Fbin%2Fbash&stdin=true"
CASES = [
    ("01-hostpath", raw_event("pods", "create", body=HOST), raw_event("pods", "create", body=pod())),
    ("02-capabilities", raw_event("pods", "create", body=ADMIN),
     raw_event("pods", "create", body=pod(securityContext={"capabilities": {"drop": ["SYS_ADMIN"]}}))),
    ("03-rbac", raw_event(*ROLE), raw_event(*ROLE, by="system:kube-controller-manager")),
    ("04-decision", raw_event("secrets", "list"), raw_event("secrets", "list", code=403)),
    ("05-exec", raw_event("pods/exec", "create", uri=SHELL),
     raw_event("pods/exec", "create", uri=SHELL.replace("bash", "date"))),
    ("06-anonymous", raw_event("/version", by="system:anonymous"),
     raw_event("/version", by="system:anonymous", address="10.1.2.3")),
    ("07-agent", raw_event(agent="Peirates/1.0"), raw_event(agent="python-requests")),
    ("07-agent", raw_event(agent="python-requests/2.31"), raw_event(agent="kubectl/v1")),
    ("08-server-errors", raw_event(code=503), raw_event(code=499)),
    ("08-server-errors", raw_event(code=500),
     raw_event(responseStatus={"code": 500, "message": "etcdserver: timed out"})),
    ("09-cased", raw_event("namespaces", "create", name="kube-monitor"),
     raw_event("namespaces", "create", name="kube-system")),
    ("09-cased", raw_event("namespaces", "create", name="openshift-x"), raw_event("namespaces", "create", name="shop")),
    ("10-exists", raw_event("pods", "create", acting_as="bob"), raw_event("pods", "get", acting_as="bob")),
    ("11-null", raw_event("secrets", "list", namespace=""), raw_event("secrets", "list", namespace="shop")),
    ("12-fieldref", raw_event("serviceaccounts", "get", by="system:serviceaccount:a:robot", name="robot"),
     raw_event("serviceaccounts", "get", by="system:serviceaccount:a:robot", name="other")),
    ("13-base64", raw_event("configmaps", "create", body=encoded("x=1; curl http://a")),
     raw_event("configmaps", "create", body=encoded("curl ftp://a"))),
    ("13-base64", raw_event("configmaps", "create", body=encoded("run powershell", "utf-16-le")),
     raw_event("configmaps", "create", body=encoded("run powershell"))),
    ("13-base64", raw_event("configmaps", "create", body=encoded("rm -rf /")),
     raw_event("configmaps", "create", body=encoded("rm -rf /tmp"))),
    ("13-base64", raw_event("configmaps", "create", body=encoded("\ufeffwhoami", "utf-16-le")),
     raw_event("configmaps", "create", body=encoded("whoami", "utf-16-le"))),
    ("13-base64", raw_event("configmaps", "create", body=encoded("whoami", "utf-16-be")),
     raw_event("configmaps", "create", body=encoded("whoami"))),
    ("14-windash", raw_event("pods", "create", body=pod(image="windows/core", args=["x /EncodedCommand y"])),
     raw_event("pods", "create", body=pod(image="windows/core", args=["x _encodedcommand y"]))),
    ("15-keywords", raw_event("pods", "create", body=pod(args=["--url", "stratum+tcp://pool"])),
     raw_event("pods", "create", body=pod(args=["minerd"]))),
    ("15-keywords", raw_event("pods", "create", body=pod(args=["minerd", "--donate"])), raw_event("pods", "create")),
    ("16-time", raw_event("pods", "delete", at=-8 * 3600), raw_event("pods", "delete", at=0)),
    ("17-maps", raw_event("nodes/proxy", "get", namespace=""), raw_event("nodes", "get", namespace="")),
    ("17-maps", raw_event("/debug/pprof", "get"), raw_event("/healthz", "get")),
    ("17-maps", raw_event(responseStatus={"code": 200, "message": "a first\nb\nsecond c"}),
     raw_event(responseStatus={"code": 200, "message": "a first b second"})),
    ("18-counts", many(5, "pods", "get", code=403), many(4, "pods", "get", code=403)),
    ("18-counts", [raw_event(code=403, namespace=f"n{n}") for n in range(4)],
     [raw_event(code=403, namespace=f"n{n}") for n in range(3)]),
    ("19-ordered",
     [raw_event("serviceaccounts/token", "create", name="robot"),
      raw_event("secrets", "get", by="system:serviceaccount:a:robot", at=60)],
     [raw_event("secrets", "get", by="system:serviceaccount:a:robot"),
      raw_event("serviceaccounts/token", "create", name="robot", at=60)]),
    ("20-together", [raw_event(*ROLE), raw_event("pods", "create", at=60)], [raw_event("pods", "list")]),
]  # fmt: skip


def fired(rules, raws):
    state = Scan(rules)
    raws = raws if isinstance(raws, list) else [raws]
    return {hit.rule for hit in [*state.feed(decode_lines(b"\n".join(raws))), *state.finish()]}


def imported(name):
    (found,) = import_path(FOLDER / f"{name}.yml")
    assert found.usable, found.problems
    return rule_set(found.rules)


@pytest.mark.parametrize(("name", "firing", "quiet"), CASES, ids=[case[0] for case in CASES])
def test_a_public_rule_fires_and_stays_quiet_as_sigma_says(name, firing, quiet):
    rules = imported(name)
    assert fired(rules, firing)
    assert not fired(rules, quiet)


def test_correlations_fire_by_their_own_names():
    rules = imported("20-together")
    assert fired(rules, [raw_event(*ROLE)]) == {"role_bound", "role_without_workload"}
    assert "role_and_workload" in fired(rules, [raw_event(*ROLE), raw_event("pods", "create", at=899)])
    assert "role_and_workload" not in fired(rules, [raw_event(*ROLE), raw_event("pods", "create", at=901)])


def test_every_file_has_its_case_and_every_modifier_its_rule():
    assert {case[0] for case in CASES} == {file.stem for file in FILES}
    assert len(FILES) == 20
    text = "".join(file.read_text() for file in FILES)
    others = {"minute", "day", "week", "month", "year"}  # as `hour`; each has its own test
    long_names = {
        "ignorecase": "i",
        "multiline": "m",
        "dotall": "s",
        "expand": None,
        "lte": "lt",
        "gt": "gte",
    }
    for modifier in modifier_mapping.keys() - others - long_names.keys():
        assert f"|{modifier}" in text, modifier


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("01-hostpath", "taken as pod.volumes[].hostPath.path"),
        ("02-capabilities", "taken as pod.containers[].securityContext.capabilities.add"),
        ("03-rbac", "taken as objectRef.apiGroup"),
        ("04-decision", "is the authorizer's decision"),
        ("04-decision", "resources are plural"),
        ("05-exec", "taken as resource"),
        ("06-anonymous", "taken as sourceIPs"),
        ("07-agent", "taken as userAgent"),
        ("09-cased", "resources are plural"),
        ("14-windash", "taken as pod.containers[].image"),
    ],
)  # fmt: skip
def test_what_was_mended_is_said_with_its_place(name, note):
    (found,) = import_path(FOLDER / f"{name}.yml")
    notes = [
        problem for problem in found.problems if problem.gravity is Gravity.NOTE and note in problem.message
    ]
    if name == "09-cased":
        assert not notes  # case does not matter to Sigma, so Namespaces is namespaces
    else:
        assert notes
        assert all(problem.line > 5 for problem in notes)


def test_a_mended_rule_is_kept_as_a_rule_of_ours(tmp_path):
    (found,) = import_path(FOLDER / "02-capabilities.yml")
    (tmp_path / "capabilities.yml").write_text(found.text)
    rules = load(tmp_path)
    assert fired(rules, CASES[1][1]) == {"capabilities"}


def test_what_stays_wrong_is_an_error():
    text = "title: t\ndetection: {a: {no.such.field: 1}, condition: a}\n"
    notes = []
    mend(read_text(text)[0], notes)
    assert notes == []


def test_two_names_of_one_field_must_both_hold():
    text = "title: t\ndetection: {a: {user: alice, username: alice}, condition: a}\n"
    mended = mend(read_text(text)[0], [])
    assert mended.data["detection"]["a"] == {"user.username|all": ["alice", "alice"]}


def test_two_names_with_lists_stay_an_error():
    text = "title: t\ndetection: {a: {user: [alice, bob], username: [carol]}, condition: a}\n"
    mended = mend(read_text(text)[0], [])
    assert mended.data["detection"]["a"] == {"user.username": ["alice", "bob"], "username": ["carol"]}


def test_a_broken_file_does_not_hide_the_others(tmp_path):
    (tmp_path / "a.yml").write_text("a: [")
    (tmp_path / "b.yml").write_text((FOLDER / "08-server-errors.yml").read_text())
    first, second = import_path(tmp_path)
    assert not first.usable
    assert second.usable
