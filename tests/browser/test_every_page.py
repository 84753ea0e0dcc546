"""Every page there is, taken from the table of routes so that none can be forgotten: no fault of accessibility in both colours and
widths, nothing wider than the screen, and the strict policy for whatever the routes answer."""

import re
from html.parser import HTMLParser

import pytest

from anomaly.rights import Role
from anomaly.store.clusters import ensure_cluster
from anomaly.store.tables import model
from anomaly.testing import raw_event
from anomaly.web import pages
from anomaly.web.app import routers
from anomaly.web.clock import clock
from anomaly.web.console.answer import POLICY
from tests.anomaly.kept import NOON
from tests.anomaly.web.running import Sender, event_list
from tests.browser.test_pages import AMOUNTS
from tests.browser.test_steering import CARD, CONTEXT, RULE

pytestmark = pytest.mark.browser

PEERS = {"peers": {"entities": [], "groups": [], "names": []}}
PARTS = {
    "/clusters/{cluster}/light", "/events/over-time", "/findings/{number}/events", "/inbox/head", "/inbox/news", "/inbox/story",
    "/models/{model}/comparisons/{run}", "/models/-/trainings/{run}", "/policy/trial/{run}", "/rules/{rule}/replays/{run}",
}  # fmt: skip
"""Answers that a script puts into one of the pages, which are looked at with them."""
NO_PAGES = {"/events/export", "/events/suggestions", "/oidc/start", "/oidc/callback"}
"""Files, JSON, and ways to an identity provider and back."""


class Inline(HTMLParser):
    """What a page would run or draw itself, were there no policy. A parser, since a value may hold such text and be harmless."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag == "style" or (tag == "script" and not (named.get("src") or "").startswith("/static/")):
            self.found.append((tag, attrs))
        self.found += [(tag, name) for name in named if name == "style" or name.startswith("on")]


def read_routes():
    """Every path that the console answers to GET."""
    return {route.path for router in routers(pages) for route in router.routes if "GET" in route.methods}


@pytest.fixture(scope="module")
def addresses(console):
    """For each path with a page behind it, addresses of it: as it usually is, empty, and refused."""
    sender = Sender(console.database, console.service, console.cluster())
    sender.send(
        event_list(
            *(raw_event("pods", "list", by="alice@example.com", at=NOON, code=403 if n % 3 else 200, uri=f"/api?{n}") for n in range(30)),
            raw_event("secrets", "list", by="mallory@example.com", namespace="shop", at=NOON),
        )
    )  # fmt: skip
    name = sender.name
    finding = console.keep(
        by="mallory@example.com", cluster=name, contributions=AMOUNTS, normal="Less.", severity="critical"
    )
    with console.database.begin() as connection:
        number = ensure_cluster(connection, name)
        kept = connection.execute(
            model.insert()
            .values(
                cluster_id=number, state="champion", sha256="0" * 64, card=CARD, context=CONTEXT | PEERS, artifact=b"", promoted_at=clock()
            )
            .returning(model.c.id)
        ).scalar_one()  # fmt: skip
    event = event_of(console, name)
    return {
        "/": [f"/?cluster={name}", "/?tab=closed&q=nothing"],
        "/account": ["/account"],
        "/clusters": ["/clusters"],
        "/clusters/-/add": ["/clusters/-/add"],
        "/clusters/{cluster}": [f"/clusters/{name}", "/clusters/nowhere"],
        "/dashboard": [f"/dashboard?cluster={name}&span=all", "/dashboard?since=2001-01-01&until=2001-01-02"],
        "/doctor": ["/doctor"],
        "/entities": [f"/entities?cluster={name}&span=all", "/entities?q=nobody"],
        "/entities/{cluster}/{name:path}": [f"/entities/{name}/alice%40example.com"],
        "/events": [
            f"/events?cluster={name}&span=all",
            "/events?q=usr:bob",
            "/events?span=all&q=user:nobody",
        ],
        "/events/{cluster}/{moment}/{key}": [event],
        "/findings/{number}": [f"/findings/{finding}", "/findings/nothing"],
        "/invite/{code}": ["/invite/" + invited(console)],
        "/login": ["/login"],
        "/models": [f"/models?cluster={name}"],
        "/models/{model}": [f"/models/{kept}"],
        "/policy": [f"/policy?cluster={name}"],
        "/rules": [f"/rules?cluster={name}", "/rules?q=nothing"],
        "/rules/{rule}": [f"/rules/{RULE}"],
        "/tokens": ["/tokens"],
    }


def event_of(console, cluster):
    """The address of one event, as the page of events gives it."""
    _, secret = console.person("reader")
    headers = {"Cookie": f"anomaly={secret}", "Accept": "text/html"}
    page = console.service.ask("GET", f"/events?cluster={cluster}&span=all", headers=headers)[1].decode()
    return re.search(rf'href="(/events/{cluster}/\d+/[0-9a-f]{{32}})"', page)[1]


def invited(console):
    from anomaly.accounts import new_link

    name, _ = console.person("guest")
    with console.database.begin() as connection:
        return new_link(connection, name, "a test", clock()).code


def test_every_page_has_an_address_to_be_looked_at(addresses):
    assert set(addresses) | PARTS | NO_PAGES == read_routes()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(console, visit, addresses, theme, width):
    seen = visit(console.person("boss", Role.ADMIN), theme=theme, width=width)
    for path in [one for several in addresses.values() for one in several]:
        page = seen.open(path)
        seen.settle()
        assert seen.violations() == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_every_answer_of_the_console_holds_the_browser_to_the_strict_policy(console, addresses):
    _, secret = console.person("boss", Role.ADMIN)
    signed_in = {"Cookie": f"anomaly={secret}", "Accept": "text/html"}
    asked = [one for several in addresses.values() for one in several]
    asked += [re.sub(r"\{[^}]*\}", "1", path) for path in PARTS]
    for path in asked:
        status, body, headers = console.service.ask("GET", path, headers=signed_in)
        assert status < 500, path
        assert headers["Content-Security-Policy"] == POLICY, (status, path)
        assert headers["X-Content-Type-Options"] == "nosniff", path
        inline = Inline()
        inline.feed(body.decode())
        assert inline.found == [], path
    assert "unsafe" not in POLICY and "default-src 'none'" in POLICY and "script-src 'self'" in POLICY
