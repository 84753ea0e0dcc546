"""What the check finds, where, and what it suggests; and that good rules pass without a word."""

import pytest

from anomaly.rules.check import check_documents, check_path
from anomaly.rules.document import read_text
from anomaly.rules.problem import Gravity


def problems(selection, condition="selection", extra=""):
    lines = "\n".join(f"    {line.strip()}" for line in selection.split(";;"))
    head = f"title: t\nlogsource: {{product: kubernetes, service: audit}}\n{extra}"
    text = f"{head}detection:\n  selection:\n{lines}\n  condition: {condition}\n"
    return check_documents(read_text(text))[1]


@pytest.mark.parametrize(
    ("selection", "words", "hint"),
    [
        pytest.param("verb: exec", "verb never is 'exec'", "resource: pods/exec, verb: [get, create]", id="subresource as verb"),
        pytest.param("verb: lsit", "verb never is 'lsit'", "did you mean list?", id="misspelt verb"),
        pytest.param("verb|cased: GET", "verb never is 'GET'", "did you mean get?", id="verbs are written small"),
        pytest.param("stage: ResponseCompleted", "stage never is", "did you mean ResponseComplete?", id="stage"),
        pytest.param("decision: deny", "decision never is 'deny'", "kube-apiserver writes forbid", id="decision"),
        pytest.param("annotations.authorization.k8s.io/decision: Deny", "never is", "kube-apiserver writes forbid", id="annotation"),
        pytest.param("entity.kind: user", "entity.kind never is 'user'", "it is one of human", id="kind"),
        pytest.param("objectRef.resource: pod", "never is 'pod'", "did you mean pods?", id="singular"),
        pytest.param("objectRef.resource: ClusterRoleBinding", "never is", "did you mean clusterrolebindings?", id="a kind"),
        pytest.param("objectRef.resource: NetworkPolicy", "never is", "did you mean networkpolicies?", id="a kind in y"),
        pytest.param("objectRef.resource: pods/exec", "never holds a slash", "resource: pods/exec", id="slash"),
        pytest.param("resource: deployments", "begins with the group", "did you mean apps/deployments?", id="group missing"),
        pytest.param("responseStatus.code: ALLOW", "is a number", "allow or forbid", id="decision as code"),
        pytest.param("responseStatus.code: forbidden", "is a number", "as in 403", id="word as code"),
        pytest.param("allowed: perhaps", "true or false, never 'perhaps'", "", id="boolean"),
        pytest.param("pod.containers[].securityContext.privileged: 'yes'", "true or false", "", id="boolean in a pod"),
        pytest.param("pod.volumes[].hostPath: /etc", "is an object", "name a field inside it", id="object"),
        pytest.param("user.username|gte: 5", "is no number", "", id="compare text"),
        pytest.param("user.username|cidr: 10.0.0.0/8", "holds no addresses", "sourceIPs and address do", id="cidr on a name"),
        pytest.param("verb|hour: 5", "is no time", "requestReceivedTimestamp", id="hour of a verb"),
        pytest.param("user.usrname: x", "unknown field 'user.usrname'", "did you mean user.username?", id="misspelt field"),
        pytest.param("apiGroup: apps", "unknown field 'apiGroup'", "did you mean objectRef.apiGroup?", id="usual mistake"),
        pytest.param("hostPath: /", "unknown field", "did you mean pod.volumes[].hostPath.path?", id="hostPath"),
        pytest.param("capabilities: SYS_ADMIN", "unknown field", "securityContext.capabilities.add?", id="capabilities"),
        pytest.param("pod.hostNetwrok: true", "unknown field", "", id="misspelt pod field"),
    ],
)  # fmt: skip
def test_a_line_that_can_never_match_is_an_error_where_it_stands(selection, words, hint):
    found = problems(selection)
    assert len(found) == 1, found
    (problem,) = found
    assert problem.gravity is Gravity.ERROR
    assert (problem.line, problem.column) == (5, 5)
    assert words in problem.message
    assert hint in problem.hint


def test_the_place_of_one_value_among_many_is_said():
    (problem,) = problems("verb: [get, create, dlete]")
    assert (problem.line, problem.column) == (5, 25)


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ("responseStatus.code: '403'", "is text"),
        ("objectRef.resource: deploymnets", "no resource of Kubernetes itself"),
        ("resource: pods/exce", "nothing Kubernetes itself serves"),
        ("objectRef.subresource: portforwrad", "no subresource of Kubernetes itself"),
    ],
)
def test_what_is_only_likely_wrong_is_a_warning(selection, words):
    (problem,) = problems(selection)
    assert problem.gravity is Gravity.WARNING
    assert words in problem.message


@pytest.mark.parametrize(
    "selection",
    [
        pytest.param("allowed: true;;responseStatus.code: 403", id="allowed and 403"),
        pytest.param("refused: true;;responseStatus.code|lt: 400", id="refused and below 400"),
        pytest.param("refused: true;;responseStatus.code: 404", id="refused and not found"),
        pytest.param("responseStatus.code|lt: 300;;responseStatus.code|gte: 400", id="no number is both"),
        pytest.param("level: Metadata;;requestObject.spec.x: 1", id="a body at Metadata"),
        pytest.param("level: Request;;responseObject.spec.x: 1", id="an answer at Request"),
        pytest.param("objectRef.resource: secrets;;pod.hostNetwork: true", id="a secret with a pod"),
        pytest.param("verb: delete;;pod.hostNetwork: true", id="a deletion with a pod"),
        pytest.param("resource: pods/status;;pod.hostNetwork: true", id="a status with a pod"),
        pytest.param("stage: RequestReceived;;responseStatus.code: 200", id="answered before it was asked"),
        pytest.param("stage: RequestReceived;;decision: allow", id="decided before it was asked"),
        pytest.param("verb: get;;verb|startswith: cr", id="two verbs"),
        pytest.param("resource: pods;;objectRef.resource: secrets", id="two resources"),
        pytest.param("resource: pods;;subresource: exec", id="no subresource and one"),
        pytest.param("user.username: a;;user.username|endswith: b", id="two names"),
        pytest.param("user.username: null;;user.username|exists: true", id="missing and there"),
        pytest.param("user.groups: a;;user.groups|neq: a", id="in and not in a group"),
    ],
)
def test_a_selection_that_contradicts_itself_is_dead(selection):
    (problem,) = problems(selection)
    assert "can never hold" in problem.message
    assert problem.line == 4


