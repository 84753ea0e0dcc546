"""What must never be kept is gone from an event, what rules and people need stays, and everything else comes back untouched."""

import base64
import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.events.decode import Reject, decode_lines
from anomaly.redaction import Kind, Redactor, Tally
from anomaly.redaction.stand_in import StandIns
from anomaly.redaction.suspicion import suspicious, suspicious_among
from anomaly.rules import pack
from anomaly.rules.compile import RuleSet
from anomaly.testing import raw_event

SECRET = "aHVudGVyMi1odW50ZXIy"
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7v3\n-----END RSA PRIVATE KEY-----\n"
HEAD = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}}


def redacted(raw, **options):
    tally = Tally()
    return Redactor(**options).event_bytes(raw, tally), tally


def without(value, raw, **options):
    """Redact, and hold that the value is gone, that it is an event still and that doing it again changes nothing."""
    assert value.encode() in raw or "\n" in value or "/" in value
    assert suspicious(raw) or json.loads(raw)["objectRef"]["resource"] == "secrets"
    again, tally = redacted(raw, **options)
    assert value.encode() not in again and tally.total()
    assert not decode_lines(again).rejects
    assert redacted(again, **options)[0] == again
    return json.loads(again), tally


def applied(value):
    text = json.dumps({**HEAD, "data": {"password": value}}) + "\n"
    return {"kubectl.kubernetes.io/last-applied-configuration": text}


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        pytest.param("create", {**HEAD, "data": {"password": SECRET}}, id="data"),
        pytest.param("create", {**HEAD, "stringData": {"password": SECRET}}, id="string data"),
        pytest.param("patch", {"data": {"password": SECRET}}, id="merge patch"),
        pytest.param("patch", {"stringData": {"password": SECRET}, "$patch": "replace"}, id="strategic patch"),
        pytest.param("patch", [{"op": "add", "path": "/data/password", "value": SECRET}], id="JSON patch"),
        pytest.param("patch", [{"op": "replace", "path": "/data", "value": {"a": SECRET}}], id="JSON patch of all data"),
        pytest.param("patch", [{"op": "add", "path": "", "value": {**HEAD, "data": {"a": SECRET}}}], id="JSON patch of the root"),
        pytest.param("patch", [{"op": "test", "path": "/something", "value": SECRET}], id="JSON patch of what nobody knows"),
        pytest.param("patch", {"metadata": {"annotations": applied(SECRET)}}, id="last applied"),
        pytest.param("patch", [{"op": "add", "path": "/metadata/annotations", "value": applied(SECRET)}], id="last applied by JSON patch"),
        pytest.param("create", {"metadata": {"annotations": {"x/last-applied-configuration": "{" + SECRET}}}, id="last applied, broken"),
        pytest.param("update", {"unheard-of": [{"deep": SECRET}]}, id="a shape nobody knows"),
        pytest.param("update", SECRET, id="a text"),
    ],
)  # fmt: skip
def test_a_secret_in_a_request_is_gone(verb, body):
    without(SECRET, raw_event("secrets", verb, name="db", body=body))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({**HEAD, "data": {"password": SECRET}}, id="object"),
        pytest.param({"kind": "SecretList", "items": [{"metadata": {}, "data": {"a": SECRET}}]}, id="list"),
        pytest.param(
            {
                "kind": "Table",
                "rows": [{"cells": ["db", "Opaque", 1], "object": {**HEAD, "data": {"a": SECRET}}}],
            },
            id="table",
        ),
    ],
)
def test_a_secret_in_an_answer_is_gone(answer):
    without(SECRET, raw_event("secrets", "list", answer=answer))


@pytest.mark.parametrize(
    ("resource", "fields"),
    [
        pytest.param("serviceaccounts/token", {"answer": {"kind": "TokenRequest", "status": {"token": JWT}}}, id="token request"),
        pytest.param("authentication.k8s.io/tokenreviews", {"body": {"kind": "TokenReview", "spec": {"token": JWT}}}, id="token review"),
        pytest.param("widgets", {"body": {"spec": {"template": {**HEAD, "data": {"a": JWT}}}}}, id="a secret inside another object"),
        pytest.param("configmaps", {"body": {"data": {"a.json": json.dumps({**HEAD, "data": {"a": JWT}})}}}, id="a secret as a text"),
        pytest.param("configmaps", {"body": {"data": {"a.yaml": f"apiVersion: v1\nkind: Secret\ndata:\n  a: {JWT}\n"}}}, id="a secret as YAML"),
        pytest.param("pods", {"uri": f"/api/v1/namespaces/shop/pods?watch=1&access_token={JWT}"}, id="query"),
        pytest.param("pods/exec", {"uri": f"/api/v1/namespaces/shop/pods/a/exec?command=curl&command=-H&command=Authorization%3A+Bearer+{JWT}"}, id="exec command"),
        pytest.param("pods", {"body": {"metadata": {"annotations": {"note": f"use {JWT}"}}}}, id="annotation"),
        pytest.param("pods", {"body": {"spec": {"containers": [{"env": [{"name": "X", "value": JWT}]}]}}}, id="environment"),
        pytest.param("pods", {"agent": f"tool/1.0 {JWT}"}, id="user agent"),
        pytest.param("pods", {"responseStatus": {"code": 400, "message": f"bad token {JWT}"}}, id="message"),
        pytest.param("/proxy", {"uri": f"/proxy/{JWT}/x"}, id="path"),
    ],
)  # fmt: skip
def test_a_token_is_gone_wherever_it_stands(resource, fields):
    without(JWT, raw_event(resource, "create", **fields))


