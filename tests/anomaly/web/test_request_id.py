"""A request has one name, ours, in its answer and in every line that was logged for it."""

import asyncio
import json
import logging

import pytest

from anomaly.web import request_id
from anomaly.web.log import AccessLog, Structured, _name_the_request


def through(app, caplog, *headers):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/v1/x", "query_string": b"", "headers": list(headers)}
    caplog.handler.addFilter(_name_the_request)
    with caplog.at_level(logging.INFO):
        asyncio.run(AccessLog(app)(scope, receive, send))
    return dict(sent[0]["headers"])[request_id.HEADER].decode()


async def talkative(scope, receive, send):
    logging.getLogger("deep.inside").info("at work")
    await asyncio.to_thread(logging.getLogger("in.a.thread").info, "at work there")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-other", b"1")]})
    await send({"type": "http.response.body", "body": b""})


def test_every_line_and_the_answer_carry_the_same_name(caplog):
    name = through(talkative, caplog)
    said = [json.loads(Structured().format(one)) for one in caplog.records]
    assert [one["message"] for one in said] == ["at work", "at work there", "request"]
    assert {one["request_id"] for one in said} == {name}
    assert request_id.present() == ""


def test_two_requests_have_two_names(caplog):
    assert through(talkative, caplog) != through(talkative, caplog)


def test_a_caller_cannot_choose_the_name_but_is_quoted(caplog):
    name = through(talkative, caplog, (b"x-request-id", b"trace-7"))
    last = json.loads(Structured().format(caplog.records[-1]))
    assert name != "trace-7"
    assert last["claimed_request_id"] == "trace-7"


@pytest.mark.parametrize(
    "said", [b"", b"a b", b"x\r\nSet-Cookie: a", b"x" * 65, "\u00e9".encode(), b'"quoted"']
)
def test_what_is_no_plain_word_is_not_quoted(said, caplog):
    through(talkative, caplog, (b"x-request-id", said))
    assert "claimed_request_id" not in caplog.records[-1].__dict__
