"""The inbox and the page of a finding over HTTP: who sees what, who may do what, and that what outsiders wrote stays text."""

import json
from datetime import timedelta
from urllib.parse import urlencode

import pytest
import sqlalchemy

from anomaly.rights import Role
from anomaly.store.clusters import ensure_cluster
from anomaly.store.people import Reach, add_person
from anomaly.store.sessions import Lifetime, begin_session, csrf_of
from anomaly.store.triage import standing_of
from anomaly.web.clock import clock
from tests.anomaly.kept import keep
from tests.anomaly.web.asking import ask

WEEK = Lifetime(timedelta(days=7), timedelta(days=7))
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=1+cmd|'/C calc'!A0",
    "a\u202egpj.exe\x07",
]


class Person:
    """Somebody signed in, asking the app."""

    def __init__(self, app, database, name, role=Role.ANALYST, clusters=None):
        self.app = app
        with database.begin() as connection:
            ids = None if clusters is None else frozenset(ensure_cluster(connection, one) for one in clusters)
            number = add_person(connection, name, Reach(role, ids), "a test")
            self.secret = begin_session(connection, number, clock(), WEEK, "127.0.0.1", "test")

    def get(self, path, **headers):
        status, _, body = ask(
            self.app, "GET", path, cookie=f"anomaly={self.secret}", accept="text/html", **headers
        )
        return status, body.decode()

    def post(self, path, fields, csrf=True, **headers):
        given = {"x_csrf_token": csrf_of(self.secret)} if csrf else {}
        status, answered, body = ask(
            self.app, "POST", path, body=urlencode(fields).encode(), cookie=f"anomaly={self.secret}",
            content_type="application/x-www-form-urlencoded", hx_request="true", **given, **headers,
        )  # fmt: skip
        said = json.loads(answered.get(b"hx-trigger", b"{}")).get("said", {})
        return status, body.decode(), said


@pytest.fixture
def erika(app, database):
    return Person(app, database, "erika")


def kept(database, **given):
    with database.begin() as connection:
        return keep(connection, **given)


def test_who_is_not_signed_in_is_sent_to_the_login_and_back(app):
    status, headers, _ = ask(app, "GET", "/?tab=all")
    assert (status, headers[b"location"]) == (303, b"/login?next=%2F%3Ftab%3Dall")


def test_the_inbox_shows_stories_with_what_leads_to_them(erika, database):
    number = kept(database)
    status, body = erika.get("/")
    assert status == 200
    assert f'href="/findings/{number}"' in body
    assert f"{number}:0" in body


@pytest.mark.parametrize("tab", ["todo", "mine", "nobodys", "closed", "suppressed", "below", "all"])
def test_every_part_of_an_empty_inbox_says_something(erika, tab):
    status, body = erika.get(f"/?tab={tab}")
    assert status == 200
    assert "No cluster yet" in body


def test_an_empty_inbox_says_what_is_missing(erika, database):
    with database.begin() as connection:
        ensure_cluster(connection, "shop")
    assert "No event has come yet" in erika.get("/")[1]


@pytest.mark.parametrize(
    "query", ["tab=none", "severity=worst", "page=0", "page=x", "kind=other", "span=2w", "q=" + "x" * 301]
)
def test_a_question_that_cannot_be_understood_is_a_page_that_says_so(erika, query):
    status, body = erika.get(f"/?{query}")
    assert status == 422
    assert "<h1>The request cannot be understood</h1>" in body


def test_clusters_out_of_sight_show_nowhere(app, database):
    ben = Person(app, database, "ben", clusters=["shop"])
    theirs, hidden = kept(database, title="Theirs"), kept(database, cluster="bank", title="Hidden away")
    _, body = ben.get("/?tab=all")
    assert "Theirs" in body
    assert "Hidden away" not in body and "bank" not in body
    for path in (f"/findings/{hidden}", f"/findings/{hidden}/events", "/?cluster=bank"):
        assert ben.get(path)[0] == 404, path
    assert ben.get(f"/inbox/story?row={hidden}&finding={hidden}")[0] == 404
    assert ben.post(f"/findings/{hidden}/moves", {"move": "take", "version": 0})[0] == 404
    _, answer, _ = ben.post(
        "/inbox/moves", [("move", "take"), ("finding", f"{hidden}:0"), ("finding", f"{theirs}:0")]
    )
    assert json.loads(answer)["done"] == [str(theirs)]
    with database.begin() as connection:
        assert standing_of(connection, hidden).version == 0
    assert "Hidden away" not in ben.get(f"/findings/{theirs}")[1]