@pytest.mark.parametrize(
    ("value", "text", "kind"),
    [
        pytest.param("MIIEowIBAAKCAQEA7v3", PEM, Kind.PRIVATE_KEY, id="private key"),
        pytest.param("MIIEowIBAAK", PEM[:50], Kind.PRIVATE_KEY, id="private key cut short"),
        pytest.param(base64.b64encode(PEM.encode()).decode(), base64.b64encode(PEM.encode()).decode(), Kind.PRIVATE_KEY, id="private key as base64"),
        pytest.param("AKIAIOSFODNN7EXAMPLE", "id AKIAIOSFODNN7EXAMPLE", Kind.ACCESS_KEY, id="AWS id"),
        pytest.param("ghp_" + "a1B2" * 9, "ghp_" + "a1B2" * 9, Kind.ACCESS_KEY, id="GitHub"),
        pytest.param("xoxb-123456789012-abc", "xoxb-123456789012-abc", Kind.ACCESS_KEY, id="Slack"),
        pytest.param("wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", Kind.PASSWORD, id="AWS secret"),
        pytest.param("hunter2!", "db_password=hunter2!", Kind.PASSWORD, id="password"),
        pytest.param("s3cr3t-opaque-1", "Authorization: Bearer s3cr3t-opaque-1", Kind.BEARER, id="opaque bearer"),
        pytest.param("hunter2", "postgres://app:hunter2@db/app", Kind.PASSWORD, id="password in a URL"),
        pytest.param("abcdef.0123456789abcdef", "kubeadm join --token abcdef.0123456789abcdef", Kind.TOKEN, id="bootstrap token"),
    ],
)  # fmt: skip
def test_keys_and_passwords_are_known_by_their_look_or_name(value, text, kind):
    _, tally = without(value, raw_event("configmaps", "create", body={"data": {"app.conf": text}}))
    assert tally[kind] == 1


def test_arguments_and_variables_that_say_they_are_secret_are_believed():
    container = {
        "command": ["app", "--password", "hunter2-a"],
        "env": [
            {"name": "DB_PASSWORD", "value": "hunter2-b"},
            {"value": "hunter2-c", "name": "API_TOKEN"},
            {"name": "TOKEN_FILE", "value": "/var/run/token"},
            {"name": "AUTH_SECRET", "value": "$(OTHER)"},
        ],
    }
    event, tally = without("hunter2", raw_event("pods", "create", body={"spec": {"containers": [container]}}))
    env = event["requestObject"]["spec"]["containers"][0]["env"]
    assert [one["value"] for one in env[2:]] == ["/var/run/token", "$(OTHER)"] and tally.total() == 3
    uri = "/api/v1/namespaces/a/pods/b/exec?command=psql&command=--password&command=hunter2-d&stdin=true"
    event, _ = without("hunter2", raw_event("pods/exec", "create", uri=uri))
    assert event["requestURI"].endswith("command=--password&command=REDACTED.9&stdin=true")


def test_what_rules_and_people_need_of_a_secret_stays():
    body = {**HEAD, "type": "kubernetes.io/service-account-token", "data": {"token": JWT}, "immutable": True}
    body["metadata"] = {
        "name": "db",
        "labels": {"app": "web"},
        "annotations": {"kubernetes.io/service-account.name": "admin"},
    }
    event, tally = without(JWT, raw_event("secrets", "create", body=body))
    assert event["requestObject"] == {**body, "data": {"token": f"REDACTED.{len(JWT)}"}}
    assert tally == {Kind.SECRET: 1}


@pytest.mark.parametrize("configmaps", [False, True])
def test_rules_find_in_redacted_events_what_they_find_in_the_others(configmaps):
    """Every example of every rule of the pack, before and after."""
    rules: RuleSet = pack()
    redactor = Redactor(configmaps=configmaps)
    changed = 0
    for rule in rules.rules:
        for example in rule.card.examples:
            before = decode_lines(b"\n".join(example.events))
            after = redactor.redact(before).decoded
            changed += after is not before
            for old, new, shape, other in zip(
                before.events, after.events, before.shapes, after.shapes, strict=True
            ):
                assert fired(rules, new, other) == fired(rules, old, shape), rule.id
    assert changed > 5


