"""Which sources the settings name: `sources.follow` and `sources.folder`, tables by cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from anomaly.settings import SourceSettings

Kind = Literal["follow", "folder"]


@dataclass(frozen=True, slots=True)
class Named:
    """One source of the settings: whose events it holds, and where it lies."""

    cluster: str
    kind: Kind
    path: str

    @property
    def source(self) -> str:
        """What the account of what came in calls it."""
        return f"{self.kind} {self.path}"


def named_in(settings: SourceSettings) -> list[Named]:
    """This will return the sources of the settings. Names are those of clusters, `prod/audit-2` for a second one of `prod`."""
    kinds: tuple[tuple[Kind, dict[str, str]], ...] = (
        ("follow", settings.follow),
        ("folder", settings.folder),
    )
    return [
        Named(name.partition("/")[0], kind, path) for kind, table in kinds for name, path in table.items()
    ]
