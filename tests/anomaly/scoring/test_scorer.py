"""From events to deviations with a model trained on the spot: a small team at work, then a day on which something happens."""

from dataclasses import replace

import numpy as np
import pytest

from anomaly.events.decode import decode_lines
from anomaly.features.history import History
from anomaly.features.mixes import Mixes
from anomaly.features.registry import extract
from anomaly.scoring import Context, deviations, score
from anomaly.testing import raw_event
from anomaly.windows.dimension import Dimension
from anomaly.windows.memory import gather
from anomaly.windows.peers import groups_of, peer_groups
from models.errors import LayoutMismatch
from training.matrix import Matrix
from training.recipe import RECIPES
from training.run import run

MINUTE = 60_000_000
PEOPLE = ("amy", "bob", "cleo", "dan", "eli", "fay")
TEAM = ("payments", "system:authenticated")
PAST = 60
E = raw_event


def work(who, first, last):
    """Lists and reads pods, now and then patches a deployment; how often depends on who and when, but not on chance."""
    random = np.random.default_rng([len(who), first, *who.encode()])
    for step in range(first, last):
        at = 60 * step
        for number in range(int(random.integers(3, 9))):
            yield E("pods", "list", by=who, groups=TEAM, at=at + number)
        yield E("pods", "get", name=f"web-{random.integers(4)}", by=who, groups=TEAM, at=at + 20)
        if random.random() < 0.4:
            yield E("apps/deployments", "patch", name="web", by=who, groups=TEAM, at=at + 30)


def team(first, last):
    return [event for who in PEOPLE for event in work(who, first, last)]


@pytest.fixture(scope="module")
def trained():
    memory = gather(decode_lines(b"\n".join(team(0, PAST))), MINUTE)
    starts = np.sort(memory.windows.start)
    recipe = RECIPES["small"]
    cut = int(starts[int(recipe.fit_share * len(starts))])
    history = History.of(memory.windows, memory.firsts, memory.entities, cut)
    layout, values = extract(memory.windows, history)
    entity = memory.windows.entity.astype(np.int64)
    matrix = Matrix.of(
        layout, values, entity, ["human"] * len(entity), history.peers.group_of(entity), memory.windows.start
    )
    return run(matrix, recipe).model


def judged(model, *today, threshold=1e-4):
    """Scores and deviations of the last windows; the past is the team's, and the new events come on top."""
    memory = gather(decode_lines(b"\n".join([*team(0, PAST), *today])), MINUTE)
    now = int(memory.windows.start.min()) + PAST * MINUTE
    early = memory.windows.take(np.flatnonzero(memory.windows.start < now))
    late = memory.windows.take(np.flatnonzero(memory.windows.start >= now))
    known = [entity for entity in memory.entities if entity.id in set(early.entity.tolist())]
    peers = peer_groups(known, early).with_strangers(memory.entities, groups_of(late))
    history = History.of(early, memory.firsts, known, now)
    history = replace(history, peers=peers, mixes=Mixes.of([early], now))
    context = Context(model, history, {entity.id: entity for entity in memory.entities}, threshold)
    scores = score(late, context)
    return scores, list(deviations(scores, context)), context


def theft(who, groups=TEAM):
    return [
        E("secrets", "get", name=f"s{n}", namespace="db", by=who, groups=groups, at=60 * PAST + n)
        for n in range(20)
    ]


def test_a_day_like_any_other_brings_nothing(trained):
    _, found, _ = judged(trained, *team(PAST, PAST + 5))

    assert found == []


def test_a_new_colleague_who_does_what_the_team_does_brings_nothing(trained):
    _, found, _ = judged(trained, *team(PAST, PAST + 3), *work("gil", PAST, PAST + 3))

    assert found == []


@pytest.mark.parametrize(
    ("who", "groups"),
    [("amy", TEAM), ("mallory", TEAM), ("trudy", ("system:authenticated",))],
    ids=["somebody known", "a new colleague", "a stranger without peers"],
)
def test_reading_every_secret_is_found_in_its_first_window(trained, who, groups):
    _, found, _ = judged(trained, *team(PAST, PAST + 1), *theft(who, groups))

    assert [(each.entity.title, each.name) for each in found] == [(who, "secrets_enumerated")]
    assert found[0].severity == "high"
    assert "T1552.007" in found[0].attack
    assert (Dimension.ACTION, "get secrets") in found[0].evidence
    assert 'did "get secrets" 20 times' in found[0].reason


def test_a_judgement_without_a_past_says_so(trained):
    _, found, _ = judged(trained, *theft("mallory"))

    assert found[0].confidence == 0.0
    assert "Confidence: low" in found[0].reason


def test_the_shares_of_all_features_are_at_most_one(trained):
    _, found, _ = judged(trained, *theft("amy"))
    shares = [part.share for part in found[0].parts]

    assert shares == sorted(shares, reverse=True)
    assert 0.5 < sum(shares) <= 1.0 + 1e-9
    assert any(
        part.feature.startswith(("secrets.", "novelty.")) and part.value > 0 for part in found[0].parts
    )


def test_a_privileged_workload_is_named_and_grave(trained):
    body = {
        "spec": {"hostPID": True, "containers": [{"image": "x", "securityContext": {"privileged": True}}]}
    }
    today = [
        *work("bob", PAST, PAST + 1),
        E("pods", "create", name="x", by="bob", body=body, at=60 * PAST + 40),
    ]
    _, found, _ = judged(trained, *today, threshold=1e-3)

    assert [(each.name, each.severity) for each in found] == [("workload_privileged", "critical")]


def test_a_known_credential_in_new_hands_is_named(trained):
    today = [
        E("pods", "list", by="cleo", groups=TEAM, address="198.51.100.7", agent="curl/8.5", at=60 * PAST + n)
        for n in range(4)
    ]
    _, found, _ = judged(trained, *today, threshold=1e-3)

    assert [each.name for each in found] == ["credential_moved"]
    assert (Dimension.ADDRESS, "198.51.100.7") in found[0].evidence


def test_one_window_alone_is_judged_as_among_many(trained):
    scores, _, context = judged(trained, *team(PAST, PAST + 4), *theft("amy"))
    for row in range(scores.windows.n):
        alone = score(scores.windows.take(np.array([row])), context)
        assert alone.judged.p_value[0] == pytest.approx(scores.judged.p_value[row], rel=1e-12)


def test_the_strangest_comes_first(trained):
    scores, _, _ = judged(trained, *team(PAST, PAST + 4), *theft("amy"))
    order = scores.over(1.0)

    assert len(order) == scores.windows.n
    assert (np.diff(scores.judged.p_value[order]) >= 0).all()


def test_no_windows_give_no_scores(trained):
    scores, _, context = judged(trained, *theft("amy"))
    empty = score(scores.windows.take(np.zeros(0, dtype=np.int64)), context)

    assert list(deviations(empty, context)) == []


def test_a_model_that_knows_other_features_is_refused(trained):
    scores, _, context = judged(trained, *theft("amy"))
    features = context.model.layout.features
    other = replace(context.model, layout=type(context.model.layout)(features[1:]))

    with pytest.raises(LayoutMismatch):
        score(scores.windows, replace(context, model=other))
