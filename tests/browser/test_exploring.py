"""Events, entities and the dashboard in a browser: asked by keys, narrowed by the picture, kept, exported, and each picture leads on."""

import csv
import json
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from anomaly.testing import raw_event
from tests.anomaly.kept import NOON
from tests.anomaly.web.running import Sender, event_list
from tests.anomaly.web.test_tls import eventually

pytestmark = pytest.mark.browser

PEOPLE = {"alice@example.com": 30, "bob@example.com": 12, "system:node:worker-1": 6}


@pytest.fixture(scope="module")
def busy(console):
    """A cluster in which some people worked for an hour, some of it in vain: its name."""
    sender = Sender(console.database, console.service, console.cluster())
    events = [
        raw_event(
            "secrets" if number % 5 == 4 else "pods",
            "get" if number % 2 else "list",
            name=f"web-{number}",
            by=who,
            at=NOON + timedelta(minutes=number),
            code=403 if number % 6 == 5 else 404 if number % 6 == 3 else 200,
            uri=f"/api/{number}",
        )
        for who, count in PEOPLE.items()
        for number in range(count)
    ]
    sender.send(event_list(*events))
    console.keep(by="alice@example.com", cluster=sender.name, title="Pods listed", severity="critical")
    return sender.name


def at(path, busy):
    return f"{path}?cluster={busy}&span=all"


def test_events_are_asked_for_with_suggestions_by_keys_alone(console, visit, busy):
    seen = visit(console.person("erika"))
    page = seen.open(f"/?cluster={busy}&span=all")
    seen.keys("g", "e")
    page.wait_for_url("**/events?*")
    page.wait_for_selector("html.scripted")
    seen.keys("/")
    page.keyboard.type("us")
    page.locator("#suggestions li", has_text="user:").first.wait_for()
    seen.keys("ArrowDown", "Enter")
    page.keyboard.type("bo")
    page.locator("#suggestions li", has_text="bob@example.com").wait_for()
    assert seen.violations() == []
    seen.keys("ArrowDown", "Enter", "Enter")
    page.wait_for_url("**q=user%3Abob*")
    page.wait_for_selector("html.scripted")
    expect(page.locator("[data-row]")).to_have_count(PEOPLE["bob@example.com"])
    seen.keys("j", "j", "o")
    page.locator(".opened:not([hidden]) .event-tree").wait_for()
    assert page.locator(".opened:not([hidden])").get_by_text("bob@example.com").count() > 0
    assert seen.violations() == []


def test_suggestions_for_a_text_are_never_taken_for_the_next(console, visit, busy):
    seen = visit(console.person("erika"))
    page = seen.open(at("/events", busy))
    page.locator("#q").press_sequentially("user:")
    bob = page.locator("#suggestions li", has_text="bob@example.com")
    bob.wait_for()
    # The next answer is held back: what is typed meanwhile belongs to none that is shown.
    page.route("**/events/suggestions*", lambda route: held.append(route))
    held = []
    page.locator("#q").press_sequentially("bo")
    expect(bob).to_be_hidden()
    eventually(lambda: page.wait_for_timeout(50) or held)
    held[-1].continue_()
    bob.wait_for()
    seen.keys("ArrowDown", "Enter")
    assert page.locator("#q").input_value() == "user:bob@example.com "


def test_the_picture_over_time_narrows_by_dragging(console, visit, busy):
    seen = visit(console.person("erika"))
    page = seen.open(at("/events", busy))
    picture = page.locator("[data-narrow]")
    picture.wait_for()
    page.locator(".over-time-head", has_text="48 events").wait_for()
    box = picture.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.02, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 20, steps=4)
    page.mouse.up()
    page.wait_for_url("**since=**")
    page.wait_for_selector("html.scripted")
    page.locator(".over-time-head").wait_for()
    assert 0 < page.locator("[data-row]").count() < 48


def test_what_loads_by_itself_waits_for_no_other_script(console, visit, busy):
    seen = visit(console.person("erika"))
    held = []
    seen.page.route("**/js/console.js", lambda route: held.append(route))
    seen.page.goto(console.url + at("/events", busy), wait_until="commit")
    # The policy that lets an answer into the page is there before the first one can come.
    seen.page.locator(".over-time-head", has_text="48 events").wait_for()
    for one in held:
        one.continue_()
    seen.page.wait_for_selector("html.scripted")
    assert len(held) == 1


