"""A window is appraised where it is read only while nothing must be asked of the database, and then says the same."""

import pytest

from anomaly.appraising import GRACE_SECONDS, LOOK_SECONDS, MOST_AT_ONCE, REMEMBERED_SECONDS, Appraiser
from anomaly.events.decode import decode_lines
from anomaly.reigning import Reigning
from anomaly.store.models import promote_model
from anomaly.windows.dimension import Dimension
from anomaly.windows.told import Told, told_by
from models import Budget
from tests.anomaly import town as build
from tests.anomaly.town import MINUTE

SPAN_US = 60_000_000


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Counted:
    """A database that counts how often it is asked."""

    def __init__(self, database):
        self._database = database
        self.asked = 0

    def connection(self):
        self.asked += 1
        return self._database.connection()

    def begin(self):
        self.asked += 1
        return self._database.begin()

    def __getattr__(self, name):
        return getattr(self._database, name)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def database(town):
    return Counted(town.database)


@pytest.fixture
def appraiser(database, clock):
    reigning = Reigning(database, MINUTE, Budget(per_day=10), clock, every=2.0)
    return Appraiser(database, reigning, SPAN_US, clock)


@pytest.fixture
def window(town):
    (found,) = told_by(decode_lines(b"\n".join(build.theft("amy", town.now, 30))), SPAN_US)
    return found


def test_what_is_at_hand_says_what_the_database_said(town, appraiser, database, window):
    assert appraiser.told_at_once(town.cluster_id, window) is None
    (asked,) = appraiser.told(town.cluster_id, [window])
    before = database.asked

    assert appraiser.told_at_once(town.cluster_id, window) == asked
    assert database.asked == before


def test_what_is_due_is_asked_for_beside_the_answers(town, appraiser, database, clock, window):
    appraiser.told(town.cluster_id, [window])
    assert not appraiser.due(town.cluster_id)
    clock.now += REMEMBERED_SECONDS / 2
    appraiser.renew(town.cluster_id)
    clock.now += REMEMBERED_SECONDS / 2
    before = database.asked

    assert appraiser.told_at_once(town.cluster_id, window) is not None
    assert database.asked == before
    assert appraiser.due(town.cluster_id)
    appraiser.renew(town.cluster_id)
    assert database.asked > before
    assert not appraiser.due(town.cluster_id)
    clock.now += REMEMBERED_SECONDS - 1
    appraiser.renew(town.cluster_id)
    assert appraiser.told_at_once(town.cluster_id, window) is not None


def test_what_nobody_renewed_is_not_used_for_long(town, appraiser, clock, window):
    appraiser.told(town.cluster_id, [window])
    clock.now += LOOK_SECONDS + GRACE_SECONDS
    assert appraiser.told_at_once(town.cluster_id, window) is None
    appraiser.told(town.cluster_id, [Told("zoe", window.start_us, window.counts)])
    assert appraiser.told_at_once(town.cluster_id, window) is not None
    clock.now += REMEMBERED_SECONDS + GRACE_SECONDS - LOOK_SECONDS - GRACE_SECONDS
    appraiser.told(town.cluster_id, [Told("zoe", window.start_us, window.counts)])
    assert appraiser.told_at_once(town.cluster_id, window) is None


def test_what_is_new_to_an_entity_is_known_once_renewed(town, appraiser, clock):
    (window,) = told_by(decode_lines(b"\n".join(build.theft("amy", town.now + 10 * MINUTE, 30))), SPAN_US)
    (before,) = appraiser.told(town.cluster_id, [window])
    build.keep(town.database, build.theft("amy", town.now + 5 * MINUTE, 30))
    clock.now += REMEMBERED_SECONDS
    appraiser.renew(town.cluster_id)
    assert appraiser.told_at_once(town.cluster_id, window) == before
    appraiser.renew(town.cluster_id)

    assert appraiser.told_at_once(town.cluster_id, window).deviation.score < before.deviation.score


def test_another_model_is_not_passed_over(town, appraiser, clock, window):
    (before,) = appraiser.told(town.cluster_id, [window])
    other = town.train()
    with town.database.begin() as session:
        promote_model(session, other.id)
    clock.now += 2.0
    assert appraiser.due(town.cluster_id)
    assert appraiser.told_at_once(town.cluster_id, window) == before
    appraiser.renew(town.cluster_id)

    assert appraiser.told_at_once(town.cluster_id, window) is None
    assert appraiser.told(town.cluster_id, [window])[0].model_id == other.id != before.model_id
    assert appraiser.told_at_once(town.cluster_id, window).model_id == other.id


def test_somebody_never_seen_needs_no_question(town, appraiser, database, window):
    appraiser.told(town.cluster_id, [window])
    before = database.asked
    stranger = Told("zoe", window.start_us, window.counts)

    found = appraiser.told_at_once(town.cluster_id, stranger)

    assert found is not None
    assert found.stranger
    assert database.asked == before
    assert found == appraiser.told(town.cluster_id, [stranger])[0]


def test_a_giant_window_is_left_to_who_may_wait(town, appraiser, window):
    appraiser.told(town.cluster_id, [window])
    giant = {(Dimension.NAME, f"pods x/{number}"): 1 for number in range(MOST_AT_ONCE + 1)}

    assert appraiser.told_at_once(town.cluster_id, Told("amy", window.start_us, giant)) is None


def test_words_of_one_window_are_forgotten_with_it(town, appraiser, window):
    (before,) = appraiser.told(town.cluster_id, [window])
    odd = dict(window.counts) | {
        (Dimension.ACTION, "create never-heard-of"): 3,
        (Dimension.AGENT, "odd/1"): 3,
    }

    first = appraiser.told_at_once(town.cluster_id, Told("amy", window.start_us, odd))
    second = appraiser.told_at_once(town.cluster_id, Told("amy", window.start_us, odd))

    assert first == second != before
    assert appraiser.told_at_once(town.cluster_id, window) == before
