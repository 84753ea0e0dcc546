"""Making the embedded server's files: the cluster itself, its configuration, its password, its socket's short
path.

Below the data directory stand `postgresql/cluster` (PostgreSQL's own), `postgresql/run` (the socket),
`password`, `lock` and `start.log`. On Linux the server is told its directory as `/proc/self/cwd`: it then
needs no right to walk down to it, so that a cluster below /root (0700) can be used by an unprivileged
account, and no path can be too long.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from anomaly.errors import DatabaseUnavailable
from anomaly.store.account import Account, server_account
from anomaly.store.binaries import Binaries

SUPERUSER = "postgres"
ROLE = "anomaly"
DATABASE = "anomaly"
SOCKET = ".s.PGSQL.5432"
# sockaddr_un holds 108 bytes on Linux and 104 elsewhere, the closing NUL included.
_LONGEST_SOCKET = 103
_SHORT = 50


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything of one embedded server is."""

    folder: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.folder / "cluster"

    @property
    def run(self) -> Path:
        """The folder of the socket."""
        return self.folder / "run"

    @property
    def password(self) -> Path:
        """The secret of both roles, readable by the owner only."""
        return self.folder / "password"

    @property
    def lock(self) -> Path:
        """Held by whoever makes, starts or stops the server, while doing so."""
        return self.folder / "lock"

    @property
    def made(self) -> Path:
        """There once role and database are made too, so that no second process uses a half-made server."""
        return self.folder / "made"

    @property
    def life(self) -> Path:
        """Held by every process of the server as long as it lives, whatever its number and container."""
        return self.folder / "life"

    @property
    def log(self) -> Path:
        """What the server said until its own log files took over."""
        return self.folder / "start.log"

    @property
    def name(self) -> str:
        """The cluster's name, seen in process titles. This will differ for every folder."""
        return "anomaly-" + hashlib.sha256(os.fsencode(self.folder.resolve())).hexdigest()[:16]


def server_path(cluster: Path) -> str:
    """How a server that runs *in* its cluster is told where that is. This will be short and need no further
    rights.
    """
    return "/proc/self/cwd" if Path("/proc/self/cwd").exists() else str(cluster)


def server_environment() -> dict[str, str]:
    """A clean environment for PostgreSQL's programs. This will hold no PG*, no locale and none of our
    secrets.
    """
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def make_cluster(layout: Layout, binaries: Binaries, account: Account, *, sync: bool = True) -> None:
    """Run initdb. This will leave either a whole cluster or none; raises DatabaseUnavailable with initdb's
    own words.
    """
    shutil.rmtree(layout.folder / "new", ignore_errors=True)
    layout.made.unlink(missing_ok=True)
    new, secret = layout.folder / "new", layout.folder / "initial-password"
    try:
        password = _password(layout)
        new.mkdir(mode=0o700)
        secret.unlink(missing_ok=True)
        _write(secret, password)
        account.take(new)
        account.take(secret)
        done = subprocess.run(
            [
                binaries.program("initdb"),
                "-D",
                server_path(new),
                *_initdb_options(binaries, account, sync),
            ],
            check=False,
            cwd=new,
            env=server_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            umask=0o077,
            **account.options(),
        )
        if done.returncode != 0:
            said = [
                line
                for line in done.stdout.splitlines()
                if "error" in line.lower() or "fatal" in line.lower()
            ]
            raise DatabaseUnavailable(
                f"A database could not be made in {layout.folder}: "
                + (" ".join(said[-2:]) or done.stdout.strip()[-300:]),
                hint="Check that folder's free space and rights, or set ANOMALY_DATA_DIR to another.",
            )
        new.rename(layout.cluster)
    finally:
        secret.unlink(missing_ok=True)
        shutil.rmtree(new, ignore_errors=True)


