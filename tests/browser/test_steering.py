"""Models and rules in a browser: no fault of accessibility in both colours and widths, and a rule replayed and excepted by keys."""

from datetime import timedelta

import pytest

from anomaly.rights import Role
from anomaly.store.clusters import ensure_cluster
from anomaly.store.promises import PromiseDay, keep_promise
from anomaly.store.tables import model, rule_pause
from anomaly.web.clock import clock

pytestmark = pytest.mark.browser

RULE = "anonymous-request-allowed"
CARD = {
    "layout": "5e650c2ad1ad0000", "recipe": {"name": "small"}, "first": 0, "last": 1, "windows": 1038, "left_out": 0,
    "kinds": [{"kind": "human", "windows": 500, "entities": 15, "fitted_on": 400, "calibrated_on": 206, "reach": 0.01,
               "channels": ["forest"], "notes": []}],
    "evaluation": {"recall": 0.42}, "notes": ["Newcomers are ranked among known ones."],
    "drift": {"shifted": [["human", "rarity.agent", 2.65]], "share": 0.1, "new_kinds": ["node"], "gone_kinds": [], "too_few": []},
    "decision": {"reason": "Promoted: it finds more."},
}  # fmt: skip
CONTEXT = {
    "until": "2026-11-23T10:46:00+00:00",
    "verdicts": {
        "reason": "Heard.", "findings": 2, "confirmed_windows": 1, "vanished": [], "whitened": ["T1552"], "passed_over": {},
    },
}  # fmt: skip


@pytest.fixture
def steered(console):
    """A cluster with two models, a month of promises and a paused rule: its name and the models."""
    name, now = console.cluster(), clock()
    with console.database.begin() as connection:
        number = ensure_cluster(connection, name)
        numbers = [
            connection.execute(
                model.insert()
                .values(
                    cluster_id=number, state=state, sha256="0" * 64, card=CARD, context=CONTEXT, artifact=b"", promoted_at=at
                )
                .returning(model.c.id)
            ).scalar_one()
            for state, at in (("champion", now), ("candidate", None))
        ]  # fmt: skip
        for ago in range(1, 20):
            keep_promise(
                connection,
                PromiseDay(
                    number, now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=ago), numbers[0],
                    10.0, 0.01, 10.0, 4.0, 16.0, True, 900, 9, 0, 20 if ago == 3 else 9, 0, 0, 0, 0, 0, ago != 3, "It came so.", {},
                ),
            )  # fmt: skip
        connection.execute(
            rule_pause.insert().values(cluster_id=number, rule=RULE, hour_at=now, found=90, usual=2.5)
        )
    console.keep(cluster=name, kind="rule", name=RULE)
    return name, numbers


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(console, visit, steered, theme, width):
    name, numbers = steered
    seen = visit(console.person("boss", Role.ADMIN), theme=theme, width=width)
    for path in (
        f"/models?cluster={name}",
        f"/models/{numbers[0]}",
        f"/models/{numbers[1]}",
        f"/rules?cluster={name}",
        "/rules?q=nothing",
        f"/rules/{RULE}",
    ):
        page = seen.open(path)
        for fold in page.locator("main details:not(.pick) > summary").all():
            fold.click()
        assert seen.violations() == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_pages_work_in_chinese_without_a_fault(console, visit, steered):
    seen = visit(console.person("boss", Role.ADMIN), language="zh-CN")
    for path in (f"/models/{steered[1][1]}", f"/rules/{RULE}"):
        seen.open(path)
        assert seen.violations() == [], path


def test_a_rule_is_found_replayed_and_excepted_with_keys_alone(console, visit, steered):
    name, _ = steered
    seen = visit(console.person("erika"))
    page = seen.open(f"/?cluster={name}")
    seen.keys("g", "r")
    page.wait_for_url("**/rules?*")
    seen.keys("/")
    page.keyboard.type(RULE)
    seen.keys("Enter")
    page.wait_for_url(f"**q={RULE}*")
    page.wait_for_selector("html.scripted")
    seen.keys("j", "Enter")
    page.wait_for_url(f"**/rules/{RULE}*")
    page.wait_for_selector("html.scripted")
    seen.keys("p")
    page.wait_for_url("**run=*")
    page.locator(".answer").wait_for()
    assert seen.violations() == []
    page.get_by_text("Add an exception").press("Enter")
    page.locator("[name=entity]").fill("system:anonymous")
    seen.keys("Tab")
    page.locator("#exception-preview .notice").wait_for()
    page.locator("[name=reason]").fill("known")
    seen.keys("Enter")
    page.get_by_text("The exception holds from now on.").wait_for()
    assert page.get_by_role("button", name="End now").is_visible()
