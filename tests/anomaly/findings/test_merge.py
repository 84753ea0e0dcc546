from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from anomaly.findings.finding import Finding, FindingKind, Severity
from anomaly.findings.merge import BELOW, OPEN, Days, Story, join, story_id, tell, weight_of

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


@given(st.lists(pieces, max_size=25), st.randoms(use_true_random=False))
def test_the_order_of_judging_at_once_changes_nothing(found, random):
    shuffled = list(found)
    random.shuffle(shuffled)

    assert told(found) == told(shuffled)


@given(st.lists(pieces, max_size=25))
def test_judging_again_changes_nothing(found):
    once = told(found)

    assert told(found, once.values()) == once


@given(st.lists(pieces, max_size=40), st.integers(1, 4))
def test_no_day_shows_more_than_it_has_room_for_and_nothing_is_lost(found, most):
    days = Days(most=most)
    stories = told(found, days=days).values()
    shown = [days.start_of(one.finding.start) for one in stories if one.finding.state == OPEN]

    assert all(shown.count(day) <= most for day in shown)
    assert frozenset().union(*(one.events for one in stories)) == frozenset().union(
        *(one.events for one in found)
    )
    for hidden in (one.finding for one in stories if one.finding.state == BELOW):
        day = days.start_of(hidden.start)
        others = [
            one.finding
            for one in stories
            if one.finding.state == OPEN and days.start_of(one.finding.start) == day
        ]
        assert len(others) == most
        assert min(map(weight_of, others)) >= weight_of(hidden)


def test_a_sustained_attack_is_one_finding_that_grows():
    stories = list(told([piece(hour=hour, score=0.6 + hour / 200) for hour in range(0, 48, 3)]).values())

    assert len(stories) == 1
    assert stories[0].finding.start == START
    assert stories[0].finding.end == START + 45 * HOUR + timedelta(minutes=30)
    assert stories[0].finding.count == 16
    assert stories[0].finding.reason.startswith("secrets_accessed 45")


def test_another_cause_or_entity_is_another_finding():
    stories = told([piece(), piece(name="exec_in_pod"), piece(entity=2)])

    assert len(stories) == 3


def test_after_a_quiet_day_it_begins_anew():
    assert len(told([piece(hour=0), piece(hour=30)])) == 2
    assert len(told([piece(hour=0), piece(hour=24)])) == 1


def test_a_story_that_never_ends_is_told_anew_after_a_week():
    assert len(told([piece(hour=hour) for hour in range(0, 24 * 9, 12)])) == 2


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
