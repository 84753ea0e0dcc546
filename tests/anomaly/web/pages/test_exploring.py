"""The pages of events, entities and the dashboard: what they show, to whom, and what an attacker named on them."""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from anomaly.cli.moment import clock
from anomaly.events.decode import decode_lines
from anomaly.rights import Role
from anomaly.rules import pack
from anomaly.settings import Settings
from anomaly.sources.webhook import Limits
from anomaly.store.clusters import ensure_cluster
from anomaly.store.people import Reach, add_person
from anomaly.store.sessions import Lifetime, begin_session
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from anomaly.web.access import Doorkeeper
from anomaly.web.app import Shared
from anomaly.web.body import Pending
from anomaly.web.commit import GroupCommit
from tests.anomaly.store.state import HOUR_US
from tests.anomaly.web.asking import app_on, ask

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}&amp;\u202eevil"
LIFE = Lifetime(timedelta(hours=1), timedelta(hours=1))
ALL = "span=all"


@pytest.fixture(scope="module")
def shown(postgres):
    """An app, and cookies of somebody who sees everything and of somebody who sees one cluster of two."""
    ours = [
        raw_event("secrets", "get", name=EVIL, namespace=EVIL, by=EVIL, agent=EVIL, address=EVIL, acting_as=EVIL, uri=f"/{EVIL}",
                  audit_id=EVIL, groups=[EVIL], annotations={EVIL: EVIL}, code=403, at=1),
        *(raw_event("pods", "list", by="alice@example.com", at=60 * number, code=404 if number % 5 == 0 else 200) for number in range(120)),
    ]  # fmt: skip
    theirs = [raw_event("configmaps", "get", by="zoe@example.com", at=5, agent="theirs-only/1.0")]
    with postgres.clone() as database:
        writer = Writer(database.dedicated, pack(), HOUR_US)
        numbers = {}
        for name, raws in (("prod", ours), ("secret", theirs)):
            with database.begin() as connection:
                numbers[name] = number = ensure_cluster(connection, name)
            writer.write([Arrival(number, "t", decode_lines(b"\n".join(raws)))])
        writer.close()
        cookies = []
        with database.begin() as connection:
            for name, clusters in (("erika", None), ("max", frozenset([numbers["prod"]]))):
                person = add_person(connection, name, Reach(Role.VIEWER, clusters), "test")
                cookies.append(f"anomaly={begin_session(connection, person, clock(), LIFE, '', '')}")
        commit = GroupCommit(
            lambda: Writer(database.dedicated, pack(), HOUR_US), Limits(1 << 20, 200), writers=1
        )
        door = Doorkeeper(database, clock, Settings().access)
        yield app_on(Shared(Settings(), database, door, Pending(1 << 24), commit)), *cookies


