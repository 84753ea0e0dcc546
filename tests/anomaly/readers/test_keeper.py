"""A running service reads the logs and folders that the settings name: nothing is lost or doubled, whatever is killed or rotated."""

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import psycopg
import pytest

from anomaly.doctor import examine
from anomaly.readers.holding import held
from anomaly.readers.keeper import Tools, read_source
from anomaly.readers.named import Named
from anomaly.redaction import Redactor
from anomaly.rules import pack
from anomaly.settings import Settings, SourceSettings
from anomaly.store.clusters import add_cluster
from anomaly.store.sources import list_sources
from anomaly.testing import raw_event
from anomaly.web.clock import clock
from tests.anomaly.web.people import a_token
from tests.anomaly.web.running import Sender, Service
from tests.conftest import url_of

QUICK = {"ANOMALY_SOURCES__FOLLOW_EVERY": "50ms", "ANOMALY_SOURCES__LOOK_EVERY": "100ms"}


def lines(begin, end):
    return b"".join(
        raw_event("pods", name=f"web-{n}", by=f"user-{n % 7}", at=n) + b"\n" for n in range(begin, end)
    )


def append(path, data):
    with open(path, "ab") as file:
        file.write(data)


def sources(database):
    with psycopg.connect(url_of(database)) as connection:
        return list_sources(connection)


