"""One line an event, and nobody from outside writes lines of their own."""

import asyncio
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.web.log import AccessLog, Plain, Structured


def record(message, **extra):
    made = logging.makeLogRecord(
        {"msg": message, "levelno": logging.INFO, "levelname": "INFO", "created": 0.5}
    )
    made.__dict__.update(extra)
    return made


def test_a_record_is_one_json_object_with_its_extras():
    line = Structured().format(record("request", path="/x", status=200, client="10.0.0.1"))
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.500Z",
        "level": "info",
        "message": "request",
        "path": "/x",
        "status": 200,
        "client": "10.0.0.1",
    }


@pytest.mark.parametrize("form", [Structured(), Plain()], ids=["json", "text"])
@given(text=st.text())
def test_whatever_is_logged_stays_on_one_printable_line(form, text):
    line = form.format(record("request " + text, path=text))
    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_long_texts_are_cut():
    assert len(Structured().format(record("x" * 100_000, path="y" * 100_000))) < 5_000


def through(app, path="/v1/x", caplog=None):
    async def receive():
        return {"type": "http.request", "body": b"abc", "more_body": False}

    async def send(message):
        return None

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"token=SECRET",
        "headers": [(b"authorization", b"Bearer SECRET")],
        "client": ("10.0.0.1", 5),
    }
    with caplog.at_level(logging.INFO, "anomaly.access"):
        asyncio.run(AccessLog(app)(scope, receive, send))
    return [one for one in caplog.records if one.name == "anomaly.access"]


async def answering(scope, receive, send):
    await receive()
    scope["anomaly.cluster"] = "shop"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_a_request_is_logged_with_what_helps_and_without_what_is_secret(caplog):
    (line,) = through(answering, caplog=caplog)
    written = Structured().format(line)
    said = json.loads(written)
    assert (said["method"], said["path"], said["status"], said["bytes"]) == ("POST", "/v1/x", 200, 3)
    assert (said["client"], said["cluster"]) == ("10.0.0.1", "shop")
    assert "SECRET" not in written


def test_health_checks_are_not_worth_a_line_while_they_pass(caplog):
    assert through(answering, "/healthz", caplog) == []
    assert through(answering, "/readyz", caplog) == []
