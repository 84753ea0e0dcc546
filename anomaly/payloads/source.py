"""A source that the service reads by itself, as data."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, cast

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.store.sources import Source


class SourcePayload(TypedDict):
    """One source. `stopped`: nobody reads it now. `behind` is in bytes on disk; counts are of all times; `reader` is host:pid."""

    cluster: str
    kind: Literal["follow", "folder"]
    path: str
    state: Literal["reading", "waiting", "failed", "stopped"]
    says: str
    reader: str
    file: str
    behind: int
    files: int
    failed_files: int
    kept: int
    duplicates: int
    quarantined: int
    read_at: datetime | None
    looked_at: datetime


class SourcesPayload(TypedDict):
    """The sources of a cluster."""

    items: list[SourcePayload]


def source_payload(one: Source) -> SourcePayload:
    """This will return one source as data."""
    return {
        "cluster": one.cluster,
        "kind": cast("Literal['follow', 'folder']", one.kind),
        "path": one.path,
        "state": cast("Literal['reading', 'waiting', 'failed', 'stopped']", one.state),
        "says": one.says,
        "reader": one.reader,
        "file": one.file,
        "behind": one.behind,
        "files": one.files,
        "failed_files": one.failed_files,
        "kept": one.kept,
        "duplicates": one.duplicates,
        "quarantined": one.quarantined,
        "read_at": one.read_at,
        "looked_at": one.looked_at,
    }
