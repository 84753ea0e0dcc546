import pytest

from anomaly.policy.lint import lint
from anomaly.policy.look import Surroundings
from anomaly.policy.remark import Severity, worst


def ids(remarks):
    return {remark.id for remark in remarks}


def found(remarks, id):
    return [remark for remark in remarks if remark.id == id]


FIRES = [
    ("wildcard-never-matches", "- {level: Metadata, users: ['*']}", "leave users away"),
    ("wildcard-never-matches", "- {level: Metadata, userGroups: ['system:*']}", "leave userGroups away"),
    ("wildcard-never-matches", "- {level: Metadata, verbs: ['*']}", "leave verbs away"),
    ("wildcard-never-matches", "- {level: Metadata, namespaces: ['kube-*']}", "leave namespaces away"),
    ("wildcard-never-matches", "- {level: None, resources: [{group: '', resources: [pods], resourceNames: ['*']}]}", "leave resourceNames"),
    ("empty-name", "- {level: None, users: ['']}", "remove it"),
    ("group-as-user", "- {level: None, users: ['system:nodes']}", "move it to userGroups"),
    ("user-as-group", "- {level: None, userGroups: ['system:serviceaccount:ci:bot']}", "move it to users"),
    ("user-agent-as-user", "- {level: None, users: [kube-probe]}", "system:anonymous"),
    ("service-account-spelling", "- {level: None, users: ['system:serviceaccount:ci']}", "NAMESPACE:NAME"),
    ("service-account-spelling", "- {level: None, users: ['ci:bot']}", "did you mean system:serviceaccount:ci:bot?"),
    ("system-prefix-missing", "- {level: None, users: [kube-proxy]}", "did you mean system:kube-proxy?"),
    ("misspelt-user", "- {level: None, users: ['system:kube-schedular']}", "did you mean system:kube-scheduler?"),
    ("misspelt-group", "- {level: None, userGroups: ['system:authentificated']}", "did you mean system:authenticated?"),
    ("uppercase-verb", "- {level: Metadata, verbs: [GET]}", "did you mean get?"),
    ("uppercase-verb", "- {level: Metadata, verbs: [POST]}", "did you mean create?"),
    ("virtual-verb", "- {level: Metadata, verbs: [exec]}", "pods/exec"),
    ("virtual-verb", "- {level: Metadata, verbs: [impersonate]}", "get, list"),
    ("http-verb", "- {level: Metadata, verbs: [post], namespaces: [shop]}", "did you mean create?"),
    ("resource-verb-on-url", "- {level: Metadata, verbs: [list], nonResourceURLs: ['/api*']}", "get, head"),
    ("unknown-verb", "- {level: Metadata, verbs: [pacth]}", "did you mean patch?"),
    ("impossible-namespace", "- {level: Metadata, namespaces: [Kube-System]}", "kube-system"),
    ("misspelt-namespace", "- {level: Metadata, namespaces: [kube-sytem]}", "did you mean kube-system?"),
    ("no-such-group", "- {level: Metadata, resources: [{group: core}]}", 'group: ""'),
    ("no-such-group", "- {level: Metadata, resources: [{group: rbac}]}", "did you mean rbac.authorization.k8s.io?"),
    ("no-such-group", "- {level: Metadata, resources: [{group: networking.k8s}]}", "networking.k8s.io"),
    ("wrong-group", "- {level: Metadata, resources: [{resources: [deployments]}]}", "write group: apps"),
    ("wrong-group", "- {level: Metadata, resources: [{group: apps, resources: [secrets]}]}", 'write group: ""'),
    ("not-a-resource-name", "- {level: Metadata, resources: [{group: '', resources: [Pod]}]}", "did you mean pods?"),
    ("not-a-resource-name", "- {level: Metadata, resources: [{group: apps, resources: [deploy]}]}", "did you mean deployments?"),
    ("group-in-resource", "- {level: None, resources: [{group: '', resources: [deployments.apps]}]}", "group: apps"),
    ("group-in-resource", "- {level: None, resources: [{group: apps, resources: [apps/deployments]}]}", "[deployments]"),
    ("group-in-resource", "- {level: None, resources: [{group: '', resources: [v1/pods]}]}", 'group: "" and resources: [pods]'),
    ("odd-wildcard", "- {level: None, resources: [{group: '', resources: ['*/*']}]}", "write `*`"),
    ("odd-wildcard", "- {level: None, resources: [{group: '', resources: ['pod*']}]}", "write the names out"),
    ("odd-resource", "- {level: None, resources: [{group: '', resources: ['pods/']}]}", "write pods"),
    ("odd-resource", "- {level: None, resources: [{group: '', resources: ['/status']}]}", "write */status"),
    ("unknown-subresource", "- {level: None, resources: [{group: '', resources: [pods/exce]}]}", "did you mean pods/exec?"),
    ("unknown-resource", "- {level: None, resources: [{group: apps, resources: [deploymnets]}]}", "did you mean deployments?"),
    ("url-with-query", "- {level: None, nonResourceURLs: ['/version?x=1']}", "write /version"),
    ("url-encoded", "- {level: None, nonResourceURLs: ['/%68ealthz']}", "letters themselves"),
    ("url-of-a-resource", "- {level: None, nonResourceURLs: ['/api/v1/pods*']}", "under resources"),
    ("url-trailing-slash", "- {level: None, nonResourceURLs: ['/healthz/']}", "write /healthz"),
    ("rule-matches-nothing", "- {level: Metadata, verbs: [GET, POST]}", "correct verbs"),
    ("rule-never-reached", "- {level: None}\n- {level: Metadata, verbs: [list]}", "move it before rules[0]"),
    ("rule-never-reached", "- {level: None, userGroups: ['system:serviceaccounts']}\n- {level: Request, users: ['system:serviceaccount:a:b']}", "move it"),
    ("verb-left-out", "- {level: Metadata, verbs: [create, update], resources: [{group: apps, resources: [deployments]}]}", "add patch"),
    ("verb-left-out", "- {level: Metadata, verbs: [delete], resources: [{group: '', resources: [secrets]}]}", "add deletecollection"),
    ("subresource-left-out", "- {level: Metadata, resources: [{group: '', resources: [pods]}]}", "pods/exec"),
    ("star-covers-parent", "- {level: Metadata, resources: [{group: '', resources: [pods/*]}]}", "rule for the plain resource first"),
    ("names-miss-creates-and-lists", "- {level: Metadata, verbs: [create], resources: [{group: '', resources: [secrets], resourceNames: [x]}]}", 'add ""'),
    ("namespace-of-cluster-resource", "- {level: Metadata, namespaces: [shop], resources: [{group: '', resources: [nodes]}]}", "remove namespaces"),
    ("namespace-object", "- {level: Metadata, namespaces: [shop], resources: [{group: '', resources: [namespaces]}]}", 'add ""'),
    ("all-namespaces-escape", "- {level: Metadata, namespaces: [shop], resources: [{group: '', resources: [secrets]}]}", 'add ""'),
    ("impersonation-hidden", "- {level: None, users: [erin]}", "narrow the rule"),
    ("unknown-field", "- {level: None, user: [erin]}", "did you mean users?"),
    ("unknown-field", "- {level: None, resourceNames: [web]}", "belongs to an entry of resources"),
    ("unknown-field", "- {level: None, resources: [{group: '', namespaces: [shop]}]}", "belongs to the rule"),
    ("duplicate-key", "- level: None\n  level: Metadata", "keep one"),
    ("empty-list", "- {level: None, users: []}", "remove users"),
    ("empty-list", "- {level: Metadata, resources: [{group: apps, resources: []}]}", "remove it"),
    ("users-and-groups", "- {level: None, users: [a], userGroups: [b]}", "two rules"),
    ("null-means-not-given", "- {level: Request, omitManagedFields: null}", "true or false"),
    ("omits-every-stage", "- {level: Request, omitStages: [RequestReceived, ResponseStarted, ResponseComplete]}", "RequestReceived only"),
    ("omits-response-complete", "- {level: Request, omitStages: [ResponseComplete]}", "RequestReceived instead"),
    ("omits-response-started", "- {level: Metadata, omitStages: [ResponseStarted]}", "keep it"),
    ("request-received-kept", "- {level: Metadata}", "omitStages: [RequestReceived]"),
    ("managed-fields-kept", "- {level: Request}", "omitManagedFields: true"),
    ("secret-bodies", "- {level: Request}", "level Metadata"),
    ("secret-bodies", "- {level: RequestResponse, verbs: [get]}", "level Metadata"),
    ("token-bodies", "- {level: RequestResponse, resources: [{group: '', resources: [serviceaccounts/token]}]}", "level Metadata"),
    ("configmap-bodies", "- {level: Request}", "level Metadata"),
    ("patch-vanishes", "- {level: Request}", "apiserver_audit_error_total"),
    ("blind-spot", "- {level: None, verbs: [get]}\n- {level: Metadata}", "before rules[0]"),
    ("exec-over-websocket", "- {level: None, verbs: [get, list, watch]}\n- {level: Metadata}", "pods/exec"),
    ("failed-logins-lost", "- {level: Metadata, userGroups: ['system:authenticated', 'system:unauthenticated']}", "without users"),
    ("no-last-rule", "- {level: Metadata, verbs: [create]}", "- level: Metadata"),
    ("nothing-written", "- {level: None}", "- level: Metadata"),
    ("little-written", "- {level: Metadata, users: [bob]}", "- level: Metadata"),
    ("chatter-written", "- {level: Metadata}", "anomaly policy generate"),
    ("refused", "- {level: metadata}", "did you mean Metadata?"),
    ("refused", "- {level: Metadata, resources: [{group: apps/v1}]}", "without its version: apps"),
    ("refused", "- {level: Metadata, omitStages: [Received]}", "did you mean RequestReceived?"),
    ("refused", "- {level: Metadata, users: alice}", "write a list"),
    ("refused", "- {level: Metadata, users: [y]}", "quotes"),
    ("refused", "\t- level: Metadata", "no tabs"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("id", "rules", "remedy"), FIRES, ids=[f"{id}-{n}" for n, (id, _, _) in enumerate(FIRES)]
)
def test_the_trap_is_named_with_effect_and_remedy(policy_of, id, rules, remedy):
    remarks = found(lint(policy_of(rules), "p.yaml"), id)

    assert remarks
    assert any(remedy in remark.remedy for remark in remarks)
    assert all(remark.effect and remark.line >= 1 for remark in remarks)


QUIET = b"""apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - level: None
    users: ["system:kube-scheduler", "system:kube-controller-manager", "system:apiserver"]
    verbs: [get, list, watch, update]
    resources: [{group: ""}, {group: coordination.k8s.io}, {group: discovery.k8s.io}]
  - level: None
    userGroups: ["system:nodes"]
    verbs: [get, update, patch]
    resources:
      - group: ""
        resources: [nodes, nodes/status, pods/status]
      - group: coordination.k8s.io
        resources: [leases]
  - level: None
    nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version"]
    verbs: [get]
    userGroups: ["system:unauthenticated"]
  - level: None
    verbs: [create]
    resources: [{group: "", resources: [events]}]
  - level: Metadata
"""


def test_a_sound_policy_has_no_remarks_but_advice():
    remarks = lint(QUIET)

    assert [remark for remark in remarks if remark.severity is not Severity.INFO] == []


def test_every_trap_stays_quiet_on_the_sound_policy(policy_of):
    assert not {id for id, _, _ in FIRES} & (ids(lint(QUIET)) - {"impersonation-hidden"})


QUIET_NEIGHBOURS = [
    ("wildcard-never-matches", "- {level: Metadata, resources: [{group: '*', resources: ['*', '*/status', 'pods/*']}]}"),
    ("http-verb", "- {level: Metadata, verbs: [post, get]}"),
    ("wrong-group", "- {level: Metadata, resources: [{group: '*', resources: [deployments]}]}"),
    ("unknown-resource", "- {level: Metadata, resources: [{group: example.com, resources: [widgets]}]}"),
    ("no-such-group", "- {level: Metadata, resources: [{group: widgets.example.com}]}"),
    ("url-of-a-resource", "- {level: Metadata, nonResourceURLs: ['/api*', '/apis/apps/*']}"),
    ("rule-never-reached", "- {level: None, verbs: [get]}\n- {level: Metadata, verbs: [get, list]}"),
    ("rule-never-reached", "- {level: None, nonResourceURLs: ['/healthz']}\n- {level: Metadata, nonResourceURLs: ['/healthz*']}"),
    ("rule-matches-nothing", "- {level: Metadata, verbs: [GET, get]}"),
    ("verb-left-out", "- {level: Metadata, verbs: [update, patch], resources: [{group: apps, resources: [deployments]}]}"),
    ("subresource-left-out", "- {level: Metadata, resources: [{group: '', resources: [pods]}]}\n- {level: Metadata}"),
    ("secret-bodies", "- {level: Metadata, resources: [{group: '', resources: [secrets]}]}\n- {level: RequestResponse}"),
    ("exec-over-websocket", "- {level: Metadata, resources: [{resources: ['pods/*']}]}\n- {level: None, verbs: [get]}"),
    ("failed-logins-lost", "- {level: Metadata, verbs: [list]}"),
    ("group-as-user", "- {level: Metadata, users: ['system:serviceaccount:ci:bot', 'system:node:a', 'system:admin']}"),
    ("misspelt-user", "- {level: Metadata, users: ['system:serviceaccount:ci:bot', 'system:node:a', alice]}"),
    ("names-miss-creates-and-lists", "- {level: Metadata, verbs: [get, delete], resources: [{resources: [secrets], resourceNames: [a]}]}"),
    ("unknown-field", "- {level: Metadata}"),
    ("ignored-document", "- {level: Metadata}"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("id", "rules"), QUIET_NEIGHBOURS, ids=[f"{id}-{n}" for n, (id, _) in enumerate(QUIET_NEIGHBOURS)]
)
def test_what_only_looks_like_the_trap_stays_quiet(policy_of, id, rules):
    assert id not in ids(lint(policy_of(rules)))


def test_lines_point_at_the_value(policy_of):
    remarks = lint(policy_of("- level: Metadata\n  users:\n    - alice\n    - '*'"))

    assert [remark.line for remark in found(remarks, "wildcard-never-matches")] == [7]


def test_a_second_document_is_named_where_it_begins(policy_of):
    assert [
        r.line for r in found(lint(policy_of("- level: Metadata") + b"---\nrules: [\n"), "ignored-document")
    ] == [5]


def test_a_misspelt_criterion_that_silences_the_log_says_so(recording):
    remarks = lint((recording.folder / "policies" / "unknown-rule-field-catchall.yaml").read_bytes())

    effects = [remark.effect for remark in found(remarks, "unknown-field")]
    assert len(effects) == 3
    assert all("matches every request, at level None" in effect for effect in effects)
    assert found(remarks, "nothing-written")


def test_the_sink_s_own_traffic_is_a_loop_only_when_it_is_written(policy_of):
    sink = Surroundings(sink="system:serviceaccount:anomaly:anomaly")
    left_out = "- {level: None, users: ['system:serviceaccount:anomaly:anomaly']}\n- {level: Metadata}"

    assert "own-traffic" in ids(lint(policy_of("- level: Metadata"), surroundings=sink))
    assert "own-traffic" not in ids(lint(policy_of(left_out), surroundings=sink))
    assert "own-traffic" not in ids(lint(policy_of("- level: Metadata")))


def test_every_refused_recording_has_an_error_and_every_accepted_one_is_read_whole(recording, recorded):
    remarks = lint((recording.folder / "policies" / f"{recorded}.yaml").read_bytes(), f"{recorded}.yaml")

    refused = not recording.verdicts[recorded]["accepted"]
    assert bool(found(remarks, "refused")) is refused
    if refused:
        assert worst(remarks) is Severity.ERROR


SEED_MISTAKES = {
    "wildcard-never-matches": 3,  # users ["*"] three times
    "rule-matches-nothing": 3,
    "user-agent-as-user": 1,  # kube-probe
    "nothing-written": 1,
    "verb-left-out": 2,  # patch and deletecollection of secrets
    "secret-bodies": 1,  # RequestResponse on secrets, once the rule matches
    "subresource-left-out": 1,  # pods without pods/exec
    "all-namespaces-escape": 1,
    "exec-over-websocket": 1,
    "failed-logins-lost": 1,
    "blind-spot": 1,
    "request-received-kept": 1,
}


@pytest.mark.parametrize("name", ["policy-indented.yaml", "policy-as-printed.yaml"])
def test_every_mistake_of_the_seed_article_is_named(recording, name):
    remarks = lint((recording.seed / name).read_bytes(), name)

    counts = {id: len(found(remarks, id)) for id in SEED_MISTAKES}
    assert counts == SEED_MISTAKES
    printed = name == "policy-as-printed.yaml"
    assert bool(found(remarks, "indentation-lost")) is printed
    assert bool(found(remarks, "refused")) is printed


def test_the_seed_article_as_printed_is_named_on_its_own_lines(recording):
    data = (recording.seed / "policy-as-printed.yaml").read_bytes()
    lines = data.decode().splitlines()

    for remark in found(lint(data), "wildcard-never-matches"):
        assert 'users: ["*"]' in lines[remark.line - 1]