def until(what, seconds=60):
    """Wait for something to become true; returns it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.05)
    return found


def read(database, kept):
    """The one source, once it has kept so many."""
    return until(lambda: next((one for one in sources(database) if one.kept >= kept), None))


def test_a_log_is_read_once_through_kills_rotations_and_truncation(database, tmp_path):
    log = tmp_path / "audit.log"
    append(log, lines(0, 50))
    with Service(url_of(database), tmp_path, ANOMALY_SOURCES__FOLLOW=f"shop={log}", **QUICK) as service:
        shop = Sender(database, service, "shop-too")
        read(database, 50)
        service.kill()
        # While nobody reads: one file is rotated and packed, another rotated, and the live one is written on.
        append(log, lines(50, 80))
        log.rename(tmp_path / "audit-2026-11-23T10-00-00.000.log")
        packed = tmp_path / "audit-2026-11-23T10-00-00.000.log"
        (tmp_path / f"{packed.name}.gz").write_bytes(gzip.compress(packed.read_bytes()))
        packed.unlink()
        append(tmp_path / "audit-2026-11-23T11-00-00.000.log", lines(80, 100))
        append(log, lines(100, 110))
        service.start()
        read(database, 110)
        # kube-apiserver's way: renamed and made again; logrotate's: cut to nothing.
        append(log, lines(110, 120))
        log.rename(tmp_path / "audit-2026-11-23T12-00-00.000.log")
        append(log, lines(120, 130))
        read(database, 130)
        with open(log, "r+b") as file:
            file.truncate(0)
        append(log, lines(130, 133))
        read(database, 133)
        for begin in range(133, 1_133, 200):
            append(log, lines(begin, begin + 200))
            service.kill()
            service.start()
        (one,) = [read(database, 1_133)]
        assert (one.kept, one.duplicates, one.quarantined, one.state) == (1_133, 0, 0, "reading")
        assert (one.cluster, one.kind, one.path) == ("shop", "follow", str(log))
        assert one.reader.endswith(f":{service.process.pid}") and one.behind == 0
        shop.id = 0
        with database.connection() as connection:
            (shop.id,) = connection.execute("SELECT id FROM anomaly.cluster WHERE name = 'shop'").fetchone()
        assert shop.kept() == 1_133 and shop.windows_agree()
        assert service.terminate()[0] == 0
    assert sources(database)[0].state == "stopped"


def test_of_two_replicas_one_reads_and_the_other_takes_over(database, tmp_path):
    log, folder = tmp_path / "audit.log", tmp_path / "exports"
    folder.mkdir()
    append(log, lines(0, 10))
    given = {"ANOMALY_SOURCES__FOLLOW": f"shop={log}", "ANOMALY_SOURCES__FOLDER": f"shop={folder}", **QUICK}
    homes = [tmp_path / "a", tmp_path / "b"]
    for home in homes:
        home.mkdir()
    with (
        Service(url_of(database), homes[0], **given) as first,
        Service(url_of(database), homes[1], **given) as second,
    ):
        services = {str(one.process.pid): one for one in (first, second)}
        until(lambda: [one.state for one in sources(database)] == ["reading", "reading"])
        one = read(database, 10)
        reader = services[one.reader.rpartition(":")[2]]
        other = second if reader is first else first
        append(log, lines(10, 20))
        (folder / "late.log").write_bytes(lines(1_000, 1_010))
        reader.kill()
        append(log, lines(20, 30))
        until(
            lambda: all(
                one.reader.endswith(f":{other.process.pid}") and one.state == "reading"
                for one in sources(database)
            )
        )
        until(lambda: [(one.kept, one.duplicates) for one in sources(database)] == [(10, 0), (30, 0)])


def test_a_reader_that_loses_its_connection_gives_way_and_comes_back(database, tmp_path):
    log = tmp_path / "audit.log"
    append(log, lines(0, 10))
    with Service(url_of(database), tmp_path, ANOMALY_SOURCES__FOLLOW=f"shop={log}", **QUICK) as service:
        read(database, 10)
        for begin in (10, 20):
            with psycopg.connect(url_of(database), autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
            append(log, lines(begin, begin + 10))
            assert read(database, begin + 10).duplicates == 0
        assert service.said("a source will be tried again")


def test_a_folder_is_read_once_also_what_grows_late_is_replaced_or_renamed(database, tmp_path):
    folder = tmp_path / "exports"
    (folder / "2026" / "11").mkdir(parents=True)
    (folder / "2026" / "11" / "day-23.json.gz").write_bytes(gzip.compress(lines(0, 20)))
    grows = folder / "PT1H.json"
    append(grows, lines(20, 30))
    (folder / "_SUCCESS").write_bytes(b"x")
    (folder / ".hidden.log").write_bytes(b"x")
    (folder / "firehose-1-2026-11-23-10-00-00-0b1c").write_bytes(lines(30, 40))
    with Service(url_of(database), tmp_path, ANOMALY_SOURCES__FOLDER=f"shop={folder}", **QUICK) as service:
        assert read(database, 40).files == 3
        append(grows, lines(40, 45)[:-10])
        until(lambda: sources(database)[0].kept >= 44)
        service.kill()
        append(grows, lines(40, 45)[-10:] + lines(45, 50))
        (folder / "firehose-1-2026-11-23-10-00-00-0b1c").rename(folder / "moved.log")
        (folder / "2026" / "11" / "day-23.json.gz").write_bytes(gzip.compress(lines(50, 70)))
        (folder / "copy.log").write_bytes(lines(30, 40))
        service.start()
        one = read(database, 70)
        until(lambda: sources(database)[0].behind == 0 and sources(database)[0].files >= 7)
        one = sources(database)[0]
        # The broken last line came as a reject before it was whole.
        assert (one.kept, one.duplicates, one.quarantined, one.failed_files) == (70, 0, 1, 0)
        whole = gzip.compress(lines(70, 170))
        (folder / "cut.log.gz").write_bytes(whole[:-200])
        until(lambda: sources(database)[0].failed_files == 1)
        (folder / "cut.log.gz").write_bytes(whole)
        until(lambda: sources(database)[0].kept == 170 and not sources(database)[0].failed_files)
        files = sources(database)[0].files
        service.kill()
        service.start()
        append(folder / "last.log", lines(170, 171))
        assert read(database, 171).files == files + 1
        with database.connection() as connection:
            assert connection.execute("SELECT count(*) FROM anomaly.event").fetchone() == (171,)


def test_what_cannot_be_read_is_said_everywhere_and_read_once_it_can(database, tmp_path):
    log, folder = tmp_path / "later" / "audit.log", tmp_path / "none"
    given = {"ANOMALY_SOURCES__FOLLOW": f"shop={log}", "ANOMALY_SOURCES__FOLDER": f"shop={folder}", **QUICK}
    settings = SourceSettings(
        follow={"shop": str(log), "shop/b": "/nowhere/audit.log"}, folder={"shop": str(folder)}
    )
    with Service(url_of(database), tmp_path, **given) as service:
        until(lambda: {one.state for one in sources(database)} == {"waiting", "failed"})
        with database.connection() as connection:
            (shop,) = connection.execute("SELECT id FROM anomaly.cluster WHERE name = 'shop'").fetchone()
        token = a_token(database, "read", clusters=[shop])
        status, said, _ = service.ask("GET", "/v1/clusters/shop/sources", headers={"Authorization": token})
        assert status == 200
        assert [(one["kind"], one["state"]) for one in said["items"]] == [
            ("folder", "failed"),
            ("follow", "waiting"),
        ]
        assert "No such file" in said["items"][0]["says"] and "is not there" in said["items"][1]["says"]
        (patient,) = examine(database, Settings(sources=settings), [], clock()).clusters
        graded = {
            check.name: check.grade.value for check in patient.checks if check.name.startswith("source")
        }
        assert graded == {
            f"source {folder}": "broken",
            f"source {log}": "warning",
            "source /nowhere/audit.log": "warning",
        }
        log.parent.mkdir()
        append(log, lines(0, 3))
        folder.mkdir()
        append(folder / "a.log", lines(3, 5))
        until(lambda: sorted(one.kept for one in sources(database)) == [2, 3])
        (patient,) = examine(
            database,
            Settings(sources=SourceSettings(follow={"shop": str(log)})),
            [],
            clock() + timedelta(seconds=1),
        ).clusters
        assert {check.grade.value for check in patient.checks if check.name.startswith("source")} == {"well"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_command_follows_a_log_and_goes_on_where_it_stopped(database, tmp_path, how):
    log = tmp_path / "audit.log"
    append(log, lines(0, 10))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANOMALY_")}
    environment |= {
        "ANOMALY_DATABASE__URL": url_of(database),
        "ANOMALY_DATA_DIR": str(tmp_path),
        "HOME": str(tmp_path),
    }
    command = [
        sys.executable,
        "-P",
        "-m",
        "anomaly",
        "ingest",
        "--follow",
        "--cluster",
        "shop",
        "--output",
        "json",
        str(log),
    ]
    for begin in (0, 10):
        with subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            append(log, lines(begin + 10, begin + 20))
            one = read(database, begin + 20)
            assert one.kept == begin + 20 and one.duplicates == 0
            if begin:
                refused = subprocess.run(
                    command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
                )
                assert refused.returncode != 0 and "is read by another process" in refused.stderr
            process.send_signal(how)
            said, _ = process.communicate(timeout=30)
        if how == signal.SIGINT:
            assert process.returncode == 0 and json.loads(said)["events kept"] == (20 if not begin else 10)


def test_settings_that_cannot_be_meant_are_refused():
    for given, words in (
        ({"follow": {"shop": "audit.log"}}, "must be absolute"),
        ({"folder": {"/x": "/a"}}, "names no cluster"),
        ({"follow": {"shop": "/a", "shop/b": "/a"}}, "named twice"),
    ):
        with pytest.raises(ValueError, match=words):
            SourceSettings(**given)


def test_asking_for_a_source_that_another_reads_costs_no_numbers(database, tmp_path):
    one = Named("shop", "follow", str(tmp_path / "audit.log"))
    tools = Tools(database, pack(), 3_600_000_000, Redactor(), lambda: 0)
    with database.begin() as connection:
        shop = add_cluster(connection, "shop")
    with held(database.dedicated, shop, one.kind, one.path, "other:1") as ours:
        assert ours is not None
        for _ in range(5):
            assert not read_source(one, SourceSettings(), tools, threading.Event())
    with database.begin() as connection:
        assert add_cluster(connection, "bank") == shop + 1
    (source,) = sources(database)
    assert (source.id, source.state, source.reader) == (1, "stopped", "other:1")
