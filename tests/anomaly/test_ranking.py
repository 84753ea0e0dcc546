"""Verdicts rank open findings at once: alike ones sink or rise, unlike ones stay, and taking a verdict back undoes it."""

import pytest

from anomaly.findings.triage import Verdict
from anomaly.nightly import judge
from anomaly.ranking import Ranking
from anomaly.review import close, undo
from anomaly.store.findings import Wanted, list_findings
from anomaly.store.windows import Span
from anomaly.testing import raw_event
from tests.anomaly.town import MINUTE, TEAM, theft


@pytest.fixture
def alike(town):
    """Five people read the same secrets; one starts a privileged pod."""
    for who in ("ann1", "ann2", "ann3", "ann4", "ann5"):
        town.keep(*theft(who, town.now, 12))
    body = {
        "spec": {"hostPID": True, "containers": [{"image": "x", "securityContext": {"privileged": True}}]}
    }
    town.keep(raw_event("pods", "create", name="x", by="zoe", groups=TEAM, body=body, at=town.now))
    judge(town.database, town.judge(), Span(town.now))
    return {one.entity: one for one in findings(town)}


def findings(town):
    with town.database.begin() as session:
        return list_findings(session, Wanted(since=town.now))


def heard(town):
    with town.database.connection() as connection:
        rows = connection.execute(
            "SELECT finding_id, heard_score FROM anomaly.triage WHERE heard_score IS NOT NULL"
        )
        return dict(rows.fetchall())


def decide(town, one, verdict):
    with town.database.begin() as session:
        close(session, one.id, verdict, "bea", town.now)


def test_a_false_alarm_makes_alike_findings_sink_and_leaves_unlike_ones(town, alike):
    ranking, reigning = Ranking(town.database, 20), town.judge()
    for who in ("ann1", "ann2", "ann3"):
        decide(town, alike[who], Verdict.FALSE_ALARM)
    assert ranking.renew(reigning, town.now + MINUTE) >= 1
    scores = heard(town)

    assert scores[alike["ann4"].id] < alike["ann4"].score - 0.01
    if "zoe" in alike and alike["zoe"].id in scores:
        fell = alike["zoe"].score - scores[alike["zoe"].id]
        assert fell < alike["ann4"].score - scores[alike["ann4"].id]


def test_the_list_of_findings_follows_the_ranking_within_a_severity(town, alike):
    ranking = Ranking(town.database, 20)
    for who in ("ann1", "ann2"):
        decide(town, alike[who], Verdict.FALSE_ALARM)
    ranking.renew(town.judge(), town.now + MINUTE)
    scores = heard(town)
    listed = findings(town)
    ranks = [(one.severity.rank, scores.get(one.id, one.score)) for one in listed]

    assert ranks == sorted(ranks, reverse=True)
    assert all(one.score == alike[one.entity].score for one in listed)


def test_nothing_is_done_again_while_nobody_decides_anything(town, alike):
    ranking, reigning = Ranking(town.database, 20), town.judge()
    assert ranking.renew(reigning, town.now + MINUTE) == 0
    assert ranking.renew(reigning, town.now + MINUTE) is None
    decide(town, alike["ann1"], Verdict.BENIGN)
    assert ranking.renew(reigning, town.now + MINUTE) is not None


def test_a_verdict_taken_back_puts_the_ranking_back(town, alike):
    ranking, reigning = Ranking(town.database, 20), town.judge()
    decide(town, alike["ann1"], Verdict.FALSE_ALARM)
    assert ranking.renew(reigning, town.now + MINUTE) > 0
    with town.database.begin() as session:
        undo(session, alike["ann1"].id, "bea", town.now)

    assert ranking.renew(reigning, town.now + MINUTE) == 0
    assert heard(town) == {}


def test_verdicts_beyond_the_bound_change_no_ranking(town, alike):
    decide(town, alike["ann1"], Verdict.FALSE_ALARM)

    assert Ranking(town.database, 0).renew(town.judge(), town.now + MINUTE) == 0
