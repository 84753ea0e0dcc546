"""Our rules as queries of others: what is said, and what is honestly not."""

import pytest
from sigma.backends.test import TextQueryTestBackend

from anomaly.rules.document import read_text
from anomaly.rules.export import BackendMissing, Target, _export, documents_at, export


def exported(selection, condition="selection"):
    lines = "\n".join(f"    {line.strip()}" for line in selection.split(";;"))
    text = f"title: t\ndetection:\n  selection:\n{lines}\n  condition: {condition}\n"
    return _export("t", read_text(text)[0], TextQueryTestBackend())


@pytest.mark.parametrize(
    ("selection", "query"),
    [
        ("verb: get", 'verb="get"'),
        ("resource: pods/exec", 'objectRef.resource="pods" and objectRef.subresource="exec"'),
        (
            "resource: [pods/exec, pods/attach]",
            'objectRef.subresource="attach" or objectRef.resource="pods" and',
        ),
        ("resource: [pods, secrets]", 'objectRef.resource in ("pods", "secrets")'),
        ("interactive: true", 'userAgent in ("kubectl*"'),
        ("interactive: false", 'not (userAgent in ("kubectl*"'),
        ("codeClass: 4xx", "responseStatus.code>=400 and responseStatus.code<=499"),
        ("entity.name: bob", 'user.username in ("bob", "system:bob") or user.username endswith ":bob"'),
        (
            "entity.kind: [human, serviceaccount]",
            'not user.username startswith "system:" or user.username startswith',
        ),
        ("allowed: true", '"allow"'),
        ("refused: true", '"forbid"'),
        ("entity.kind: node", 'user.username startswith "system:node:"'),
        ("entity.kind: human", 'not user.username startswith "system:"'),
        ("entity.namespace: ci", 'user.username startswith "system:serviceaccount:ci:"'),
        (
            "entity.kind: serviceaccount;;entity.namespace: ci",
            'user.username startswith "system:serviceaccount:ci:"',
        ),
        ("impersonated: true", "exists"),
        ("pod.hostNetwork: true", "requestObject.spec.hostNetwork"),
        ("pod.containers[].image|contains: evil", "requestObject.spec.containers.image"),
    ],
)
def test_derived_fields_become_fields_of_the_event(selection, query):
    result = exported(selection)
    assert result.reason == ""
    assert query in result.queries[0].replace("'", "").replace("\\", "")


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        ("credential: x", "worked out by this product"),
        ("entity.name|contains: bob", "plain values only"),
        ("requestObject.x|fieldref: entity.name", "nothing can be compared"),
        ("interactive: maybe", "plain true or false"),
        ("entity.kind: node;;entity.namespace: ci", "two kinds of caller"),
        ("resource|contains: pods", "plain values only"),
    ],
)
def test_what_cannot_be_said_there_is_told(selection, reason):
    result = exported(selection)
    assert result.queries == ()
    assert reason in result.reason


def test_what_a_query_cannot_promise_is_noted():
    notes = exported("pod.hostNetwork: true;;allowed: true").notes
    assert any("reads pods only" in note for note in notes)
    assert any("refused by admission" in note for note in notes)
    assert any("final stage" in note for note in notes)


def test_the_whole_pack_becomes_plain_sigma():
    results = export(documents_at(None), Target.SIGMA)
    assert [result.rule for result in results if not result.queries and not result.reason] == []
    for result in results:
        for query in result.queries:
            (document,) = read_text(query)
            assert "entity." not in query.split("detection:")[1]
            assert document.data["title"]


def test_a_missing_backend_is_said_to_be_missing():
    pytest.importorskip("sigma")
    try:
        import sigma.backends.splunk  # noqa: F401
    except ImportError:
        with pytest.raises(BackendMissing) as caught:
            export([], Target.SPLUNK)
        assert "pysigma-backend-splunk" in caught.value.hint
