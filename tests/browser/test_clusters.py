"""Pages of clusters in a real browser: no fault of accessibility, the light that turns on by itself, files that are copied."""

import pytest

from anomaly.rights import Role
from anomaly.store.clusters import ensure_cluster
from anomaly.store.tokens import issue
from tests.anomaly.web.running import Sender, batch

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def sender(console):
    """A cluster that sends."""
    made = Sender(console.database, console.service, console.cluster())
    made.send(batch())
    return made


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(console, visit, sender, theme, width):
    name = console.cluster()
    with console.database.begin() as connection:
        ensure_cluster(connection, name)
    seen = visit(console.person("ada", Role.ADMIN), theme=theme, width=width)
    for path in ("/clusters", f"/clusters/{sender.name}", f"/clusters/{name}", "/clusters/-/add", "/doctor"):
        page = seen.open(path)
        assert seen.violations() == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_cluster_is_added_by_keys_alone_and_its_light_turns_on_by_itself(console, visit):
    name = console.cluster()
    seen = visit(console.person("ada", Role.ADMIN))
    page = seen.open("/")
    seen.keys("g", "c")
    page.wait_for_url("**/clusters")
    page.wait_for_selector("html.scripted")
    seen.keys("a")
    page.wait_for_url("**/clusters/-/add")
    page.keyboard.type(name)
    seen.keys("Enter")
    page.locator("#file-webhook").wait_for()
    assert seen.violations() == []
    page.get_by_text("Waiting for the first event").wait_for()
    with console.database.begin() as connection:
        token = issue(connection, ensure_cluster(connection, name))
    assert console.service.post(name, token, batch())[0] == 200
    page.locator("#live .light-on").wait_for()
    page.locator(".message", has_text=f"The first event of {name} has arrived.").wait_for()
    page.get_by_role("link", name="To the cluster").click()
    assert page.locator("h1").text_content() == name


def test_files_are_copied_as_they_stand(console, visit):
    seen = visit(console.person("ada", Role.ADMIN))
    seen.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=console.url)
    page = seen.open("/clusters/-/add")
    page.locator("#name").fill(console.cluster())
    page.get_by_role("button", name="Add, and show the files").click()
    for which in ("webhook", "policy", "flags"):
        page.locator(f'[data-copy="file-{which}"]').click()
        page.locator(".message", has_text="Copied.").first.wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.locator(f"#file-{which}").text_content()


POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n  - level: None\n    users: ['*']\n"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_policy_is_judged_compared_and_tried_where_it_stands(console, visit, sender, theme, width):
    seen = visit(console.person("erika"), theme=theme, width=width)
    page = seen.open(f"/policy?cluster={sender.name}")
    assert seen.violations() == []
    page.locator("#policy").fill(POLICY)
    for which in ("look", "made", "trial"):
        page.locator("#p-span").select_option("all")
        page.locator(f'[data-ask="{which}"]').click()
        page.locator(f".answer-{which}").wait_for()
        if which == "trial":
            page.locator(".trial-tiles").wait_for()
        assert seen.violations() == [], which
        assert page.evaluate("document.documentElement.scrollWidth") <= width, which
