"""Which files of a directory are audit logs, and in which order they were written."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from anomaly.errors import SourceUnavailable

_LOG: Final = re.compile(
    r"(?P<stem>.+?)\.(?:log|json|jsonl|ndjson)(?:\.(?P<turn>\d{1,6}))?(?:\.gz|\.zst)?", re.DOTALL
)
_ARCHIVE: Final = re.compile(r"(?P<stem>.+?)\.(?:gz|zst)", re.DOTALL)
# kube-apiserver renames the live file to audit-<UTC time with dashes>.log when it rotates.
_ROTATED: Final = re.compile(r"(?P<stem>.*?)-(?P<time>\d{4}-\d{2}-\d{2}T.*)", re.DOTALL)
_LIVE: Final = 2

Order = tuple[str, int, int, str]


def find_logs(folder: Path) -> list[Path]:
    """This will list the audit logs under a directory, oldest first: rotated ones before the live one they belong to.

    Taken are `*.log`, `*.json`, `*.jsonl`, `*.ndjson`, those rotated by number, and anything ending `.gz` or `.zst` but tar
    archives. Hidden files and directories are skipped; links to directories are not followed. Raises SourceUnavailable when
    the directory cannot be read or holds none.
    """
    found: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        logs = [name for name in names if is_log(name) and os.path.isfile(os.path.join(root, name))]
        found += (Path(root, name) for name in sorted(logs, key=written_order))
    if not found:
        raise SourceUnavailable(
            f"there is no audit log in {folder}",
            hint="files are taken that end in .log, .json, .jsonl, .gz or .zst; name a file itself to read any other",
        )
    return found


def rotated_from(live: Path) -> list[Path]:
    """This will list what was rotated away from a live log, oldest first; a file beside its compressed copy counts once."""
    names = {name for name in os.listdir(live.parent) if is_log(name) and name != live.name}
    stem = written_order(live.name)[0]
    family = [name for name in names if written_order(name)[0] == stem and written_order(name)[1] < _LIVE]
    twice = {f"{name}{packed}" for name in family for packed in (".gz", ".zst")}
    return [live.parent / name for name in sorted(family, key=written_order) if name not in twice]


def is_log(name: str) -> bool:
    """This will say whether a file of this name is read as an audit log."""
    if name.startswith(".") or ".tar." in name:
        return False
    return bool(_LOG.fullmatch(name) or _ARCHIVE.fullmatch(name))


def written_order(name: str) -> Order:
    """This will return a key that sorts the names of a directory: rotated logs before the live one, the oldest first."""
    match = _LOG.fullmatch(name) or _ARCHIVE.fullmatch(name)
    stem = match["stem"] if match else name
    if rotated := _ROTATED.fullmatch(stem):
        return rotated["stem"], 0, 0, rotated["time"]
    turn = match.groupdict().get("turn") if match else None
    # logrotate counts up as a file ages: app.log.2 is older than app.log.1.
    return (stem, 1, -int(turn), name) if turn else (stem, _LIVE, 0, name)


def _unreadable(error: OSError) -> None:
    raise SourceUnavailable(f"{error.filename} cannot be read: {error.strerror}") from error
