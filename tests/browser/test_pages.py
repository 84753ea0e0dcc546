"""Every page: no fault of accessibility in both colours and both widths, no error, no breach of the policy, whatever outsiders wrote."""

import pytest
from sqlalchemy import text

from anomaly.testing import raw_event
from tests.anomaly.kept import NOON
from tests.anomaly.web.running import Sender, event_list

pytestmark = pytest.mark.browser

HOSTILE = (
    "<script>document.title='owned'</script>",
    "\"><img src=x onerror=document.title='owned'>",
    "javascript:document.title='owned'",
    '=HYPERLINK("http://evil.test")',
    "x\u202egpj.exe",
    "{{7*7}}${7*7}",
)
AMOUNTS = [
    {"feature": "f", "title": "different secrets read by name", "unit": "secrets", "value": 25.0, "usual": 0.1, "peers": 0.4, "share": 0.6},
    {"feature": "g", "title": "actions new to the kind", "unit": "spans without", "value": 123.0, "usual": 0.0, "peers": None, "share": 0.3},
]  # fmt: skip


@pytest.fixture(scope="module")
def shown(console):
    """A finding with all there is to show, made by a rule of a real event, and one by behaviour."""
    sender = Sender(console.database, console.service, console.cluster())
    agent = HOSTILE[0]
    events = [
        raw_event("pods/exec", "create", by="mallory@example.com", name="web-0", agent=agent, at=NOON, code=101, uri=f"/api?x={HOSTILE[1]}"),
        raw_event("secrets", "list", by="mallory@example.com", namespace="shop", agent=HOSTILE[1], at=NOON, annotations={"note": HOSTILE[0]}),
    ]  # fmt: skip
    sender.send(event_list(*events))
    behaviour = console.keep(
        by="mallory@example.com",
        cluster=sender.name,
        contributions=AMOUNTS,
        normal="Fewer secrets.",
        at=0,
        severity="critical",
    )
    console.keep(by="trent", cluster=sender.name)
    with console.database.begin() as connection:
        rule = connection.execute(
            text(
                "SELECT id FROM anomaly.finding WHERE kind = 'rule' AND cluster_id = :id ORDER BY name LIMIT 1"
            ),
            {"id": sender.id},
        ).scalar_one()
    return sender.name, behaviour, rule


def paths(shown):
    cluster, behaviour, rule = shown
    return (
        f"/?cluster={cluster}",
        "/?tab=closed&q=nothing",
        f"/findings/{behaviour}",
        f"/findings/{rule}",
        "/findings/nothing",
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(console, visit, shown, theme, width):
    seen = visit(console.person("erika"), theme=theme, width=width)
    for path in paths(shown):
        page = seen.open(path)
        assert seen.violations() == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    stranger = visit(theme=theme, width=width)
    stranger.open("/login")
    assert stranger.violations() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_what_is_unfolded(console, visit, shown, theme):
    cluster, _, rule = shown
    seen = visit(console.person("erika"), theme=theme)
    page = seen.open(f"/?cluster={cluster}")
    seen.keys("j", "x", "o", "?")
    assert seen.violations() == []
    seen.keys("Escape")
    for pick in page.locator("details.pick > summary").all():
        pick.click()
        assert seen.violations() == []
    page = seen.open(f"/findings/{rule}")
    seen.keys("e", "s")
    page.locator("#suppress-preview .notice").wait_for()
    assert seen.violations() == []


def test_events_are_searched_in_place(console, visit, shown):
    seen = visit(console.person("erika"))
    page = seen.open(f"/findings/{shown[2]}")
    seen.keys("/")
    page.keyboard.type("requestReceivedTimestamp")
    assert page.locator(".event details[open]").count() == page.locator(".event").count() > 0
    page.keyboard.type("nowhere")
    assert page.locator("#events-none").is_visible()


def test_what_outsiders_wrote_runs_nowhere(console, visit):
    cluster = console.cluster()
    numbers = [
        console.keep(
            by=hostile, title=hostile, reason=hostile, normal=hostile, name=hostile, cluster=cluster,
            details={"group": {hostile: hostile}}, attack=(hostile,),
            contributions=[{**AMOUNTS[0], "title": hostile, "unit": hostile}],
        )
        for hostile in HOSTILE
    ]  # fmt: skip
    seen = visit(console.person("erika"))
    page = seen.open(f"/?cluster={cluster}")
    assert page.locator(".story").count() == len(HOSTILE)
    seen.keys("j", "t")
    page.locator(".message").wait_for()
    for number in numbers:
        page = seen.open(f"/findings/{number}")
        page.locator("#comment").fill(HOSTILE[0])
        page.get_by_role("button", name="Comment", exact=True).click()
        page.get_by_text("commented").wait_for()
        assert "owned" not in page.title().replace(HOSTILE[0], "").replace(HOSTILE[1], "").replace(
            HOSTILE[2], ""
        )
        assert page.locator("main img, main script, main a[href^='javascript:']").count() == 0


def test_events_of_outsiders_are_text(console, visit, shown):
    seen = visit(console.person("erika"))
    for number in shown[1:]:
        page = seen.open(f"/findings/{number}")
        seen.keys("e")
        assert page.locator("main img, main script").count() == 0
    assert "<script>" in page.locator(".events").text_content()


def test_pages_work_in_chinese_without_a_fault(console, visit, shown):
    seen = visit(console.person("erika"), language="zh-CN")
    for path in paths(shown)[:3]:
        seen.open(path)
        assert seen.violations() == [], path