def fired(rules, event, shape):
    return {match.id for match in rules.matches(event, shape)}


def test_an_event_without_secrets_is_the_same_object():
    raws = [
        raw_event(),
        raw_event("secrets", "get", name="db"),
        raw_event("secrets", "delete", name="db", answer={"kind": "Status", "details": {"kind": "secrets"}}),
        raw_event(
            "pods", "create", body={"spec": {"containers": [{"name": "token", "image": "password:1"}]}}
        ),
        raw_event(
            "configmaps", "create", body={"data": {"app.conf": "loglevel = info\npassword_file = /etc/x"}}
        ),
        raw_event("configmaps", "create", body={"data": {"ca.crt": "-----BEGIN CERTIFICATE-----\nMII"}}),
        raw_event(
            "pods", "list", uri="/api/v1/pods?labelSelector=app%3Dtoken&limit=500&continue=eyJ2IjoibWV0"
        ),
        raw_event("serviceaccounts/token", "create", body={"spec": {"expirationSeconds": 3600, "token": ""}}),
        raw_event("widgets", "create", body={"spec": {"secretRef": {"kind": "Secret", "name": "db"}}}),
    ]
    decoded = decode_lines(b"\n".join(raws))
    after = Redactor().redact(decoded)
    assert all(one is other for one, other in zip(after.decoded.raws, decoded.raws, strict=True))
    assert not after.tallies


def test_disguises_are_looked_through():
    escaped = JWT.replace("e", "\\u0065", 1)
    raw = raw_event("pods", "create", body={"a": "HERE"}).replace(b"HERE", escaped.encode())
    assert JWT[10:].encode() not in redacted(raw)[0]
    encoded = "%65" + JWT[1:]
    raw = raw_event("pods", uri=f"/api/v1/pods?x={encoded}")
    assert JWT[10:].encode() not in redacted(raw)[0]
    deep = b"[" * 900 + b'"%s"' % JWT.encode() + b"]" * 900
    raw = raw_event("pods", "create", body={"a": "HERE"}).replace(b'"HERE"', deep)
    assert JWT.encode() not in redacted(raw)[0]


def test_equal_values_are_known_by_a_digest_only_with_a_key():
    raw = raw_event("secrets", "create", body={**HEAD, "data": {"a": SECRET, "b": SECRET, "c": SECRET[::-1]}})
    plain = json.loads(redacted(raw)[0])["requestObject"]["data"]
    assert set(plain.values()) == {f"REDACTED.{len(SECRET)}"}
    keyed = json.loads(redacted(raw, key=b"k" * 16)[0])["requestObject"]["data"]
    assert keyed["a"] == keyed["b"] != keyed["c"]
    other = json.loads(redacted(raw, key=b"x" * 16)[0])["requestObject"]["data"]
    assert other["a"] != keyed["a"]
    assert StandIns(b"k" * 16).alike("AKIAIOSFODNN7EXAMPLE", "AKIA") != StandIns().alike(
        "AKIAIOSFODNN7EXAMPLE", "AKIA"
    )


def test_config_maps_are_replaced_whole_by_setting():
    raw = raw_event("configmaps", "create", body={"data": {"a": "loglevel = info\ndb_password = hunter2!"}})
    data = without("hunter2!", raw)[0]["requestObject"]["data"]
    assert "loglevel" in data["a"]
    data = without("loglevel", raw, configmaps=True)[0]["requestObject"]["data"]
    assert data["a"].startswith("REDACTED.38 ") and "password = REDACTED.8" in data["a"]


def test_switched_off_nothing_is_touched():
    decoded = decode_lines(raw_event("secrets", "create", body={**HEAD, "data": {"a": SECRET}}))
    assert Redactor(enabled=False).redact(decoded).decoded is decoded


@pytest.mark.parametrize(
    "cut",
    [
        lambda raw: raw[:-3],
        lambda raw: b"garbage " + raw,
        lambda raw: raw.replace(b'"auditID"', b'"auditId"'),
        lambda raw: json.dumps({"log": raw.decode()}).encode()[:-2],
        lambda raw: b'{"kind":"Wrong","items":[' + raw + b"]}",
    ],
)
def test_secrets_in_what_is_no_event_are_recognised(cut):
    raw = raw_event("secrets", "create", body={**HEAD, "data": {"a": SECRET, "b": JWT}})
    reject = Redactor().reject_of(Reject(cut(raw), f"not {JWT}"), Tally())
    assert SECRET.encode() not in reject.raw and JWT.encode() not in reject.raw and JWT not in reject.reason
    assert Redactor().reject_of(reject, Tally()) is reject


