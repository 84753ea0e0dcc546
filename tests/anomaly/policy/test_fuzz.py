"""Linters are run on whatever people have: none of them may end in anything but remarks."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.errors import AnomalyError
from anomaly.policy.explain import explain, requests_from
from anomaly.policy.flags import lint_flags
from anomaly.policy.kubeconfig import lint_kubeconfig
from anomaly.policy.lint import lint
from anomaly.policy.parse import parse

WORDS = [
    "",
    "*",
    "get",
    "GET",
    "pods",
    "pods/exec",
    "pods/*",
    "*/*",
    "/healthz*",
    "/api/v1/pods",
    "system:nodes",
    "a:b",
    "kube-sytem",
    "core",
    "apps",
    "\u202e",
    "y",
]
LISTS = st.none() | st.lists(st.sampled_from(WORDS) | st.none() | st.text(max_size=5), max_size=3)
ENTRY = st.fixed_dictionaries(
    {}, optional={"group": st.sampled_from(WORDS), "resources": LISTS, "resourceNames": LISTS, "x": LISTS}
)
RULE = st.fixed_dictionaries(
    {"level": st.sampled_from(["None", "Metadata", "Request", "RequestResponse", "metadata", ""])},
    optional={
        "users": LISTS,
        "userGroups": LISTS,
        "verbs": LISTS,
        "namespaces": LISTS,
        "nonResourceURLs": LISTS,
        "omitStages": st.lists(st.sampled_from(["RequestReceived", "ResponseComplete", "ResponseStarted", "x"]), max_size=3),
        "resources": st.none() | st.lists(ENTRY | st.none(), max_size=2),
        "omitManagedFields": st.none() | st.booleans(),
        "user": LISTS,
    },
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(RULE, max_size=4))
def test_any_policy_is_linted_without_a_fault(rules):
    data = json.dumps({"apiVersion": "audit.k8s.io/v1", "rules": rules}).encode()

    for remark in lint(b"---\n" + data) + lint(data):
        assert remark.effect and remark.remedy and remark.line >= 1


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_linted_as_any_kind_of_file(data):
    lint(data)
    lint_kubeconfig(data)
    lint_flags(data.decode("utf-8", "replace"))


FIELDS = [
    "name",
    "cluster",
    "user",
    "context",
    "server",
    "token",
    "client-key",
    "certificate-authority-data",
    "ca-file",
]
VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from(["audit", "https://a/b?c", "http://[", "//", "/path/to/x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=8,
)
SECTION = st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3), max_size=2) | VALUES


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {"clusters": SECTION, "users": SECTION, "contexts": SECTION, "current-context": VALUES}
    )
)
def test_any_kubeconfig_is_linted_without_a_fault(config):
    context = [{"name": "audit", "context": {"cluster": "audit", "user": "audit"}}]
    lint_kubeconfig(json.dumps(config).encode())
    lint_kubeconfig(json.dumps(config | {"contexts": context, "current-context": "audit"}).encode())


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="-audit=log webhokmd\"'\n,:x1", max_size=120))
def test_any_text_may_hold_flags(text):
    lint_flags(text)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80) | st.recursive(st.none() | st.text(max_size=4), lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["name", "attributes", "path", "method"]), x), max_leaves=6).map(lambda v: json.dumps(v).encode()))  # fmt: skip
def test_any_request_file_is_explained_or_refused_in_words(data):
    policy = parse(b"apiVersion: audit.k8s.io/v1\nrules: [{level: Metadata, verbs: [get]}]")
    try:
        found = explain(policy, requests_from(data))
    except AnomalyError as refused:
        assert "request file" in str(refused)
    else:
        assert all(item.as_json()["level"] in {"None", "Metadata"} for item in found)