def test_a_viewer_may_look_but_not_decide(app, database):
    number = kept(database)
    vic = Person(app, database, "vic", Role.VIEWER)
    status, body = vic.get(f"/findings/{number}")
    assert status == 200
    assert "an analyst's role is needed" in body
    assert vic.post(f"/findings/{number}/moves", {"move": "take", "version": 0})[0] == 403
    assert vic.post("/inbox/moves", {"move": "take", "finding": f"{number}:0"})[0] == 403
    assert vic.post(f"/findings/{number}/suppression", {"reason": "x"})[0] == 403


def test_no_other_page_can_decide_in_a_persons_name(erika, database):
    number = kept(database)
    fields = {"move": "take", "version": 0}
    assert erika.post(f"/findings/{number}/moves", fields, csrf=False)[0] == 403
    assert erika.post(f"/findings/{number}/moves", fields, sec_fetch_site="cross-site")[0] == 403
    with database.begin() as connection:
        assert standing_of(connection, number).version == 0


def test_a_finding_is_closed_with_a_reason_and_the_move_can_be_undone(erika, database):
    number = kept(database)
    status, body, said = erika.post(
        f"/findings/{number}/moves", {"move": "benign", "version": 0, "note": "a backup"}
    )
    assert (status, said) == (200, {"text": "Closed as benign.", "kind": "done"})
    assert "a backup" in body and "What the verdict changes" in body
    status, body, _ = erika.post(f"/findings/{number}/moves", {"move": "undo", "version": 1})
    assert status == 200
    assert "undone" in body
    with database.begin() as connection:
        assert standing_of(connection, number).standing.state == "open"


def test_who_is_slower_is_told_who_was_faster_and_what_it_is_now(app, erika, database):
    number = kept(database)
    jun = Person(app, database, "jun")
    assert jun.post(f"/findings/{number}/moves", {"move": "false_alarm", "version": 0})[0] == 200
    status, body, said = erika.post(f"/findings/{number}/moves", {"move": "take", "version": 0})
    assert (status, said["kind"]) == (409, "note")
    assert "jun was faster" in body and "False alarm" in body
    with database.begin() as connection:
        held = standing_of(connection, number)
    assert (held.version, held.standing.assignee) == (1, "jun")


def test_many_are_moved_at_once_and_those_that_changed_are_not(app, erika, database):
    first, second = kept(database, by="a"), kept(database, by="b")
    Person(app, database, "jun").post(f"/findings/{second}/moves", {"move": "take", "version": 0})
    fields = [("move", "benign"), ("finding", f"{first}:0"), ("finding", f"{second}:0")]
    status, body, _ = erika.post("/inbox/moves", fields)
    answer = json.loads(body)
    assert (status, answer["done"], answer["undo"]) == (200, [str(first)], [f"{first}:1"])
    assert "jun was faster" in answer["refused"][0]["why"]
    assert answer["text"].startswith("Closed as benign. 1 was not changed: jun was faster")
    undone = json.loads(erika.post("/inbox/moves", {"move": "undo", "finding": answer["undo"][0]})[1])
    assert (undone["done"], undone["text"]) == ([str(first)], "Taken back.")


@pytest.mark.parametrize("finding", ["", "x", "760692be:0", "00000000-0000-0000-0000-000000000000:x"])
def test_what_is_no_finding_is_refused(erika, finding):
    assert erika.post("/inbox/moves", {"move": "take", "finding": finding})[0] == 422