def adopt_cluster(layout: Layout, cluster: Path, password: str, run_as: str) -> None:
    """Copy a base backup to the place of the cluster. This will leave either a whole one or none; raises OSError."""
    new = layout.folder / "new"
    shutil.rmtree(new, ignore_errors=True)
    try:
        shutil.copytree(cluster, new, symlinks=True)
        account = server_account(layout.cluster, run_as)
        for path in (new, *new.rglob("*")):
            account.take(path)
        new.chmod(0o700)
        layout.password.unlink(missing_ok=True)
        _write(layout.password, password)
        new.rename(layout.cluster)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _initdb_options(binaries: Binaries, account: Account, sync: bool) -> list[str]:
    # C.UTF-8 orders by code point: quick, and the same on every system, so that no index breaks after an
    # upgrade of libc.
    major = int(binaries.version(account).split(".")[0])
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return [
        f"--username={SUPERUSER}",
        "--pwfile=../initial-password",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--data-checksums",
        *([] if sync else ["--no-sync"]),
        *(locale if major >= 17 else ["--locale=C.UTF-8"]),
    ]


def configure(layout: Layout, parameters: Mapping[str, str], account: Account) -> None:
    """Write the server's configuration. This will be done before each start, so that new releases tune old
    clusters.
    """
    lines = ["# Written at every start; set database.parameters to change something."]
    for name, value in parameters.items():
        quoted = value.replace("\\", "\\\\").replace("'", "''")
        lines.append(f"{name} = '{quoted}'")
    _replace(layout.cluster / "anomaly.conf", "\n".join(lines) + "\n", account)
    _replace(
        layout.cluster / "pg_hba.conf",
        "local all all scram-sha-256\nlocal replication all scram-sha-256\n",
        account,
    )
    main = layout.cluster / "postgresql.conf"
    include = "include_if_exists = 'anomaly.conf'"
    if include not in main.read_text():
        _replace(main, f"{main.read_text()}\n{include}\n", account)


def read_password(layout: Layout) -> str:
    """Read the secret. This will raise DatabaseUnavailable if the file is gone: nothing else knows it."""
    try:
        return layout.password.read_text().strip()
    except OSError as gone:
        raise DatabaseUnavailable(
            f"The password of the embedded database cannot be read from {layout.password}.",
            hint="Restore that file from a backup, or run as the user who made the database.",
        ) from gone


def socket_folder(layout: Layout) -> Path:
    """A path to the socket's folder that is short enough. This will make a link in a private folder if need be.

    Raises DatabaseUnavailable when the place for such links belongs to someone else.
    """
    if len(os.fsencode(layout.run / SOCKET)) <= _LONGEST_SOCKET:
        return layout.run
    links = _links(layout)
    for link in links:
        try:
            link.parent.mkdir(mode=0o700, exist_ok=True)
            found = link.parent.lstat()
            # /tmp is everybody's: whoever made the folder first could lead our password to a socket of theirs.
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077:
                return _link(link, layout.run)
        except OSError:
            continue
    raise DatabaseUnavailable(
        f"The data directory's path is too long for a socket, and {links[-1].parent} is not ours.",
        hint="Set ANOMALY_DATA_DIR to a shorter path.",
    )


def forget_socket(layout: Layout) -> None:
    """Remove the short way to the socket, if there is one. This will be done once the server has stopped."""
    for link in _links(layout):
        try:
            link.unlink(missing_ok=True)
            link.parent.rmdir()
        except OSError:
            continue


def _links(layout: Layout) -> list[Path]:
    runtime, scratch = os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir()
    short = scratch if len(scratch) < _SHORT else "/tmp"  # noqa: S108 -- whose it is is checked before use
    places = [Path(short) / f"anomaly-{os.geteuid()}"]
    if os.path.isabs(runtime) and len(runtime) < _SHORT:
        places.insert(0, Path(runtime) / "anomaly")
    return [place / layout.name.removeprefix("anomaly-") for place in places]


def _link(link: Path, target: Path) -> Path:
    target = target.resolve()
    if not (link.is_symlink() and Path(os.readlink(link)) == target):
        scratch = link.with_name(f"{link.name}.{os.getpid()}.{secrets.token_hex(4)}")
        scratch.symlink_to(target)
        scratch.replace(link)
    return link


def _password(layout: Layout) -> str:
    if not layout.password.exists():
        _write(layout.password, secrets.token_urlsafe(32))
    return read_password(layout)


def _write(path: Path, text: str) -> None:
    with open(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
        "w",
        encoding="utf-8",
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, text: str, account: Account) -> None:
    scratch = path.with_name(f"{path.name}.new")
    scratch.unlink(missing_ok=True)
    _write(scratch, text)
    account.take(scratch)
    scratch.replace(path)
