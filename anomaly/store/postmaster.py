"""What is known about a running postmaster, and whether it really is ours.

`postmaster.pid` outlives a killed server, its process number may by then be a zombie's or another program's.
So a postmaster counts as alive only if its process is no zombie and its command line carries the cluster's
own name.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The lines of `postmaster.pid` that matter; `status` is "starting", "ready", "stopping" or ""."""

    pid: int
    status: str


def read_postmaster(cluster: Path) -> Postmaster | None:
    """Read `postmaster.pid`. This will return None when there is none or it is not written yet."""
    try:
        lines = (cluster / "postmaster.pid").read_text(errors="replace").splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None
    return Postmaster(abs(pid), lines[7].strip() if len(lines) > 7 else "")


def is_alive(pid: int, marker: str) -> bool:
    """Look at the process itself. This will be true if it lives, no zombie, and has `marker` among its words."""
    _reap(pid)
    state, command = _process(pid)
    return state not in {"", "Z", "X"} and marker in command


def stop_orphans(name: str) -> None:
    """End what a killed postmaster left behind: processes titled `postgres: NAME`. This will only signal, not
    wait.

    They hold the shared memory, so that no new server could start until the last long query among them is
    done.
    """
    for process in _PROC.iterdir() if _PROC.is_dir() else ():
        if not process.name.isdigit():
            continue
        try:
            if (process / "cmdline").read_bytes().startswith(f"postgres: {name}:".encode()):
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


def _reap(pid: int) -> None:
    # Started by this very process, a killed postmaster stays a zombie until someone asks for its status.
    try:
        os.waitpid(pid, os.WNOHANG)
    except (ChildProcessError, OSError):
        return


def _process(pid: int) -> tuple[str, str]:
    if (_PROC / "self" / "stat").exists():
        try:
            # The program's name stands in brackets and may itself hold brackets and blanks.
            state = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
            command = (
                (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
        except (OSError, IndexError):
            return "", ""
        return state, command
    answer = subprocess.run(
        ["ps", "-o", "stat=,command=", "-p", str(pid)],
        check=False,
        capture_output=True,
        text=True,
    )
    state, _, command = answer.stdout.strip().partition(" ")
    return state[:1], command
