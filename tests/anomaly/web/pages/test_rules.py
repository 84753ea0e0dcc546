"""The pages of rules: how each stands, what it needs, what is excepted from it, and what it would have found."""

import time
from datetime import timedelta

import pytest

from anomaly.events.decode import decode_lines
from anomaly.rights import Role
from anomaly.rules import RuleSet
from anomaly.settings import RulesSettings, Settings
from anomaly.store.clusters import ensure_cluster
from anomaly.store.exceptions import list_exceptions
from anomaly.store.pauses import list_pauses
from anomaly.store.tables import rule_pause
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import raw_event
from anomaly.web.access import Doorkeeper
from anomaly.web.app import Shared
from anomaly.web.body import Pending
from anomaly.web.server import clock
from tests.anomaly.kept import NOON
from tests.anomaly.web.asking import app_on
from tests.anomaly.web.pages.test_models import begun
from tests.anomaly.web.pages.test_pages import Person, kept

RULE = "anonymous-request-allowed"


@pytest.fixture
def erika(app, database):
    return Person(app, database, "erika")


def recent(database, **given):
    """A finding of the rule that began so many days ago."""
    days = given.pop("days", 1)
    at = (clock() - timedelta(days=days) - NOON) / timedelta(minutes=1)
    return kept(database, kind="rule", name=RULE, at=int(at), **given)


def paused(database, cluster="shop"):
    with database.begin() as connection:
        number = ensure_cluster(connection, cluster)
        connection.execute(
            rule_pause.insert().values(
                cluster_id=number, rule=RULE, hour_at=clock(), found=90, usual=2.5, paused_at=clock()
            )
        )


def row_of(body, rule=RULE):
    return body.partition(f"<code>{rule}</code>")[2].partition("</tr>")[0]


def test_every_rule_stands_with_how_often_it_fired_of_late(erika, database):
    recent(database)
    recent(database, days=20, by="eve")
    recent(database, days=60, by="trent")
    status, body = erika.get("/rules")
    assert status == 200
    row = row_of(body)
    assert '<td class="number">1</td><td class="number">2</td>' in row
    assert "<time" in row
    assert "never" in row_of(body, "anonymous-refused")
    assert body.index(f"<code>{RULE}</code>") < body.index("<code>anonymous-refused</code>")


@pytest.mark.parametrize(
    ("query", "there"),
    [
        pytest.param(f"q={RULE}", True, id="its id"),
        pytest.param("q=nothing+like+it", False, id="words it has not"),
        pytest.param("fired=week", True, id="fired of late"),
        pytest.param("fired=never", False, id="never fired"),
        pytest.param("state=paused", False, id="paused"),
        pytest.param("technique=T9999", False, id="another technique"),
    ],
)
def test_filters_leave_what_fits_and_say_so_when_nothing_does(erika, database, query, there):
    recent(database)
    status, body = erika.get(f"/rules?{query}")
    assert status == 200
    assert (f"<code>{RULE}</code>" in body) is there
    if "<code>" not in body:
        assert "No rule fits these filters" in body


@pytest.mark.parametrize("query", ["severity=worst", "state=gone", "fired=once", "sort=x", "q=" + "x" * 101])
def test_a_filter_that_there_is_not_is_said(erika, query):
    assert erika.get(f"/rules?{query}")[0] == 422


def test_findings_of_clusters_out_of_sight_are_not_counted(app, database):
    recent(database, cluster="bank")
    paused(database, "bank")
    bert = Person(app, database, "bert", clusters=["shop"])
    assert "never" in row_of(bert.get("/rules")[1])
    assert "bank" not in bert.get("/rules")[1]
    assert "bank" not in bert.get(f"/rules/{RULE}")[1]
    assert begun(bert, f"/rules/{RULE}/resume", over="bank")[0] == 404
    assert begun(bert, f"/rules/{RULE}/replays", over="bank")[0] == 404
    assert begun(bert, f"/rules/{RULE}/replays")[0] == 422


