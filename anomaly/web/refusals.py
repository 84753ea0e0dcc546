"""Bodies that were answered "come back later", counted by cluster: what is refused must be known, or it is lost in silence.

Only counted here, in memory, since a refusal is most likely when the database is away. Whoever keeps the account takes the
counts with `take` once it can store them, and gives them back when it could not.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refused:
    """Bodies refused and their bytes, as far as these were known. A body that comes again and is refused again counts again."""

    bodies: int = 0
    bytes: int = 0

    def __add__(self, other: Refused) -> Refused:
        return Refused(self.bodies + other.bodies, self.bytes + other.bytes)


class Refusals:
    """Counts by number of the cluster. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._untold: defaultdict[int, Refused] = defaultdict(Refused)
        self._total: defaultdict[int, Refused] = defaultdict(Refused)

    def count(self, cluster_id: int, size: int) -> None:
        """This will count one body of `size` bytes, 0 when that is not known."""
        with self._lock:
            self._untold[cluster_id] += Refused(1, size)
            self._total[cluster_id] += Refused(1, size)

    def take(self) -> dict[int, Refused]:
        """This will return what was counted since the last call, and leave nothing."""
        with self._lock:
            taken = dict(self._untold)
            self._untold.clear()
        return taken

    def give_back(self, taken: Mapping[int, Refused]) -> None:
        """This will count again what was taken and could not be stored."""
        with self._lock:
            for cluster_id, refused in taken.items():
                self._untold[cluster_id] += refused

    def totals(self) -> dict[int, Refused]:
        """This will return everything counted since the process began, for metrics; it only goes up."""
        with self._lock:
            return dict(self._total)