def test_a_suppression_says_before_what_it_would_hide_and_hides_it(erika, database):
    number = kept(database, title="Nightly backup", by="velero")
    kept(database, title="Nightly backup", by="velero", at=600)
    other = kept(database, title="Something else", by="velero", name="exec-into-pod", kind="rule")
    fields = {"scope": "both", "here": "true", "up_to": "high", "days": 30}
    _, body, _ = erika.post(f"/findings/{number}/suppression/preview", fields)
    assert "Would have hidden 2 of 3" in body
    status, _, said = erika.post(f"/findings/{number}/suppression", fields | {"reason": "known"})
    assert (status, said["text"]) == (200, "The suppression holds; what it covers is hidden.")
    with database.begin() as connection:
        assert standing_of(connection, number).standing.state == "suppressed"
        assert standing_of(connection, other).standing.state == "open"


def test_a_suppression_needs_a_reason_and_a_confirmed_attack_is_not_hidden_by_the_way(erika, database):
    number = kept(database)
    kept(database, at=600, state="closed", verdict="true", created_at=clock())
    with database.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE anomaly.finding SET start_at = now(), end_at = now()"))
    status, _, said = erika.post(f"/findings/{number}/suppression", {"scope": "both"})
    assert (status, said["kind"]) == (422, "failed")
    status, _, said = erika.post(f"/findings/{number}/suppression", {"scope": "both", "reason": "known"})
    assert status == 422
    assert "confirmed as attacks" in said["text"]


def test_one_who_sees_some_clusters_suppresses_in_this_one_alone(app, database):
    ben = Person(app, database, "ben", clusters=["shop"])
    number, elsewhere = kept(database), kept(database, cluster="bank")
    assert ben.post(f"/findings/{number}/suppression", {"scope": "name", "reason": "known"})[0] == 200
    with database.begin() as connection:
        assert standing_of(connection, elsewhere).standing.state == "open"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_outsiders_wrote_is_text_wherever_it_stands(erika, database, hostile):
    stored = hostile.replace("\x00", "")
    number = kept(
        database, by=stored, title=stored, reason=stored, normal=stored, details={"group": {"agent": stored}}, name=stored,
        contributions=[{"feature": "f", "title": stored, "unit": stored, "value": 2.0, "usual": 1.0, "peers": None, "share": 0.9}],
    )  # fmt: skip
    kept(database, by="ann", title=stored, reason=stored, at=1)
    erika.post(f"/findings/{number}/moves", {"move": "comment", "version": 0, "note": stored})
    for path in (
        "/?tab=all",
        f"/?tab=all&{urlencode({'entity': stored, 'q': stored})}",
        f"/findings/{number}",
    ):
        status, body = erika.get(path)
        assert status == 200, path
        assert "<script>alert" not in body and "<img" not in body
        assert "\u202e" not in body and "\x07" not in body
        assert "onerror=alert" not in body.replace("onerror=alert(1)&gt;", "")


def test_views_are_kept_shown_and_dropped(erika):
    status, _, said = erika.post("/inbox/views", {"name": "nights <b>", "query": "?tab=mine"})
    assert (status, said["text"]) == (200, "The view is kept.")
    _, body = erika.get("/")
    assert 'href="/?tab=mine">nights &lt;b&gt;</a>' in body
    number = body.split('data-drop-view="')[1].split('"')[0]
    assert erika.post(f"/inbox/views/{number}/drop", {})[0] == 200
    assert erika.post(f"/inbox/views/{number}/drop", {})[0] == 404


def test_pages_speak_chinese(erika, database):
    number = kept(database)
    for path in ("/", f"/findings/{number}"):
        status, body = erika.get(path, accept_language="zh-CN")
        assert status == 200
        assert '<html lang="zh-CN"' in body
        assert "收件箱" in body


def test_pages_let_no_inline_script_or_style_run(erika, database):
    number = kept(database)
    for path in ("/", f"/findings/{number}"):
        _, headers, body = ask(erika.app, "GET", path, cookie=f"anomaly={erika.secret}")
        policy = headers[b"content-security-policy"].decode()
        assert "unsafe" not in policy and "default-src 'none'" in policy
        assert b" style=" not in body and b"<style" not in body and b" onclick=" not in body
        assert headers[b"cache-control"] == b"no-store"