class Seen(HTMLParser):
    """Tags and attributes of a page, as a browser takes it apart."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        self.text.append(data)


def get(shown, path, who=1, status=200, **headers):
    answer = ask(shown[0], "GET", path, cookie=shown[who], **headers)
    assert answer[0] == status, answer[2][-600:]
    return answer[2].decode()


def one_of(page, user="alice"):
    return re.search(r'href="(/events/prod/\d+/[0-9a-f]{32})"', page)[1]


PAGES = [
    f"/events?{ALL}",
    f"/events?{ALL}&q={quote('user:*script*')}",
    f"/events?{ALL}&q={quote('outcome:refused')}&cols=time,as,agent,address,namespace,name,cluster,latency,size,stage",
    f"/events?{ALL}&q={quote(EVIL)}",
    f"/events/over-time?{ALL}&q={quote(EVIL)}",
    f"/entities?{ALL}",
    f"/entities?{ALL}&q={quote(EVIL)}",
    f"/entities/prod/{EVIL}",  # decoded, as a server hands it on
    f"/dashboard?{ALL}",
]


@pytest.mark.parametrize("path", PAGES)
def test_what_an_attacker_named_is_text_and_nothing_else(shown, path):
    status, headers, body = ask(shown[0], "GET", path, cookie=shown[1])
    assert status in {200, 400}
    seen = Seen(body.decode())
    assert "img" not in seen.tags
    scripts = [value for tag, name, value in seen.attributes if tag == "script" and name == "src"]
    assert len(scripts) == seen.tags.count("script") and all(one.startswith("/static/") for one in scripts)
    assert not [one for one in seen.attributes if one[1].startswith("on") or one[1] == "style"]
    assert "alert(1)" not in "".join(value or "" for tag, name, value in seen.attributes if name == "src")
    assert "49" not in re.findall(r"onerror=alert\(2\)&gt;(\d+)", body.decode())
    assert "\u202e" not in body.decode()
    assert headers[b"content-security-policy"].startswith(b"default-src 'none'")


def test_a_raw_event_of_an_attacker_is_text_too(shown):
    page = get(shown, f"/events?{ALL}&q={quote('outcome:refused')}")
    body = get(shown, one_of(page))
    assert "<img" not in body and "&lt;img src=x onerror" in body


def test_events_are_listed_paged_and_opened(shown):
    page = get(shown, f"/events?{ALL}&q={quote('user:alice*')}")
    assert page.count("data-row") == 50
    older = re.search(r'rel="next" href="([^"]+)"', page)[1].replace("&amp;", "&")
    assert get(shown, older).count("data-row") == 50
    part = get(shown, one_of(page), hx_request="true")
    assert part.lstrip().startswith("<div") and "alice@example.com" in part
    assert get(shown, one_of(page)).lstrip().startswith("<!doctype html>")


def test_a_mistake_is_shown_in_its_place_with_what_was_meant(shown):
    page = get(shown, "/events?q=usr:bob", status=400)
    assert "There is no field usr" in page and "<code>user:</code>" in page and "^^^" in page


def test_the_picture_over_time_leads_to_its_events(shown):
    part = get(shown, f"/events/over-time?{ALL}&q={quote('user:alice*')}")
    assert "120 events" in part
    bars = re.findall(r'data-since="([^"]+)" data-until="([^"]+)" data-value="(\d+)', part)
    assert sum(int(value) for _, _, value in bars) == 120
    since, until, value = next(bar for bar in bars if bar[2] != "0")
    page = get(shown, f"/events/over-time?since={since}&until={until}&q={quote('user:alice*')}")
    assert f"{value} event" in page


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("ve", "verb:"),
        ("verb:l", "list"),
        ("user:ali", "alice@example.com"),
        ("code:4", "4xx"),
        ("outcome:r", "refused"),
    ],
)
def test_suggestions_follow_what_is_typed(shown, typed, found):
    answer = json.loads(get(shown, f"/events/suggestions?q={quote(typed)}&caret={len(typed)}"))
    assert found in [one["text"] for one in answer["found"]]
    assert typed[answer["start"] : answer["end"]] in found


def test_a_suggested_value_asks_for_exactly_itself(shown):
    answer = json.loads(get(shown, "/events/suggestions?q=agent:&caret=6"))
    evil = next(one["text"] for one in answer["found"] if "script" in one["text"])
    assert get(shown, f"/events?{ALL}&q={quote('agent:' + evil)}").count("data-row") == 1


def test_exports_are_files_and_say_whether_they_are_whole(shown, monkeypatch):
    path = f"/events/export?{ALL}&q={quote('user:alice*')}&form="
    for form, lines in (("csv", 121), ("jsonl", 120)):
        status, headers, body = ask(shown[0], "GET", path + form, cookie=shown[1])
        assert (status, headers[b"anomaly-complete"], body.count(b"\n")) == (200, b"yes", lines)
        assert headers[b"content-disposition"].startswith(b'attachment; filename="events-')
    assert ask(shown[0], "GET", path + "parquet", cookie=shown[1])[2][:4] == b"PAR1"
    monkeypatch.setattr("anomaly.web.event_file.MOST", 30)
    status, headers, body = ask(shown[0], "GET", path + "csv", cookie=shown[1])
    assert (headers[b"anomaly-complete"], headers[b"anomaly-events"], body.count(b"\n")) == (
        b"no",
        b"120",
        31,
    )
    assert b"-first-30.csv" in headers[b"content-disposition"]


def test_who_sees_one_cluster_learns_nothing_of_another(shown):
    for path in (f"/events?{ALL}", f"/entities?{ALL}", f"/dashboard?{ALL}", f"/events/over-time?{ALL}&q=zoe"):
        page = get(shown, path, who=2)
        assert "zoe@example.com" not in page and "configmaps" not in page
    assert "zoe@example.com" in get(shown, f"/events?{ALL}&q=zoe")
    for path in ("/entities/secret/zoe@example.com", "/events?cluster=secret", "/dashboard?cluster=secret"):
        get(shown, path, who=2, status=404)
    (line,) = [
        one for one in get(shown, f"/events?{ALL}&q=zoe").split('href="') if one.startswith("/events/secret/")
    ]
    get(shown, line.split('"')[0], who=2, status=404)
    for typed in ("user:zo", "agent:theirs", "cluster:se", "resource:config"):
        answer = json.loads(get(shown, f"/events/suggestions?q={typed}&caret={len(typed)}", who=2))
        assert answer["found"] == [], typed
    body = ask(shown[0], "GET", f"/events/export?{ALL}", cookie=shown[2])[2]
    assert b"alice@example.com" in body and b"zoe@example.com" not in body


def test_nothing_is_shown_to_nobody(shown):
    for path in ("/events", "/entities", "/dashboard", "/events/export", "/events/suggestions"):
        assert ask(shown[0], "GET", path)[0] in {302, 303, 307}


def test_the_dashboard_has_the_four_pictures_and_each_leads_on(shown):
    page = get(shown, f"/dashboard?{ALL}")
    for heading in ("Operations by user", "By resource type", "Errors over time", "Recent anomalies"):
        assert heading in page
    assert 'href="/entities/prod/alice%40example.com"' in page
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="(/events\?[^"]+)"', page)]
    assert len(links) > 6
    for link in links[:8]:
        get(shown, link)


def test_an_empty_time_teaches(shown):
    assert "Nothing came in this time" in get(shown, "/dashboard?since=2001-01-01&until=2001-01-02")
    assert "No event answers that" in get(shown, "/events?since=2001-01-01&until=2001-01-02")
    assert "Nobody acted in this time" in get(shown, "/entities?since=2001-01-01&until=2001-01-02&q=nobody")
    get(shown, "/entities/prod/nobody", status=404)
    assert START
