"""Stories: held against the same gathering, one finding after the other."""

from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anomaly.findings.stories import GAP, LONGEST, gather

MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1) // MICROSECOND

findings = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.one_of(st.integers(-30, 30).map(lambda hours: hours * HOUR), st.integers(-40 * HOUR, 40 * HOUR)),
        st.one_of(st.just(0), st.integers(0, 5 * HOUR), st.just(30 * HOUR)),
        st.integers(0, 4).map(float),
    ),
    max_size=40,
)


def one_by_one(found):
    """The same, as one would say it: [members]"""
    stories = []
    last = None
    for place in sorted(range(len(found)), key=lambda each: (found[each][0], found[each][1], each)):
        whose, start, length, _ = found[place]
        apart = last is None or last["whose"] != whose or (start - last["reach"]) * MICROSECOND > GAP
        if apart or (start - last["start"]) * MICROSECOND >= LONGEST:
            reach = start + length if apart else max(last["reach"], start + length)
            last = {"whose": whose, "start": start, "reach": reach, "members": []}
            stories.append(last)
        last["members"].append(place)
        last["reach"] = max(last["reach"], start + length)
    return [one["members"] for one in stories]


def gathered(found):
    whose, start, length = (np.array([one[at] for one in found], np.int64) for at in range(3))
    return gather(whose, start, start + length, np.array([one[3] for one in found], np.float64))


@given(findings)
def test_stories_are_those_of_going_through_findings_one_by_one(found):
    stories, expected = gathered(found), one_by_one(found)
    assert [stories.of(story).tolist() for story in range(len(stories))] == expected
    for story, members in enumerate(expected):
        assert stories.start[story] == min(found[one][1] for one in members)
        assert stories.end[story] == max(found[one][1] + found[one][2] for one in members)
        assert stories.risk[story] == max(found[one][3] for one in members)


@given(findings)
def test_orders_name_every_story_once_the_riskiest_or_the_latest_first(found):
    stories = gathered(found)
    riskiest, newest = stories.riskiest_first().tolist(), stories.newest_first().tolist()
    assert sorted(riskiest) == sorted(newest) == list(range(len(stories)))
    assert riskiest == sorted(riskiest, key=lambda one: (-stories.risk[one], -stories.end[one], one))
    assert newest == sorted(newest, key=lambda one: (-stories.end[one], one))


def test_no_findings_are_no_stories():
    assert len(gathered([])) == 0