def test_a_rule_says_why_it_matters_what_it_needs_and_shows_its_examples(erika):
    status, body = erika.get("/rules/account-asks-its-permissions")
    assert status == 200
    assert "a token found in a pod is first asked what it is good for" in body
    assert "selfsubjectrulesreviews" in body
    assert "an operator checks itself" in body
    assert "<strong>Metadata</strong>" in body
    assert erika.get("/rules/no-such-rule")[0] == 404


def test_a_disabled_rule_is_listed_and_can_be_replayed(database, commit):
    settings = Settings(rules=RulesSettings(disabled=(RULE,)))
    app = app_on(
        Shared(settings, database, Doorkeeper(database, clock, settings.access), Pending(1 << 24), commit)
    )
    erika = Person(app, database, "erika")
    assert "Disabled" in row_of(erika.get("/rules")[1])
    body = erika.get(f"/rules/{RULE}")[1]
    assert "The settings disable it" in body
    assert "It would have found nothing" in replayed(erika)


def replayed(person, over=""):
    status, location = begun(person, f"/rules/{RULE}/replays", over=over, days=365)
    assert status == 303
    number = location.partition("run=")[2].partition("#")[0]
    for _ in range(600):
        status, body = person.get(f"/rules/{RULE}/replays/{number}")
        assert status == 200
        if "hx-get" not in body:
            assert person.get(f"/rules/anonymous-refused/replays/{number}")[0] == 404
            return body
        time.sleep(0.1)
    raise AssertionError("it did not end")


def test_a_replay_tells_the_findings_a_day(erika, database):
    with database.begin() as connection:
        number = ensure_cluster(connection, "shop")
    event = raw_event("secrets", "list", by="system:anonymous", at=NOON, code=200)
    writer = Writer(database.dedicated, RuleSet(()), 3_600_000_000)
    try:
        writer.write([Arrival(number, "test", decode_lines(event))])
    finally:
        writer.close()
    body = replayed(erika, "shop")
    assert "<strong>1 finding</strong>" in body
    assert "2026-11-23" in body


def test_an_exception_is_tried_kept_and_ended(erika, database):
    with database.begin() as connection:
        ensure_cluster(connection, "shop")
    fields = {"entity": "system:anonymous", "over": "shop", "days": 10}
    status, body, _ = erika.post(f"/rules/{RULE}/exceptions/preview", fields)
    assert status == 200
    assert "it would have silenced 0 findings" in body
    assert erika.post(f"/rules/{RULE}/exceptions", fields)[2]["kind"] == "failed"
    status, body, said = erika.post(f"/rules/{RULE}/exceptions", {**fields, "reason": "the <b>probe</b>"})
    assert (status, said["kind"]) == (200, "done")
    assert "the &lt;b&gt;probe&lt;/b&gt;" in body
    with database.begin() as connection:
        (one,) = list_exceptions(connection)
    assert (one.exception.rule, one.exception.owner, one.exception.cluster) == (RULE, "erika", "shop")
    status, body, _ = erika.post(f"/rules/{RULE}/exceptions/{one.exception.id}/end", {})
    assert "ended" in body
    with database.begin() as connection:
        assert not list_exceptions(connection, clock() + timedelta(seconds=1))


def test_who_only_looks_changes_nothing(app, database):
    vera = Person(app, database, "vera", Role.VIEWER)
    paused(database)
    body = vera.get(f"/rules/{RULE}")[1]
    assert "Let it go on" not in body
    assert "Add an exception" not in body
    for path in ("resume", "exceptions", "exceptions/preview", "exceptions/1/end"):
        assert vera.post(f"/rules/{RULE}/{path}", {"over": "shop"})[0] == 403


def test_a_paused_rule_shows_it_and_goes_on_when_told(erika, database):
    paused(database)
    assert "90 findings in an hour" in erika.get("/rules")[1]
    assert "Paused" in row_of(erika.get("/rules?state=paused")[1])
    assert "Let it go on" in erika.get(f"/rules/{RULE}")[1]
    assert erika.post(f"/rules/{RULE}/resume", {"over": "shop"})[2]["kind"] == "done"
    with database.begin() as connection:
        assert not list_pauses(connection)
    assert erika.post(f"/rules/{RULE}/resume", {"over": "shop"})[0] == 404
