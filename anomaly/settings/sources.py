"""Settings of the sources that the service reads by itself."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from anomaly.settings.group import Group
from anomaly.settings.units import Duration, Table


class SourceSettings(Group):
    """What `anomaly serve` reads by itself, besides what is sent to it; of several replicas each source is read by one."""

    follow: Table = Field(default_factory=dict)
    """Log files that are followed as they grow and are rotated, by cluster, as `prod = "/var/log/kubernetes/audit.log"`; several of
    one cluster as `prod/a = ...`. A cluster that is not there yet is added.
    """

    folder: Table = Field(default_factory=dict)
    """Folders that are looked through for new and grown files, by cluster, as `prod = "/mnt/exported"`; a mounted bucket is one."""

    follow_every: Annotated[Duration, Field(ge=timedelta(milliseconds=50))] = timedelta(seconds=1)
    """How often it is looked whether a followed log grew or was rotated; a log must not be rotated twice in between."""

    look_every: Annotated[Duration, Field(ge=timedelta(milliseconds=50))] = timedelta(seconds=30)
    """How often a folder is looked through; a look costs one question to the file system for each file."""

    @model_validator(mode="after")
    def _paths_and_clusters_are_told(self) -> Self:
        for kind, table in (("follow", self.follow), ("folder", self.folder)):
            for name, path in table.items():
                if not name.partition("/")[0]:
                    raise ValueError(f"{kind}: {name!r} names no cluster")
                if not os.path.isabs(path):
                    raise ValueError(f"{kind}: the path of {name} must be absolute, not {path!r}")
            if len(set(zip((name.partition("/")[0] for name in table), table.values(), strict=True))) < len(
                table
            ):
                raise ValueError(f"{kind}: one path is named twice for one cluster")
        return self
