"""Whom the embedded server runs as: ourselves, or an unprivileged account when root starts it."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from anomaly.errors import SettingsInvalid


class ProcessOptions(TypedDict, total=False):
    """What `subprocess` needs to start a program as another account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group by number; `foreign` when they are not our own."""

    uid: int
    gid: int
    foreign: bool

    def options(self) -> ProcessOptions:
        """How to start a process as this account. This will be empty for ourselves, who may not change
        groups.
        """
        if not self.foreign:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Hand a file or folder over. This will make the account its owner."""
        if self.foreign:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_account(cluster: Path, run_as: str) -> Account:
    """Choose the account. This will be ourselves; for root the owner of an existing cluster, else the user
    `run_as`.

    Raises SettingsInvalid when that user does not exist or is root.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), foreign=False)
    try:
        owner = cluster.stat()
    except FileNotFoundError:
        owner = None
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, foreign=True)
    try:
        entry = pwd.getpwnam(run_as)
    except KeyError:
        entry = None
    if entry is None or entry.pw_uid == 0:
        raise SettingsInvalid(
            f"database.run_as names {run_as!r}, no ordinary user here, and PostgreSQL refuses to run as root.",
            hint="Set ANOMALY_DATABASE__RUN_AS to an unprivileged user, or start the program as one.",
        )
    return Account(entry.pw_uid, entry.pw_gid, foreign=True)
