"""Rules of the pack see what a body asks for however it is sent: whole, as a patch of either kind, or in the answer alone."""

import msgspec
import pytest

from anomaly.events.decode import decode_lines
from anomaly.rules import pack
from anomaly.rules.needs import need_of
from tests.anomaly.rules.builders import fires


def written():
    """(rule, event as JSON) of every firing example that writes an object with a body."""
    for rule in pack().rules:
        if not any(name.startswith(("requestObject.", "pod.")) for name in need_of(rule).bodies):
            continue
        for example in rule.card.examples:
            events = [msgspec.json.decode(raw) for raw in example.events]
            if example.firing and len(events) == 1 and isinstance(events[0].get("requestObject"), dict):
                yield pytest.param(rule, events[0], id=f"{rule.id}-{example.line}")


def firing(rule, **event):
    (decoded,) = decode_lines(msgspec.json.encode(event)).events
    return fires(rule, decoded)


WRITTEN = list(written())


def test_most_of_the_pack_is_asked():
    assert len({case.values[0].id for case in WRITTEN}) > 25


@pytest.mark.parametrize(("rule", "event"), WRITTEN)
def test_a_json_patch_fires_where_a_merge_patch_does(rule, event):
    body = event["requestObject"]
    code = event.get("responseStatus", {}).get("code", 200)
    answered = {"responseStatus": {"code": 200 if code == 201 else code}}
    # what is applied says its kind; a patch of a part does not, and some rules tell them by that
    part = {key: value for key, value in body.items() if key not in {"kind", "apiVersion"}}
    merge = event | answered | {"verb": "patch", "requestObject": part}
    escaped = {key: key.replace("~", "~0").replace("/", "~1") for key in part}
    operations = [{"op": "replace", "path": f"/{escaped[key]}", "value": part[key]} for key in part]
    assert firing(rule, **(merge | {"requestObject": operations})) is firing(rule, **merge)


WHOLE = [case for case in WRITTEN if case.values[1]["verb"] != "patch"]
"""An answer to a patch does not tell what was asked."""


@pytest.mark.parametrize(("rule", "event"), WHOLE)
def test_a_body_that_only_the_answer_holds_is_seen(rule, event):
    kept = {key: value for key, value in event.items() if key != "requestObject"}
    assert firing(rule, **(kept | {"level": "RequestResponse", "responseObject": event["requestObject"]}))
