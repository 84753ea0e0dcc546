"""Copies of the database come back as they were, and never over something that is there."""

import shutil

import pytest
import sqlalchemy

from anomaly.errors import NotFound, UsageError
from anomaly.settings import DatabaseSettings
from anomaly.store.backup import BackupFailed, base_backup, dump, restore, restore_base
from anomaly.store.clusters import add_cluster
from anomaly.store.database import open_database
from anomaly.store.embedded import Embedded
from anomaly.testing import raw_event
from tests.anomaly import town
from tests.anomaly.store.state import state_of


def quiet(_):
    return None


@pytest.fixture
def filled(database):
    """A database with events, windows and firsts."""
    town.keep(database, [raw_event("pods", "get", by="bob", at=place) for place in range(5)])
    return database


def test_a_dump_restored_elsewhere_holds_the_same(filled, postgres, tmp_path):
    file = tmp_path / "night.dump"
    assert dump(filled, file, quiet) == file.stat().st_size > 1_000
    assert file.stat().st_mode & 0o077 == 0
    with postgres.empty() as other:
        revision = restore(other, file, quiet)
        assert revision == filled.revision()
        assert state_of(other) == state_of(filled)
    assert [path.name for path in tmp_path.iterdir()] == ["night.dump"]


def test_a_dump_overwrites_no_file_and_is_restored_over_no_data(filled, tmp_path):
    file = tmp_path / "night.dump"
    dump(filled, file, quiet)
    with pytest.raises(UsageError, match="exists already"):
        dump(filled, file, quiet)
    with pytest.raises(UsageError, match="holds data already"):
        restore(filled, file, quiet)
    with pytest.raises(NotFound, match="no folder"):
        dump(filled, tmp_path / "nowhere" / "night.dump", quiet)


def test_what_is_no_dump_leaves_an_empty_database_empty(postgres, filled, tmp_path):
    file = tmp_path / "night.dump"
    dump(filled, file, quiet)
    whole = file.read_bytes()
    with postgres.empty() as other:
        for spoilt in (b"", b"not a dump", whole[: len(whole) // 2]):
            file.write_bytes(spoilt)
            with pytest.raises(BackupFailed, match="pg_restore"):
                restore(other, file, quiet)
            assert other.revision() is None


def with_log(settings, folder):
    parameters = {"fsync": "off", "wal_level": "replica", "max_wal_senders": "2"}
    return settings.model_copy(
        update={"data_dir": folder, "database": DatabaseSettings(parameters=parameters)}
    )


def test_a_base_backup_of_the_running_server_comes_back_as_it_was(settings, tmp_path):
    first, second = with_log(settings, tmp_path / "first"), with_log(settings, tmp_path / "second")
    copy = tmp_path / "copy"
    with open_database(first) as database:
        town.keep(database, [raw_event("pods", "get", by="bob", at=place) for place in range(5)])
        before = state_of(database)
        assert base_backup(Embedded(first), copy, quiet) > 1_000_000
        with database.begin() as connection:
            add_cluster(connection, "after-the-copy")
        with pytest.raises(UsageError, match="exists already"):
            base_backup(Embedded(first), copy, quiet)
    Embedded(first).stop()
    try:
        restore_base(Embedded(second), copy, quiet)
        with open_database(second) as database:
            assert state_of(database) == before
            with database.begin() as connection:
                names = connection.execute(sqlalchemy.text("SELECT name FROM anomaly.cluster")).scalars()
                assert "after-the-copy" not in set(names)
        with pytest.raises(UsageError, match="already"):
            restore_base(Embedded(second), copy, quiet)
    finally:
        Embedded(second).stop()


def test_a_base_backup_that_was_changed_is_refused(settings, tmp_path):
    first, second = with_log(settings, tmp_path / "first"), with_log(settings, tmp_path / "second")
    copy = tmp_path / "copy"
    with open_database(first):
        base_backup(Embedded(first), copy, quiet)
    Embedded(first).stop()
    victim = copy / "cluster" / "global" / "pg_control"
    spoilt = bytearray(victim.read_bytes())
    spoilt[100] ^= 1
    victim.write_bytes(spoilt)
    with pytest.raises(BackupFailed, match="pg_verifybackup"):
        restore_base(Embedded(second), copy, quiet)
    shutil.rmtree(copy)
    with pytest.raises(NotFound, match="no base backup"):
        restore_base(Embedded(second), copy, quiet)
    assert Embedded(second).status().state == "absent"


def test_an_embedded_server_with_little_log_says_what_to_set(settings, tmp_path):
    with open_database(settings), pytest.raises(UsageError, match="too little log") as refused:
        base_backup(Embedded(settings), tmp_path / "copy", quiet)
    Embedded(settings).stop()
    assert "wal_level" in refused.value.hint
    assert not (tmp_path / "copy").exists()
