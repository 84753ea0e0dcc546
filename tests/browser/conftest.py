"""A real service for the whole run and a real Chromium; a page that notices every error and every breach of the policy.

Tests share the service: each makes a cluster and people of its own and looks at nothing else. Without Chromium they are skipped,
except where CI is set: there it must be installed (`.ci/run` does that).
"""

import os
import shutil
import time
from datetime import timedelta
from itertools import count

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import sync_playwright

from anomaly.rights import Role
from anomaly.store.clusters import ensure_cluster
from anomaly.store.passwords import hashed
from anomaly.store.people import Reach, add_person, set_password
from anomaly.store.sessions import Lifetime, begin_session
from anomaly.web.clock import clock
from tests.anomaly.kept import keep
from tests.anomaly.web.running import Service
from tests.conftest import url_of

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WEEK = Lifetime(timedelta(days=7), timedelta(days=7))
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
BEAT = "new Promise((done) => requestAnimationFrame(() => setTimeout(() => requestIdleCallback(done, { timeout: 500 }), 30)))"
"""A frame drawn, longer than the 20 ms for which htmx lets what came settle, and nothing left to do."""
PATIENCE = 20
_NUMBERS = count(1)


def _chromium():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def chromium():
    """Where Chromium is."""
    path = _chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(
                "There is no Chromium on this machine, and CI must run these tests; .ci/run installs it."
            )
        pytest.skip("There is no Chromium on this machine; on Debian and Ubuntu: apt install chromium")
    return path


@pytest.fixture(scope="module")
def browser(chromium):
    """One Chromium a module: while it runs this thread has an event loop, and other tests start their own."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def console(chromium, postgres, tmp_path_factory):
    """The service, on a database of its own."""
    with (
        postgres.clone() as database,
        Service(
            url_of(database), tmp_path_factory.mktemp("console"), ANOMALY_JOBS__ENABLED="false"
        ) as service,
    ):
        yield Console(service, database)


class Console:
    """What tests ask for: people and findings."""

    def __init__(self, service, database):
        self.service, self.database = service, database
        self.url = f"http://127.0.0.1:{service.port}"

    def person(self, name, role=Role.ANALYST, clusters=None):
        """Somebody signed in: (name, secret of the session). Names are made different."""
        name = f"{name}-{next(_NUMBERS)}"
        with self.database.begin() as connection:
            ids = None if clusters is None else frozenset(ensure_cluster(connection, one) for one in clusters)
            number = add_person(connection, name, Reach(role, ids), "a test")
            return name, begin_session(connection, number, clock(), WEEK, "127.0.0.1", "test")

    def account(self, name, role=Role.ANALYST):
        """Somebody who signs in by the form: (name, password)."""
        name, password = f"{name}-{next(_NUMBERS)}", "a long sentence of five words"
        with self.database.begin() as connection:
            number = add_person(connection, name, Reach(role, None), "a test")
            set_password(connection, number, hashed(password, name))
        return name, password

    def keep(self, **given):
        """One finding."""
        with self.database.begin() as connection:
            return keep(connection, **given)

    def cluster(self):
        """A name that no other test has."""
        return f"c{next(_NUMBERS)}"


class Visit:
    """A page of one who is signed in; `errors` holds what the console said and what the policy refused."""

    def __init__(self, console, browser, person=None, width=1280, theme="light", language="en-GB"):
        self.console, self.errors = console, []
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=theme,
            locale=language,
            timezone_id="Europe/Berlin",
        )
        if person:
            self.context.add_cookies([{"name": "anomaly", "value": person[1], "url": console.url}])
        self.context.add_init_script(
            "document.addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`))"
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._outside)
        self.page.on("response", self._broken)
        self._under_way = set()
        self.page.on("request", lambda request: self._under_way.add(request))
        self.page.on("requestfinished", lambda request: self._under_way.discard(request))
        self.page.on("requestfailed", lambda request: self._under_way.discard(request))

    def _note(self, kind, text):
        # A refusal that the page itself speaks of is in the browser's log whatever we do.
        if kind in {"error", "warning"} and "status of 409" not in text and "status of 4" not in text:
            self.errors.append(f"{kind}: {text}")

    def _outside(self, request):
        if not request.url.startswith((self.console.url, "data:")):
            self.errors.append(f"asked {request.url}")

    def _broken(self, response):
        if response.status >= 500:
            self.errors.append(f"{response.status} {response.url}")

    def open(self, path):
        """Go to a path and wait until its scripts run."""
        self._under_way.clear()
        self.page.goto(self.console.url + path)
        self.page.wait_for_selector("html.scripted")
        return self.page

    def settle(self):
        """Wait until all that was asked is answered and what followed from it is done. Like `networkidle`, which takes half a second
        of silence: the scripts begin all they ever ask by themselves at once, or after a second and more."""
        end = time.monotonic() + PATIENCE
        quiet = 0
        while quiet < 2:
            self.page.evaluate(BEAT)
            quiet = 0 if self._under_way else quiet + 1
            assert time.monotonic() < end, f"never answered: {[one.url for one in self._under_way]}"

    def keys(self, *keys):
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def violations(self):
        """What axe finds: (rule, element)."""
        self.page.evaluate(AXE_FILE_PATH.read_text())
        found = self.page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
        return [(one["id"], node["html"][:200]) for one in found["violations"] for node in one["nodes"]]


@pytest.fixture
def visit(console, browser):
    """Open pages; afterwards none of them may have had an error."""
    made = []

    def start(person=None, **given):
        made.append(Visit(console, browser, person, **given))
        return made[-1]

    yield start
    for one in made:
        one.context.close()
    assert [error for one in made for error in one.errors] == []