@given(
    st.binary(max_size=400)
    | st.text(max_size=400).map(lambda text: json.dumps({"a": text, "kind": "Secret", "data": text}).encode())
)
def test_no_bytes_make_it_fail(raw):
    Redactor().reject_of(Reject(raw, "no event"), Tally())


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["data", "items", "kind", "metadata", "annotations", "op", "path", "value", "rows", "object", "token", "env", "name"]) | st.text(), inner), max_leaves=20), st.sampled_from(["secrets", "configmaps", "pods"]))  # fmt: skip
def test_any_body_stays_an_event_and_is_done_at_once(body, resource):
    raw = raw_event(resource, "patch", body=body)
    again, _ = redacted(raw)
    assert not decode_lines(again).rejects and redacted(again)[0] == again
    assert json.loads(again)["auditID"] == json.loads(raw)["auditID"]


def test_of_a_real_control_planes_secrets_nothing_is_left(data):
    """The excerpt holds throwaway tokens of a cluster that is gone, and secrets made up for it, all beginning with FAKE-."""
    decoded = decode_lines((data / "redaction" / "recorded.jsonl").read_bytes())
    before = b"\n".join(decoded.raws)
    found = re.findall(rb"FAKE-[A-Za-z0-9-]+|eyJ[\w-]{20,}\.[\w-]+\.[\w-]+", before)
    packed = [one for one in re.findall(rb'"([A-Za-z0-9+/]{8,}={0,2})"', before) if is_fake(one)]
    values = {*found, *packed}
    assert len(values) == 5
    after = b"\n".join(Redactor().redact(decoded).decoded.raws)
    assert not [value for value in values if value in after]


def is_fake(text):
    try:
        return b"FAKE-" in base64.b64decode(text, validate=True)
    except ValueError:
        return False


def test_numbers_and_order_of_other_fields_stay(data):
    raw = raw_event("secrets", "create", body={**HEAD, "data": {"a": SECRET}}, code=201)
    before, after = msgspec.json.decode(raw), msgspec.json.decode(redacted(raw)[0])
    assert list(before) == list(after)
    assert {k: v for k, v in before.items() if k != "requestObject"} == {
        k: v for k, v in after.items() if k != "requestObject"
    }


@given(st.lists(st.sampled_from([raw_event(), raw_event(agent=f"tool {JWT}"), b"postgres://app", b":x@y", b'{"a":"pass', b'word":1}', b"", b"-"]), max_size=12))  # fmt: skip
def test_searching_many_at_once_finds_all_that_searching_each_finds(raws):
    found = suspicious_among(raws)
    assert found == sorted(set(found))
    assert set(found) >= {index for index, raw in enumerate(raws) if suspicious(raw)}


def test_searching_many_at_once_finds_the_same_in_events_beyond_one_piece():
    raws = [raw_event(agent=f"tool {JWT}" if at % 400 == 7 else "x" * 900, at=at) for at in range(2_000)]
    assert sum(map(len, raws)) > 2 << 20
    assert suspicious_among(raws) == [index for index, raw in enumerate(raws) if suspicious(raw)]
    assert suspicious_among(raws[:3]) == suspicious_among([]) == []


def test_what_is_no_event_after_redaction_goes_to_quarantine_without_its_secret():
    """A status that poses as a Secret: its code becomes a text, which no status has."""
    posing = {**HEAD, "data": {"a": SECRET}, "code": 200}
    raws = [raw_event(), raw_event(responseStatus=posing, at=1), raw_event(agent=f"tool {JWT}", at=2)]
    decoded = decode_lines(b"\n".join(raws))
    assert len(decoded.events) == 3
    after = Redactor().redact(decoded)
    assert (
        after.lost == [1]
        and after.decoded.raws[0] is decoded.raws[0]
        and JWT.encode() not in after.decoded.raws[1]
    )
    assert (len(after.decoded.events), len(after.decoded.shapes), set(after.tallies)) == (2, 2, {1})
    (reject,), (received,) = after.decoded.rejects, after.received
    assert SECRET.encode() not in reject.raw and SECRET not in reject.reason and received.raw == raws[1]
    assert after.rejected == {Kind.SECRET: 2}


def test_fields_that_hold_nothing_keep_their_bytes_and_managed_fields_are_not_passed_over():
    managed = [{"manager": "m", "fieldsV1": {"f:data": {f"v:{JWT}": {}}}}]
    body = {**HEAD, "data": {"a": SECRET}, "metadata": {"name": "db", "managedFields": managed}}
    raw = raw_event("secrets", "create", body=body, uri="/api/v1/secrets?a=1&b=2").replace(b"&", b"\\u0026")
    event, _ = without(SECRET, raw)
    assert JWT not in json.dumps(event)
    assert b"a=1\\u0026b=2" in redacted(raw)[0]
