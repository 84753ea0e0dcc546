"""Problems in the form that whoever asked can use."""

import json

from tests.anomaly.web.asking import ask


def test_a_browser_gets_a_page_in_its_language(app):
    status, headers, body = ask(app, "GET", "/nowhere", accept="text/html", accept_language="zh-CN")
    assert (status, headers[b"content-type"]) == (404, b"text/html; charset=utf-8")
    assert 'lang="zh-CN"' in body.decode() and "未找到" in body.decode()
    assert b"script-src 'self'" in headers[b"content-security-policy"]


def test_a_program_gets_the_problem_itself(app):
    for path, accept in (("/nowhere", "*/*"), ("/v1/nowhere", "text/html"), ("/v1", "text/html")):
        status, headers, body = ask(app, "GET", path, accept=accept)
        assert (status, headers[b"content-type"]) == (404, b"application/problem+json")
        assert json.loads(body)["title"] == "Not Found"


def test_a_script_of_ours_gets_words_and_leaves_the_page_as_it_is(app):
    status, headers, _ = ask(app, "GET", "/static/x/none.js", hx_request="true", accept="text/html")
    assert status == 404
    assert headers[b"hx-reswap"] == b"none"
    assert json.loads(headers[b"hx-trigger"])["said"] == {"text": "There is no such file.", "kind": "failed"}


def test_what_was_asked_stays_text_on_the_page(app):
    _, _, body = ask(app, "GET", "/<script>alert(1)</script>", accept="text/html")
    assert b"<script>alert" not in body
