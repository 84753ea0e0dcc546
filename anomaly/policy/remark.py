"""What the linters say: one remark for one trap, with where it is, what it really does, and what to write instead."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad: the file is refused or does something else than it says; it loses or leaks something; good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to know about a file. `id` is the trap's name, stable over releases; `path` is like `rules[0].users[0]`."""

    id: str
    severity: Severity
    line: int
    says: str
    effect: str
    remedy: str
    path: str = ""

    def as_json(self, file: str) -> dict[str, object]:
        """This will return the remark with the file it is about."""
        return {"file": file, **asdict(self), "severity": str(self.severity)}


def in_order(remarks: list[Remark]) -> list[Remark]:
    """This will return the remarks once each, by line, the worst of a line first."""
    ranks = list(Severity)
    unique = list(dict.fromkeys(remarks))
    return sorted(unique, key=lambda remark: (remark.line, ranks.index(remark.severity), remark.id))


def worst(remarks: list[Remark]) -> Severity | None:
    """This will return the severest severity there is, None for a clean file."""
    return next((severity for severity in Severity if any(r.severity is severity for r in remarks)), None)
