"""Bytes come in and are kept: checkpoints, what cannot be stored, what is tried again."""

from contextlib import closing, contextmanager

import pytest

from anomaly.door import Door
from anomaly.errors import NotFound, SourceUnavailable
from anomaly.events.decode import Reject, decode_lines
from anomaly.pipeline import Reading, crew_for, keep, name_of, retry_quarantined, take_in
from anomaly.rules import RuleSet
from anomaly.settings import WindowSettings
from anomaly.sources.files import open_source
from anomaly.store.checkpoints import load_checkpoint
from anomaly.store.clusters import ensure_cluster
from anomaly.store.quarantine import keep_rejects, list_quarantine
from anomaly.store.writer import Arrival, Receipt, Writer
from anomaly.testing import raw_event
from anomaly.workers import Crew
from tests.anomaly.store.state import HOUR_US, recorded

NO_RULES = RuleSet()
SPAN = WindowSettings().span


@pytest.fixture
def cluster(database):
    with database.begin() as connection:
        return ensure_cluster(connection, "prod")


@pytest.fixture
def writer(database):
    with closing(Writer(database.dedicated, NO_RULES, HOUR_US)) as writer:
        yield writer


class Poisoned(Writer):
    """A writer that fails on some events for a reason nobody thought of."""

    def write(self, arrivals, also=None):
        self.tries = getattr(self, "tries", 0) + 1
        if any(b"poison" in raw for arrival in arrivals for raw in arrival.decoded.raws):
            raise ZeroDivisionError("surprise\nand more")
        return super().write(arrivals, also)


def test_every_shape_of_input_is_taken_in(writer, cluster):
    native = raw_event(at=0)
    listed = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[%s,%s]}' % (
        raw_event(at=1),
        raw_event(at=2),
    )
    receipt = take_in(writer, Door(), cluster, "t", b"\n".join([native, b"", listed, b"{]"]))
    assert (receipt.kept, receipt.quarantined) == (3, 1)
    assert take_in(writer, Door(), cluster, "t", b"") == Receipt()
    assert take_in(writer, Door(), cluster, "t", native).duplicates == 1


