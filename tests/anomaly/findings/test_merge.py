from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from anomaly.findings.finding import Finding, FindingKind, Severity
from anomaly.findings.merge import (
    BELOW,
    CHANCE,
    FIRM,
    OPEN,
    TENTATIVE,
    Days,
    Story,
    join,
    place_of,
    story_id,
    tell,
)

START = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOBODY = UUID(int=0)


def piece(name="secrets_accessed", entity=1, hour=0, score=0.9, severity=Severity.MEDIUM, state=OPEN):
    start = START + hour * HOUR
    finding = Finding(
        id=NOBODY,
        cluster="",
        entity=f"user-{entity}",
        entity_kind="human",
        kind=FindingKind.BEHAVIOUR,
        name=name,
        title=name,
        severity=severity,
        attack=("T1552",),
        start=start,
        end=start + timedelta(minutes=30),
        score=score,
        reason=f"{name} {hour} {score}",
        count=1,
        state=state,
        details={"window": start.isoformat()},
    )
    return Story(finding, 1, entity, 1, frozenset({(start, UUID(int=hour * 10 + entity))}))


pieces = st.builds(
    piece,
    name=st.sampled_from(["secrets_accessed", "exec_in_pod"]),
    entity=st.integers(1, 3),
    hour=st.integers(0, 150),
    score=st.sampled_from([0.6, 0.7, 0.8, 0.9, 0.95]),
    severity=st.sampled_from(list(Severity)),
)


def told(found, known=(), days=None):
    return {story.finding.id: story for story in tell(found, known, days or Days(most=3)).stories}


alike = st.builds(
    piece,
    hour=st.integers(0, 20),
    score=st.sampled_from([0.6, 0.9]),
    severity=st.sampled_from(list(Severity)),
)


@given(alike, alike, alike)
def test_joining_is_idempotent_and_free_of_order(one, two, three):
    assert join(one, one) == one
    assert join(one, two) == join(two, one)
    assert join(join(one, two), three) == join(one, join(two, three))


