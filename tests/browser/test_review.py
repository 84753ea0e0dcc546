"""From the inbox to a triaged finding: by keys alone, by many at once, and when two act on one."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def focused(page):
    """The row that has the focus, by its title."""
    return page.evaluate("document.activeElement.closest('.story')?.querySelector('.story-link').textContent")


def titles(page):
    return page.locator(".story-link").all_text_contents()


@pytest.fixture
def three(console):
    cluster = console.cluster()
    for place, (title, severity) in enumerate((("First", "critical"), ("Second", "high"), ("Third", "low"))):
        console.keep(title=title, by=f"user{place}", severity=severity, cluster=cluster)
    return cluster


def test_from_the_login_a_finding_is_opened_judged_and_left_by_keys_alone(console, visit, three):
    name, password = console.account("erika")
    seen = visit()
    page = seen.open(f"/?cluster={three}")
    expect(page.locator("[name=name]")).to_be_focused()
    page.keyboard.type(name)
    seen.keys("Tab")
    page.keyboard.type(password)
    seen.keys("Enter")
    page.wait_for_selector("#stories")
    page.wait_for_selector("html.scripted")
    expect(page.locator(".story")).to_have_count(3)
    seen.keys("j", "j")
    assert focused(page) == "Second"
    seen.keys("k", "Enter")
    page.wait_for_url("**/findings/**")
    page.wait_for_selector("html.scripted")
    assert page.locator("h1").text_content() == "First"
    seen.keys("t")
    page.get_by_text("took it").wait_for()
    seen.keys("Tab")
    page.locator("#note").focus()
    page.keyboard.type("agreed with the team")
    seen.keys("Escape", "b")
    page.get_by_text("agreed with the team").wait_for()
    expect(page.locator("#triage .chip-good")).to_have_text("Benign")
    seen.keys("i")
    page.wait_for_url("**/?cluster=*")
    page.wait_for_selector("html.scripted")
    assert titles(page) == ["Second", "Third"]


def test_rows_are_taken_and_closed_where_they_are_and_the_cursor_goes_on(console, visit, three):
    seen = visit(console.person("erika"))
    page = seen.open(f"/?cluster={three}")
    seen.keys("j", "t")
    page.locator(".story", has_text="First").locator(".chip", has_text="erika").wait_for()
    assert focused(page) == "Second"
    seen.keys("f")
    page.locator(".message", has_text="Closed as false alarm.").wait_for()
    expect(page.locator(".story")).to_have_count(2)
    assert focused(page) == "Third"
    expect(page.locator(".tabs [aria-current] .count")).to_have_text("2")
    seen.keys("u")
    expect(page.locator(".story")).to_have_count(3)
    page.locator(".message", has_text="Taken back.").wait_for()


def test_many_are_closed_at_once(console, visit, three):
    seen = visit(console.person("erika"))
    page = seen.open(f"/?cluster={three}")
    seen.keys("j", "x", "j", "x")
    assert page.locator(".deeds-count").text_content() == "2 selected"
    seen.keys("b")
    page.locator(".message", has_text="2 findings closed as benign.").wait_for()
    expect(page.locator(".story")).to_have_count(1)
    assert titles(page) == ["Third"]
    assert page.locator("#deeds").is_hidden()


def test_of_two_who_act_the_slower_is_told_and_overwrites_nothing(console, visit, three):
    erika, jun = visit(console.person("erika")), visit(console.person("jun"))
    slow = erika.open(f"/?cluster={three}")
    fast = jun.open(f"/?cluster={three}")
    jun.keys("j", "f")
    fast.locator(".message", has_text="Closed as false alarm.").wait_for()
    erika.keys("j", "t")
    slow.locator(".message", has_text="was faster: close; it is closed now").wait_for()
    expect(slow.locator(".story")).to_have_count(2)


def test_on_the_page_of_a_finding_too(console, visit, three):
    number = console.keep(title="Contested", by="both", cluster=three)
    erika, jun = visit(console.person("erika")), visit(console.person("jun"))
    slow, fast = erika.open(f"/findings/{number}"), jun.open(f"/findings/{number}")
    jun.keys("t")
    fast.get_by_text("took it").wait_for()
    erika.keys("b")
    slow.get_by_text("was faster. What you did was not kept").wait_for()
    assert slow.locator("#triage .chip").first.text_content() == "Taken"


def test_one_verdict_is_given_to_the_rest_of_the_story_and_the_next_is_a_click_away(console, visit):
    cluster = console.cluster()
    for place, title in enumerate(("Gravest", "Part of it", "Part too")):
        console.keep(
            title=title, by="user", at=place, severity="low" if place else "critical", cluster=cluster
        )
    console.keep(title="Another", by="else", severity="low", cluster=cluster)
    seen = visit(console.person("erika"))
    page = seen.open(f"/?cluster={cluster}")
    page.get_by_role("link", name="Gravest").click()
    page.wait_for_url("**/findings/**")
    page.wait_for_selector("html.scripted")
    page.get_by_role("button", name="Confirmed attack").click()
    page.get_by_text("2 more findings of this story are still to do").wait_for()
    assert seen.violations() == []
    page.get_by_role("button", name="Close them with the same verdict").click()
    page.get_by_text("2 findings closed as confirmed attacks.").wait_for()
    assert page.get_by_text("still to do").count() == 0
    assert page.get_by_role("button", name="Previous").count() == 0
    page.get_by_role("button", name="Next").click()
    page.locator("h1", has_text="Another").wait_for()
    page.wait_for_selector("html.scripted")
    page.get_by_role("button", name="Previous").wait_for()
    page.get_by_role("link", name="Inbox").last.click()
    page.wait_for_url("**/?cluster=*")
    page.locator(".story").first.wait_for()
    assert titles(page) == ["Another"]


def test_a_suppression_is_made_with_its_preview(console, visit, three):
    number = console.keep(title="Nightly", by="velero", cluster=three)
    seen = visit(console.person("erika"))
    page = seen.open(f"/findings/{number}")
    seen.keys("s")
    page.locator("#suppress-preview", has_text="Would have hidden 1 of").wait_for()
    page.get_by_label("everything by this entity").check()
    page.locator("#suppress-preview", has_text="Nightly").wait_for()
    page.locator("#s-reason").fill("a nightly backup")
    page.get_by_role("button", name="Suppress", exact=True).click()
    page.locator("#triage .chip", has_text="Suppressed").wait_for()


def test_what_is_new_is_said_and_moves_nothing(console, visit, three):
    seen = visit(console.person("erika"))
    page = seen.open(f"/?cluster={three}")
    seen.keys("j", "j")
    console.keep(title="Brand new", by="late", severity="critical", score=1.0, cluster=three)
    page.evaluate(
        "document.getElementById('news') && import(document.querySelector('script[src*=\"inbox.js\"]').src)"
    )
    page.locator(".news", has_text="1 new finding").wait_for(timeout=25_000)
    assert focused(page) == "Second"
    seen.keys("r")
    expect(page.locator(".story")).to_have_count(4)


def test_filters_and_views_stand_in_the_url(console, visit, three):
    seen = visit(console.person("erika"))
    page = seen.open(f"/?cluster={three}")
    seen.keys("/")
    page.keyboard.type("second")
    seen.keys("Enter")
    page.wait_for_url("**q=second**")
    page.wait_for_selector("html.scripted")
    assert titles(page) == ["Second"]
    page.locator(".views summary").click()
    page.locator("#view-name").fill("only seconds")
    seen.keys("Enter")
    page.locator(".message", has_text="The view is kept.").wait_for()
    page.locator(".views summary").click()
    assert "q=second" in page.get_by_role("link", name="only seconds").get_attribute("href")


def test_the_list_of_keys_opens_and_closes(console, visit):
    seen = visit(console.person("erika"))
    page = seen.open("/")
    seen.keys("?")
    assert page.locator("#keys").is_visible()
    assert page.locator("#keys").get_by_text("False alarm: not unusual at all").is_visible()
    seen.keys("Escape")
    assert page.locator("#keys").is_hidden()


def test_colours_and_language_are_remembered(console, visit):
    seen = visit(console.person("erika"))
    page = seen.open("/")
    page.locator("[data-theme-switch]").click()
    page.locator("[data-theme-switch]").click()
    with page.expect_navigation():
        page.locator("#language").select_option("zh-CN")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.locator("h1").text_content() == "收件箱"


def test_times_are_those_of_the_viewer(console, visit, three):
    seen = visit(console.person("erika"))
    page = seen.open(f"/?cluster={three}")
    time = page.locator(".story time").first
    assert time.text_content() == "11-23 13:05"
    assert time.get_attribute("title") == "2026-11-23 12:05:00Z"