def test_more_than_a_transaction_may_hold_is_split(writer, cluster, database):
    lines = b"\n".join(b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","auditID":"%d","timestamp":"2026-03-02T09:00:00Z"}' % number for number in range(45_000))  # fmt: skip
    assert take_in(writer, Door(), cluster, "t", lines).kept == 45_000
    with database.dedicated() as connection:
        found = connection.execute(
            "SELECT count(*), count(DISTINCT (chunk_id, ordinal)), max(ordinal) FROM anomaly.event"
        )
        assert found.fetchone() == (45_000, 45_000, 19_999)


def test_what_cannot_be_stored_is_set_apart_and_its_neighbours_are_kept(database, cluster):
    raws = [raw_event(at=number, name="poison" if number in {3, 77} else "fine") for number in range(100)]
    with closing(Poisoned(database.dedicated, NO_RULES, HOUR_US)) as writer:
        receipt = keep(writer, Arrival(cluster, "audit.log", decode_lines(b"\n".join([*raws, b"{]"]))))
        assert (receipt.kept, receipt.quarantined) == (98, 3)
        assert writer.tries < 40
    with database.dedicated() as connection:
        reasons = sorted(one.reason for one in list_quarantine(connection))
    assert reasons[1:] == ["storing failed: ZeroDivisionError: surprise"] * 2


def test_a_server_that_is_away_sets_nothing_apart(database, cluster, writer):
    take_in(writer, Door(), cluster, "t", raw_event())
    with database.dedicated(autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(Exception, match=r"terminating connection|closed"):
            take_in(writer, Door(), cluster, "t", b"\n".join(raw_event(at=at) for at in range(9)))
        assert list_quarantine(admin) == []


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "audit.log"
    path.write_bytes(b"\n".join(recorded(6_000)) + b"\n")
    return path


def read(database, cluster, path, stop_after=None):
    with (
        open_source(path) as file,
        crew_for(database.dedicated, NO_RULES, HOUR_US, cluster, name_of(path), 0) as crew,
        database.dedicated() as connection,
    ):
        reading = Reading(cluster, file, connection)
        with closing(reading.run(crew)) as steps:
            for number, _ in enumerate(steps, 1):
                if number == stop_after:
                    break
        assert connection.info.transaction_status.name == "IDLE"
        return reading.total, load_checkpoint(connection, cluster, file.fingerprint.content)


def test_a_reading_that_is_stopped_keeps_what_is_done_and_goes_on_from_there(database, cluster, log):
    first, reached = read(database, cluster, log, stop_after=1)
    assert 0 < first.kept < 6_000
    assert 0 < reached.position < log.stat().st_size and not reached.finished
    second, finished = read(database, cluster, log)
    assert (first + second).kept == 6_000 and second.duplicates == 0
    assert finished.position == log.stat().st_size and finished.finished
    assert read(database, cluster, log)[0] == Receipt()


def test_a_block_that_failed_is_not_passed_over(database, cluster, log):
    """Blocks are done out of order; the checkpoint stays before the first that is not durable."""
    blocks = []

    @contextmanager
    def start():
        with closing(Writer(database.dedicated, NO_RULES, HOUR_US)) as writer:

            def work(block):
                blocks.append(block)
                if len(blocks) == 2:
                    raise SourceUnavailable("the second block fails")
                return take_in(writer, Door(), cluster, "t", block)

            yield work

    with open_source(log) as file, Crew(start, 0) as crew, database.dedicated() as connection:
        reading = Reading(cluster, file, connection)
        with pytest.raises(SourceUnavailable):
            list(reading.run(crew))
        assert load_checkpoint(connection, cluster, file.fingerprint.content).position == len(blocks[0])
        assert reading.total.kept == blocks[0].count(b"\n")
    rest, _ = read(database, cluster, log)
    assert reading.total.kept + rest.kept == 6_000 and rest.duplicates == 0


def test_another_log_of_the_same_first_line_is_read_whole(database, cluster, tmp_path):
    """Printed lists all begin with a brace: the first line alone cannot tell them apart."""
    receipts = []
    for turn in range(2):
        path = tmp_path / f"list-{turn}.json"
        items = b",\n".join(raw_event(at=turn * 1_000 + number) for number in range(50 + 30 * turn))
        path.write_bytes(
            b'{\n"kind":"EventList",\n"apiVersion":"audit.k8s.io/v1",\n"items":[\n%s\n]}\n' % items
        )
        receipts.append(read(database, cluster, path)[0].kept)
    assert receipts == [50, 80]


def test_what_was_put_aside_is_tried_again_whole_or_not_at_all(database, cluster):
    inputs = [raw_event(at=1), raw_event(at=2).replace(b"2026", b"2999"), b"{]"]
    with database.dedicated() as connection:
        with connection.cursor() as cursor:
            keep_rejects(cursor, cluster, "t", [Reject(raw, "once") for raw in inputs])
        connection.commit()
        numbers = {one.size: one.id for one in list_quarantine(connection)}
        connection.commit()

        def retry(raw):
            return retry_quarantined(database.dedicated, NO_RULES, SPAN, numbers[len(raw)])

        assert (retry(inputs[2]), retry(inputs[2])) == (Receipt(quarantined=1),) * 2
        left = {one.times for one in list_quarantine(connection)}
        assert left == {1}, "trying again is not coming again"
        connection.commit()
    with pytest.raises(NotFound):
        retry_quarantined(database.dedicated, NO_RULES, SPAN, 10**9)


def test_a_source_has_a_name(tmp_path):
    assert name_of(tmp_path / "audit.log") == "audit.log"
    assert name_of(None) == "stdin"
