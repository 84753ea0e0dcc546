from types import SimpleNamespace

from anomaly.scoring.retelling import AGAIN_AT_ONCE, AGAIN_SECONDS, CHECKED_AT_ONCE, NEW_AT_ONCE, Retelling


def one(entity=1, start=0, name="secrets_enumerated", severity="high"):
    return SimpleNamespace(entity=SimpleNamespace(id=entity), start_us=start, name=name, severity=severity)


def test_a_window_told_lately_waits_and_is_told_again_later():
    lately, window = Retelling(), one()
    assert lately.choose([window], 100.0) == [(window, True)]
    assert lately.choose([window], 101.0) == []
    assert lately.choose([window], 100.0 + AGAIN_SECONDS - 1) == []
    assert lately.choose([window], 100.0 + AGAIN_SECONDS) == [(window, False)]
    assert lately.choose([window], 101.0 + AGAIN_SECONDS) == []


def test_another_story_a_graver_one_and_another_window_do_not_wait():
    lately = Retelling()
    lately.choose([one()], 100.0)
    for at, other in enumerate(
        (one(severity="critical"), one(name="secrets_read"), one(start=60), one(entity=2))
    ):
        assert lately.choose([other], 101.0 + at) == [(other, True)]


def test_what_was_never_told_goes_before_a_flood_of_what_was():
    lately = Retelling()
    flood = [one(entity=number) for number in range(NEW_AT_ONCE)]
    assert len(lately.choose(flood, 0.0)) == NEW_AT_ONCE
    fresh = one(entity=1_000)
    chosen = lately.choose([*flood, fresh], AGAIN_SECONDS)
    assert chosen[0] == (fresh, True)
    assert [first for _, first in chosen[1:]] == [False] * AGAIN_AT_ONCE


def test_all_of_a_flood_are_told_in_turn():
    lately = Retelling()
    flood = [one(entity=number) for number in range(3 * NEW_AT_ONCE)]
    told = {each.entity.id for at in range(3) for each, _ in lately.choose(flood, float(at))}
    assert told == set(range(3 * NEW_AT_ONCE))
    again = {
        each.entity.id
        for at in range(len(flood) // AGAIN_AT_ONCE)
        for each, _ in lately.choose(flood, 100.0 + at * 0.1)
    }
    assert again == told


def explained(lately, flood, now):
    worth = lately.worth([(each.entity.id, each.start_us) for each in flood], now)
    return [flood[place] for place in worth]


def test_of_a_flood_only_what_may_be_told_is_explained_the_strangest_first():
    lately = Retelling()
    flood = [one(entity=number) for number in range(1_000)]
    assert explained(lately, flood, 0.0) == flood[:NEW_AT_ONCE]
    lately.choose(flood[:NEW_AT_ONCE], 0.0)
    assert explained(lately, flood, 1.0) == flood[: 2 * NEW_AT_ONCE]


def test_what_is_new_is_explained_before_a_flood_of_what_was_told_and_all_of_that_in_turn():
    lately = Retelling()
    flood = [one(entity=number) for number in range(4 * NEW_AT_ONCE)]
    for at in range(4):
        lately.choose(explained(lately, flood, float(at)), float(at))
    fresh = one(entity=1_000)
    turns = [explained(lately, [*flood, fresh], 4.0 + at) for at in range(len(flood) // CHECKED_AT_ONCE)]
    assert all(fresh in turn and len(turn) <= 1 + CHECKED_AT_ONCE for turn in turns)
    assert {each.entity.id for turn in turns for each in turn} == {*range(len(flood)), 1_000}


def test_a_window_that_becomes_another_story_is_told_though_it_was_told_lately():
    lately, before, now = Retelling(), one(), one(severity="critical")
    lately.choose([before], 0.0)
    assert lately.choose(explained(lately, [now], 1.0), 1.0) == [(now, True)]
