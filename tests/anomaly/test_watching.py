"""Alarms about the intake: one finding an episode, followed while it lasts, over when it is over; quiet on what always was so."""

from datetime import timedelta

import pytest

from anomaly.findings.finding import FindingKind
from anomaly.intake.exposition import Sample
from anomaly.settings import CompletenessSettings
from anomaly.store.alarms import open_alarms
from anomaly.store.audit_metrics import keep_sample
from anomaly.store.findings import Wanted, list_findings
from anomaly.testing import raw_event
from anomaly.watching import watch
from tests.anomaly.test_doctor import Ward

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Tower(Ward):
    """A ward that is watched."""

    def watch(self, after=timedelta(0)):
        return watch(self.database, CompletenessSettings(), self.now + after)

    def findings(self):
        with self.database.begin() as session:
            return list_findings(session, Wanted(kind=FindingKind.SYSTEM))

    def lived(self, events=600, minutes=(1 << 60) - 1, first=30, last=2):
        """A past of hours in each of which so many live events came in these minutes."""
        self.execute(
            "INSERT INTO anomaly.intake_hour (cluster_id, hour_at, source, lane, kept, minutes, lag)"
            " SELECT %s, date_trunc('hour', %s::timestamptz) - make_interval(hours => h), 'webhook', 0, %s, %s,"
            " array_prepend(%s::bigint, array_fill(0::bigint, ARRAY[53])) FROM generate_series(%s::int, %s::int) h",
            self.cluster,
            self.now,
            events,
            minutes,
            events,
            last,
            first,
        )


@pytest.fixture
def tower(database, tmp_path):
    made = Tower(database, tmp_path)
    made.add()
    return made


def test_silence_is_one_finding_from_its_beginning_to_its_end(tower):
    tower.lived()
    assert tower.watch().opened == 1
    assert tower.watch(MINUTE).opened == 0
    (found,) = tower.findings()
    assert (found.kind, found.name, found.severity.value) == (FindingKind.SYSTEM, "silent", "high")
    assert "Nothing has arrived since" in found.reason and found.state == "open"
    assert found.end == tower.now + MINUTE

    tower.lived(first=0, last=0)
    assert tower.watch(2 * MINUTE).ended == 0, "a moment of life is not the end of it yet"
    assert tower.watch(8 * MINUTE).ended == 1
    (over,) = tower.findings()
    assert (
        over.id == found.id and "over" in over.title and "over since" in over.details and over.state == "open"
    )

    with tower.database.connection() as connection:
        assert open_alarms(connection, tower.cluster) == []


@pytest.mark.parametrize(
    "past",
    [
        pytest.param({"events": 2, "minutes": 1}, id="always idle"),
        pytest.param({"first": 0, "last": 0}, id="there now"),
        pytest.param({"first": -1, "last": 0}, id="nothing ever"),
    ],
)
def test_a_cluster_that_is_as_it_always_was_raises_nothing(tower, past):
    tower.lived(**past)
    assert tower.watch().opened == 0 and tower.findings() == []


def test_a_rise_of_what_cannot_be_read_and_of_refusals_is_told_and_a_little_is_not(tower):
    tower.execute(
        "INSERT INTO anomaly.intake_hour (cluster_id, hour_at, source, lane, kept, quarantined, refused, lag)"
        " VALUES (%s, date_trunc('hour', %s::timestamptz), 'webhook', 0, 100, 5, 5, array_fill(0::bigint, ARRAY[54]))",
        tower.cluster,
        tower.now,
    )
    assert tower.watch().opened == 0
    tower.execute("UPDATE anomaly.intake_hour SET quarantined = 50, refused = 50")
    assert tower.watch().opened == 2
    assert {one.name for one in tower.findings()} == {"quarantine", "refused"}


def test_a_policy_that_no_longer_writes_bodies_is_told_until_it_does_again(tower):
    over = tower.now.replace(minute=0, second=0, microsecond=0)
    for back in range(2, 40):
        tower.send(
            *(
                raw_event("pods", "create", at=over - back * HOUR + place * MINUTE, level="Request")
                for place in range(6)
            )
        )
    tower.send(*(raw_event("pods", "create", at=tower.now, name=f"p{place}") for place in range(40)))
    while tower.watch().learned:
        pass
    (found,) = [one for one in tower.findings() if one.name == "policy"]
    assert "create pods used to arrive at level Request" in found.reason

    tower.send(
        *(raw_event("pods", "create", at=tower.now, name=f"q{place}", level="Request") for place in range(40))
    )
    tower.watch(6 * MINUTE)
    with tower.database.connection() as connection:
        assert "policy" not in {one.name for one in open_alarms(connection, tower.cluster)}


def test_what_the_api_server_counted_and_is_not_here_is_told(tower):
    tower.send(*(raw_event(at=tower.now - 30 * MINUTE, name=f"p{place}") for place in range(100)))
    with tower.database.connection() as connection:
        for at, count in ((tower.now - HOUR, 1_000), (tower.now, 1_100)):
            keep_sample(connection, tower.cluster, Sample(at, count, {}, {}, 0))
    assert "incomplete" not in {one.name for one in tower.findings() if tower.watch()}
    with tower.database.connection() as connection:
        keep_sample(connection, tower.cluster, Sample(tower.now, 1_500, {"buffered": 400.0}, {}, 0))
    tower.watch()
    (found,) = [one for one in tower.findings() if one.name == "incomplete"]
    assert "500 events and 100 are here" in found.reason and "buffered 400" in found.reason
