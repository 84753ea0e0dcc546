"""The three uses of the product in a browser, from the login to the result and by keys alone: findings reviewed, a model trained
that hears what the reviewer said, and the scoring API called with a token made there."""

import json
import re
import shutil
import subprocess

import pytest

from anomaly.nightly import judge
from anomaly.rights import Role
from anomaly.store.windows import Span
from tests.anomaly.conftest import town, town_built
from tests.anomaly.town import CLUSTER, MINUTE, team, theft
from tests.anomaly.web.running import Service
from tests.browser.conftest import Console
from tests.conftest import url_of

pytestmark = pytest.mark.browser
__all__ = ["town", "town_built"]


@pytest.fixture
def townhall(chromium, town, tmp_path):
    """The service on a town in which amy was seen to take secrets."""
    # Some minutes ago: a window that has not ended yet is in no training.
    town.keep(*theft("amy", town.now - 5 * MINUTE), *team(town.now, 1, seed=5))
    judge(town.database, town.judge(), Span(since=town.now - 6 * MINUTE))
    settings = {
        "ANOMALY_JOBS__ENABLED": "false",
        "ANOMALY_WINDOWS__SPAN": "60s",
        "ANOMALY_TRAINING__TREES": "50",
    }
    with Service(url_of(town.database), tmp_path, **settings) as service:
        yield Console(service, town.database)


@pytest.fixture
def walk(townhall, browser):
    """A page of the townhall at whose login somebody stands, and their name and password."""
    from tests.browser.conftest import Visit

    name, password = townhall.account("boss", Role.ADMIN)
    seen = Visit(townhall, browser)
    page = seen.open("/")
    page.keyboard.type(name)
    seen.keys("Tab")
    page.keyboard.type(password)
    seen.keys("Enter")
    page.wait_for_selector("#stories")
    page.wait_for_selector("html.scripted")
    yield seen
    seen.context.close()
    assert seen.errors == []


def went(page, pattern):
    page.wait_for_url(pattern)
    page.wait_for_selector("html.scripted")


def tab_to(seen, what):
    """Press Tab until the element that has the focus is the one wanted; without a mouse there is no other way."""
    for _ in range(60):
        seen.keys("Tab")
        if seen.page.evaluate("document.activeElement?.getAttribute('aria-label') || document.activeElement?.textContent.trim()").startswith(what):  # fmt: skip
            return
    raise AssertionError(f"the keyboard does not reach {what}")


def test_a_verdict_given_in_the_browser_is_in_the_next_training_and_the_page_says_what_it_changed(walk):
    page = walk.page
    page.locator(".story", has_text="amy").wait_for()
    walk.keys("j")
    assert "amy" in page.evaluate("document.activeElement.closest('.story').textContent")
    walk.keys("Enter")
    went(page, "**/findings/**")
    finding = page.url
    walk.keys("c")
    page.get_by_text("The next training hears it").wait_for()
    assert page.locator("#triage .chip-bad").text_content() == "Confirmed attack"

    walk.keys("g", "m")
    went(page, "**/models*")
    tab_to(walk, f"Train {CLUSTER} now")
    walk.keys("Enter")
    went(page, "**/models?run=*")
    page.locator("#training .answer").wait_for(timeout=120_000)
    assert "It heard the verdict on 1 finding." in page.locator("#training").text_content()
    assert walk.violations() == []
    tab_to(walk, "Model 2")
    walk.keys("Enter")
    went(page, "**/models/2*")
    verdicts = page.locator("section[aria-labelledby=h-verdicts]")
    facts = dict(zip(verdicts.locator("dt").all_text_contents(), verdicts.locator("dd").all_text_contents(), strict=True))  # fmt: skip
    assert facts == {"Findings heard": "1", "Windows of attacks left out": "1"}
    assert walk.violations() == []

    page.goto(finding)
    page.get_by_text("Model 2, trained since, heard verdicts on 1 findings.").wait_for()


def test_a_token_made_in_the_browser_calls_the_scoring_api(walk, townhall):
    page = walk.page
    walk.keys("g", "t")
    went(page, "**/tokens")
    page.locator("#name").focus()
    page.keyboard.type("enricher")
    walk.keys("Enter")
    page.locator("#token").wait_for()
    assert walk.violations() == []
    token = page.locator("#token").text_content()
    call = page.locator("#call").text_content()
    assert token in call and f"/v1/clusters/{CLUSTER}/score" in call
    body = re.search(r"-d '(.+)'", call, re.DOTALL)[1]
    status, answer, _ = townhall.service.ask(
        "POST",
        f"/v1/clusters/{CLUSTER}/score",
        body,
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    assert status == 200, answer
    (window,) = answer["windows"]
    assert window["entity"] == "mallory@example.com" and json.loads(body)["window"]["entity"] == "mallory@example.com"  # fmt: skip
    assert 0 < window["p_value"] < 1 and window["contributions"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="There is no curl on this machine")
def test_the_call_that_the_page_shows_runs_as_it_stands(walk):
    page = walk.page
    page.goto(f"{walk.console.url}/tokens")
    page.wait_for_selector("html.scripted")
    page.locator("#name").fill("as it stands")
    page.get_by_role("button", name="Make it, and show it once").click()
    call = page.locator("#call").text_content()
    done = subprocess.run(["sh", "-c", call], capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout)["windows"]


def test_from_the_login_to_a_verdict_with_the_mouse(walk):
    page = walk.page
    page.locator(".story-link").first.click()
    went(page, "**/findings/**")
    page.get_by_role("button", name="Take").click()
    page.get_by_text("took it").wait_for()
    page.locator("#note").fill("asked amy: it was her")
    page.get_by_role("button", name="Benign").click()
    page.get_by_text("asked amy: it was her").wait_for()
    page.get_by_role("link", name="Inbox").first.click()
    went(page, f"{walk.console.url}/*")
    page.locator(".tabs").get_by_role("link", name="Closed").click()
    page.locator(".story .chip-good", has_text="Benign").wait_for()