@pytest.mark.parametrize(
    "selection",
    [
        "user.groups: a;;user.groups|startswith: b", "responseStatus.code|gte: 400;;refused: false",
        "responseStatus.code|startswith: '41'", "resource|endswith: /exec", "resource|re: '^pods'",
        "objectRef.resource|startswith: clusterrole", "objectRef.resource: widgets", "verb: [get, list]",
        "responseStatus.code: 403;;decision: allow", "stage: ResponseStarted;;responseStatus.code: 401",
        "pod.hostNetwork: true", "resource: apps/deployments;;pod.hostNetwork: true", "requestObject.spec.x: 1",
        "objectRef.resource: events;;objectRef.apiGroup: events.k8s.io", "codeClass: 5xx;;allowed: true",
        "objectRef.name: a;;requestURI|contains: a", "verb: patch;;stage: RequestReceived;;objectRef.resource: pods",
        "user.username|cased: Bob;;user.username|contains: bo", "sourceIPs|cidr: 10.0.0.0/8;;address: 10.0.0.1",
    ],
)  # fmt: skip
def test_good_rules_pass_without_a_word(selection):
    assert problems(selection) == []


@pytest.mark.parametrize(
    ("selection", "condition"),
    [
        ("verb|exists: true", "selection"),
        ("verb: get", "selection or not selection"),
        ("allowed: [true, false]", "selection"),
    ],
)
def test_what_always_holds_is_an_error(selection, condition):
    (problem,) = problems(selection, condition)
    assert "always holds" in problem.message


def test_a_condition_that_contradicts_itself_is_dead():
    (problem,) = problems("verb: get", "selection and not selection")
    assert "the condition can never hold" in problem.message
    assert problem.line == 6


def test_a_selection_used_nowhere_is_an_error():
    text = "title: t\nlogsource: {product: kubernetes}\ndetection:\n  a: {verb: get}\n  b: {verb: list}\n  condition: a\n"
    (problem,) = check_documents(read_text(text))[1]
    assert (problem.line, problem.message) == (5, "selection 'b' is used nowhere in the condition")
    assert check_documents(read_text(text.replace("condition: a", "condition: 1 of them")))[1] == []


@pytest.mark.parametrize(
    ("extra", "words", "hint"),
    [
        ("levle: high\n", "unknown key 'levle'", "did you mean level?"),
        ("level: urgent\n", "'urgent' is no level", "one of"),
        ("group_by: [user.nam]\n", "unknown field 'user.nam'", "user.username"),
        ("timeframe: soon\n", "'soon' is no time span", "1h"),
        ("timeframe: 400d\n", "is no time span", "30d"),
        ("says: 'by {user.nme}'\n", "unknown field 'user.nme' in says", "did you mean"),
        ("stages: [finale]\n", "'finale' is no stage", "did you mean final?"),
        ("tags: attack\n", "", ""),
        ("tests: [1]\n", "tests hold `firing` and `quiet`", ""),
        ("tests: {firing: [{resuorce: pods}]}\n", "unknown part 'resuorce'", "did you mean resource?"),
        ("id: not-a-uuid\n", "UUID", ""),
    ],
)
def test_faults_of_other_keys_are_found(extra, words, hint):
    found = problems("verb: get", extra=extra)
    assert any(
        words in problem.message and hint in problem.hint and problem.line == 3 for problem in found
    ), found


def test_correlations_that_say_nothing_are_remarked_on():
    base = "title: a\nname: a\nlogsource: {product: kubernetes}\ndetection: {s: {verb: get}, condition: s}\n---\n"
    body = "title: c\ncorrelation: {type: event_count, rules: a, timespan: 1m, group-by: [user.username], condition: {gte: 1}}\n"
    (problem,) = check_documents(read_text(base + body))[1]
    assert problem.gravity is Gravity.WARNING
    assert "one match is enough" in problem.message
    never = base + body.replace("gte: 1", "lt: 1")
    assert "can never hold" in check_documents(read_text(never))[1][0].message


def test_a_folder_is_checked_as_a_whole(tmp_path):
    (tmp_path / "a.yml").write_text(
        "title: a\nlogsource: {product: kubernetes}\ndetection: {s: {verb: get}, condition: s}\n"
    )
    (tmp_path / "b.yml").write_text(
        "title: b\ncorrelation: {type: event_count, rules: [nobody], timespan: 1m, condition: {gte: 2}}\n"
    )
    (tmp_path / "c.yml").write_text("a: [1\n")
    found, problems = check_path(tmp_path)
    assert {one.id for one in found} == {"a", "b"}
    assert any("names 'nobody'" in problem.message for problem in problems)
    assert any(problem.file.endswith("c.yml") and "not YAML" in problem.message for problem in problems)