def test_a_search_is_kept_found_again_and_dropped(console, visit, busy):
    seen = visit(console.person("erika"))
    page = seen.open(at("/events", busy) + "&q=outcome:refused")
    refused = page.locator("[data-row]").count()
    page.get_by_text("Saved searches").click()
    page.locator("#view-name").fill("refusals")
    assert seen.violations() == []
    seen.keys("Enter")
    page.locator(".message", has_text="The view is kept.").wait_for()
    page = seen.open("/events")
    page.get_by_text("Saved searches").click()
    page.get_by_role("link", name="refusals").click()
    page.wait_for_url("**q=outcome*")
    page.wait_for_selector("html.scripted")
    assert page.locator("[data-row]").count() == refused == 8
    page.get_by_text("Saved searches").click()
    page.get_by_role("button", name="Remove the view refusals").click()
    page.locator(".message").wait_for()
    page.get_by_text("Saved searches").click()
    expect(page.get_by_role("link", name="refusals")).to_have_count(0)


def test_what_is_shown_is_what_is_exported(console, visit, busy):
    seen = visit(console.person("erika"))
    page = seen.open(at("/events", busy) + "&q=user:bob*")
    files = {}
    for title in ("CSV", "JSON Lines", "Parquet"):
        page.get_by_text("Export", exact=True).click()
        with page.expect_download() as begun:
            page.get_by_role("link", name=title).click()
        files[title] = begun.value.path().read_bytes()
        page.keyboard.press("Escape")
        page.locator("h1").click()
    assert len(list(csv.DictReader(files["CSV"].decode("utf-8-sig").splitlines()))) == 12
    assert {json.loads(line)["user"]["username"] for line in files["JSON Lines"].splitlines()} == {
        "bob@example.com"
    }
    assert files["Parquet"][:4] == files["Parquet"][-4:] == b"PAR1"


@pytest.mark.parametrize(
    ("picture", "link", "rows"),
    [
        pytest.param("by-user", "30", 30, id="operations by user"),
        pytest.param("by-resource", "secrets", 9, id="by resource type"),
        pytest.param("errors", "refused", 8, id="errors over time"),
    ],
)
def test_each_picture_of_the_dashboard_leads_to_its_events(console, visit, busy, picture, link, rows):
    seen = visit(console.person("erika"))
    page = seen.open(at("/dashboard", busy))
    page.locator(f"section[aria-labelledby={picture}]").get_by_role("link", name=link, exact=True).click()
    page.wait_for_url("**/events?*")
    page.wait_for_selector("html.scripted")
    expect(page.locator("[data-row]")).to_have_count(rows)


def test_the_table_of_anomalies_leads_to_the_finding_and_says_how_events_come(console, visit, busy):
    seen = visit(console.person("erika"))
    page = seen.open(at("/dashboard", busy))
    arrivals = page.locator("section[aria-labelledby=arrivals]")
    assert {"Lag, 99 of 100", "Completeness"} <= set(arrivals.locator("th").all_text_contents())
    assert arrivals.get_by_text("not known").is_visible()
    page.get_by_role("link", name="Pods listed").click()
    page.wait_for_url("**/findings/**")
    assert page.locator("h1").text_content() == "Pods listed"


def test_pages_show_all_time_when_nothing_came_lately(console, visit, busy):
    seen = visit(console.person("erika"))
    for path in ("/events", "/dashboard", "/entities"):
        page = seen.open(f"{path}?cluster={busy}")
        assert path == "/entities" or page.locator("#scope-span").input_value() == "all", path
        assert page.get_by_text("alice@example.com").count() > 0, path


def test_from_the_list_of_entities_to_one_and_to_what_it_did(console, visit, busy):
    seen = visit(console.person("erika"))
    page = seen.open(at("/entities", busy))
    seen.keys("/")
    page.keyboard.type("alice")
    seen.keys("Enter")
    page.wait_for_url("**q=alice*")
    page.wait_for_selector("html.scripted")
    expect(page.locator(".entities tbody tr")).to_have_count(1)
    page.get_by_role("link", name="alice@example.com").click()
    page.wait_for_url("**/entities/**")
    page.wait_for_selector("html.scripted")
    page.get_by_text("As a table").click()
    assert seen.violations() == []
    assert page.get_by_role("link", name="Pods listed").count() > 0
    page.locator(".habits").get_by_role("link", name="secrets").click()
    page.wait_for_url("**/events?*")
    page.wait_for_selector("html.scripted")
    expect(page.locator("[data-row]")).to_have_count(6)
