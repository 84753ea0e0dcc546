"""Every needle of a load becomes a finding when nothing is in its way: a run that misses one has found a fault."""

import pytest

from anomaly.events.decode import decode_lines
from anomaly.findings.pausing import MOST_AN_HOUR
from anomaly.rules.pack import pack
from anomaly.store.clusters import ensure_cluster
from anomaly.store.findings import Wanted, list_findings
from anomaly.store.pauses import list_pauses
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START
from benchmarks.load_needles import rule_hit

NEEDLES = 5 * MOST_AN_HOUR
"""More than the longest run plants within an hour: one a second for some three minutes."""


@pytest.fixture
def writer(database):
    writer = Writer(database.dedicated, pack(), 60_000_000)
    yield writer
    writer.close()


def test_each_needle_is_a_finding_of_its_person_and_no_rule_is_paused_for_them(database, writer):
    with database.begin() as connection:
        cluster = ensure_cluster(connection, "bench")
    people = [f"rule-{number}@example.com" for number in range(NEEDLES)]
    raws = [rule_hit(number, who, START.timestamp() + number) for number, who in enumerate(people)]
    writer.write([Arrival(cluster, "webhook", decode_lines(b"\n".join(raws)))])

    with database.read() as connection:
        found = list_findings(connection, Wanted(limit=10 * NEEDLES))
        paused = list_pauses(connection)
    assert not paused
    assert {one.entity for one in found if one.kind == "rule"} == set(people)
