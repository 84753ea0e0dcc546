"""Findings beside one another."""

from datetime import timedelta

from anomaly.store.lines import lines_of, related
from tests.anomaly.kept import keep

HOUR = timedelta(hours=1)


def beside(connection, number, **more):
    (line,) = lines_of(connection, [number])
    return {
        way: [one.title for one in found] for way, found in related(connection, line, HOUR, **more).items()
    }


def test_what_belongs_to_a_finding_is_of_its_entity_its_technique_or_its_time(connection):
    one = keep(connection, "itself", at=0, attack=("T1609",))
    keep(connection, "own, later", at=50, attack=())
    keep(connection, "own, at once after", at=10, attack=())
    keep(connection, "alike, long ago", by="ben", at=-900, attack=("T1", "T1609"), severity="low")
    keep(connection, "alike, grave", by="cid", at=-9_000, attack=("T1609",), severity="critical")
    keep(connection, "by another then", by="ben", at=30, attack=("T2",), severity="low")
    keep(connection, "by another then, grave", by="cid", at=60, attack=())
    keep(connection, "elsewhere", cluster="bank", at=0, attack=("T1609",))
    assert beside(connection, one) == {
        "entity": ["own, at once after", "own, later"],
        "technique": ["alike, grave", "alike, long ago"],
        "time": ["by another then, grave", "by another then"],
    }
    assert beside(connection, one, most=1) == {
        "entity": ["own, at once after"],
        "technique": ["alike, grave"],
        "time": ["by another then, grave"],
    }


def test_a_finding_without_a_technique_shares_none(connection):
    one = keep(connection, "itself", attack=())
    keep(connection, "another", by="ben", at=300, attack=())
    assert beside(connection, one) == {"entity": [], "technique": [], "time": []}