@given(st.lists(pieces, max_size=25), st.randoms(use_true_random=False), st.integers(1, 4))
def test_whatever_the_order_and_the_split_of_judging_the_same_stories_are_shown(found, random, most):
    days = Days(most=most)
    shuffled = list(found) + found[: len(found) // 3]
    random.shuffle(shuffled)
    known = {}
    while shuffled:
        size = random.randint(1, len(shuffled))
        part, shuffled = shuffled[:size], shuffled[size:]
        # The store hands over the stories of the days that the part falls on and of their neighbours, and keeps the others.
        near = {days.start_of(one.finding.start) + n * days.length for one in part for n in (-1, 0, 1)}
        own = [one for one in known.values() if days.start_of(one.finding.start) in near]
        known |= told(part, own, days)

    assert known == told(found, days=days)


@given(st.lists(pieces, max_size=25))
def test_judging_again_changes_nothing(found):
    once = told(found)

    assert told(found, once.values()) == once


@given(st.lists(pieces, max_size=40), st.integers(1, 4))
def test_a_day_shows_its_gravest_and_what_is_critical_and_nothing_is_lost(found, most):
    days = Days(most=most)
    stories = told(found, days=days).values()

    assert frozenset().union(*(one.events for one in stories)) == frozenset().union(
        *(one.events for one in found)
    )
    for day in {days.start_of(one.finding.start) for one in stories}:
        eve = [one for one in stories if days.start_of(one.finding.start) == day - days.length]
        foremost = {(one.entity_id, one.finding.name) for one in sorted(eve, key=place_of)[:most]}
        own = [one for one in stories if days.start_of(one.finding.start) == day]
        own.sort(key=lambda one: place_of(one, foremost))
        critical = sum(one.finding.severity is Severity.CRITICAL for one in own)
        room = max(most, critical)
        assert [one.finding.state for one in own[:room]] == [OPEN] * min(room, len(own))
        assert {one.finding.state for one in own[room:]} <= {BELOW}


def test_no_number_of_strange_decoys_takes_the_room_of_a_grave_story():
    decoys = [piece(entity=n, score=0.99, severity=Severity.LOW) for n in range(2, 40)]
    high = piece(score=0.5, severity=Severity.HIGH, hour=5)
    for found in ([*decoys, high], [high, *decoys]):
        shown = [one for one in told(found).values() if one.finding.state == OPEN]
        assert len(shown) == 3
        assert any(one.entity_id == 1 for one in shown)


def test_what_is_critical_is_shown_beyond_the_room_and_counted():
    found = [piece(entity=n, score=0.5 + n / 100, severity=Severity.CRITICAL) for n in range(5)]
    made = tell([*found, piece(entity=9, score=0.99, severity=Severity.HIGH)], (), Days(most=3))

    assert [one.entity_id for one in made.stories if one.finding.state == BELOW] == [9]
    assert len(made.beyond) == 2
    assert not tell(found[:3], (), Days(most=3)).beyond


def test_a_sustained_attack_is_one_finding_a_day_that_grows():
    stories = list(told([piece(hour=hour, score=0.6 + hour / 200) for hour in range(0, 48, 3)]).values())

    assert len(stories) == 2
    assert stories[0].finding.start == START
    assert stories[0].finding.end == START + 21 * HOUR + timedelta(minutes=30)
    assert stories[0].finding.count == 8
    assert stories[0].finding.reason.startswith("secrets_accessed 21")


def test_another_cause_or_entity_is_another_finding():
    stories = told([piece(), piece(name="exec_in_pod"), piece(entity=2)])

    assert len(stories) == 3


def test_the_id_follows_from_the_content():
    days = Days()
    (number,) = told([piece(hour=26)], days=days)

    assert number == story_id(1, "user-1", "secrets_accessed", START + 24 * HOUR)


def test_what_people_decided_on_keeps_its_place_and_its_state():
    days = Days(most=1)
    (first,) = told([piece(score=0.6)], days=days).values()
    decided = replace(first, finding=replace(first.finding, state="confirmed"))
    stories = told([piece(entity=2, score=0.95), piece(score=0.97)], [decided], days)

    assert stories[first.finding.id].finding.state == "confirmed"
    assert [one.finding.state for one in stories.values() if one.entity_id == 2] == [BELOW]


def test_what_a_person_touched_stays_shown_though_graver_stories_come():
    days = Days(most=1)
    (first,) = told([piece(score=0.6)], days=days).values()
    graver = piece(entity=2, score=0.95, severity=Severity.HIGH)

    assert told([graver], [first], days)[first.finding.id].finding.state == BELOW
    stories = told([graver], [replace(first, touched=True)], days)
    assert stories[first.finding.id].finding.state == OPEN
    assert [one.finding.state for one in stories.values() if one.entity_id == 2] == [BELOW]


def test_what_people_chose_not_to_see_takes_no_room():
    days = Days(most=1)
    (first,) = told([piece(score=0.9)], days=days).values()
    hidden = replace(first, finding=replace(first.finding, state="suppressed"))
    stories = told([piece(entity=2, score=0.6)], [hidden], days)

    assert [one.finding.state for one in stories.values()] == ["suppressed", OPEN]


def test_a_larger_room_lets_a_story_rise_again():
    stories = told([piece(), piece(entity=2, score=0.6)], days=Days(most=1))
    again = told([piece()], stories.values(), Days(most=2))

    assert [one.finding.state for one in again.values()] == [OPEN, OPEN]


def test_of_equally_grave_stories_a_new_one_goes_before_one_told_the_day_before():
    days = Days(most=1)
    told_before = [piece(hour=1), piece(hour=25)]
    states = {one.finding.start: one.finding.state for one in told(told_before, days=days).values()}
    assert set(states.values()) == {OPEN}

    new = piece(hour=26, entity=2, score=0.6)
    assert (
        told([*told_before, new], days=days)[
            story_id(1, "user-2", "secrets_accessed", START + 24 * HOUR)
        ].finding.state
        == OPEN
    )
    graver = piece(hour=25, severity=Severity.HIGH)
    assert (
        told([piece(hour=1), graver, new], days=days)[
            story_id(1, "user-1", "secrets_accessed", START + 24 * HOUR)
        ].finding.state
        == OPEN
    )


def test_days_do_not_compete():
    stories = told([piece(hour=0, severity=Severity.HIGH), piece(hour=30, score=0.5)], days=Days(most=1))

    assert [one.finding.state for one in stories.values()] == [OPEN, OPEN]


def test_a_stranger_story_takes_the_place_of_a_weaker_one():
    days = Days(most=1)
    before = told([piece(score=0.6)], days=days)
    after = told([piece(entity=2, hour=3, score=0.9)], before.values(), days)

    assert [(one.entity_id, one.finding.state) for one in after.values()] == [(1, BELOW), (2, OPEN)]


def test_a_day_in_part_has_room_for_its_part():
    days = Days(most=10, origin=START, horizon=START + 30 * HOUR)

    assert days.room(START) == 10
    assert Days(most=10, origin=START, horizon=START + HOUR).room(START) == 10
    assert days.room(START + 24 * HOUR) == 2
    assert days.room(START + 48 * HOUR) == 0


def test_of_equally_grave_stories_what_stands_out_against_chance_goes_first():
    strange, ordinary = piece(score=1 - 1e-6**0.25), piece(entity=2, score=1 - 0.01**0.25)
    stories = told([strange, ordinary], days=Days(among=400))

    assert {one.entity_id: one.finding.details[CHANCE] for one in stories.values()} == {1: FIRM, 2: TENTATIVE}


def test_what_may_be_chance_is_shown_as_long_as_its_day_has_room():
    (only,) = told([piece(score=1 - 0.01**0.25)], days=Days(among=400)).values()

    assert only.finding.state == OPEN
    assert only.finding.details[CHANCE] == TENTATIVE


def test_nothing_is_said_of_chance_where_the_windows_of_a_day_are_not_known():
    (only,) = told([piece()]).values()

    assert CHANCE not in only.finding.details


def test_grave_stories_go_before_harmless_ones_that_stand_out():
    grave = piece(score=1 - 0.01**0.25, severity=Severity.HIGH)
    harmless = piece(entity=2, score=1 - 1e-6**0.25, severity=Severity.LOW)
    stories = told([grave, harmless], days=Days(most=1, among=400))

    assert [one.entity_id for one in stories.values() if one.finding.state == OPEN] == [1]
