"""What a trap looks at, and how traps register: one function a trap, found because its file is in `traps/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from anomaly.policy.document import Level, Policy, Rule
from anomaly.policy.match import Decision, Matcher, stages_of
from anomaly.policy.parse import Reading
from anomaly.policy.remark import Remark, Severity
from anomaly.policy.request import Request


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a linter may be told beyond the file. `sink` is the username of the audit sink's own identity in the cluster."""

    sink: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One policy under inspection. `policy` is what the file says; `matcher` asks it and is only there when it is in force."""

    reading: Reading
    policy: Policy
    surroundings: Surroundings = Surroundings()
    _matcher: list[Matcher] = field(default_factory=list)

    @property
    def matcher(self) -> Matcher:
        if not self._matcher:
            self._matcher.append(Matcher(self.policy))
        return self._matcher[0]

    @property
    def rules(self) -> Iterator[tuple[int, Rule]]:
        return enumerate(self.policy.rules)

    def decide(self, request: Request) -> Decision:
        return self.matcher.decide(request)

    def level(self, request: Request) -> Level:
        """The level at which anything of the request is written, None when every stage of it is left out."""
        decision = self.decide(request)
        return decision.level if decision.stages(stages_of(request)) else Level.NONE

    def line(self, path: str) -> int:
        return self.reading.line_of(path)

    def given(self, path: str) -> bool:
        """Whether the file has the field at all, be it null or empty."""
        return path in (self.reading.lines or {})

    def remark(
        self,
        id: str,
        severity: Severity,
        path: str,
        says: str,
        effect: str,
        remedy: str,
        line: int | None = None,
    ) -> Remark:
        at = self.line(path) if line is None else line
        return Remark(id, severity, at, says, effect, remedy, path)


Trap = Callable[[Look], Iterator[Remark]]

OF_THE_TEXT: list[Trap] = []
"""Traps seen in what the file says, even when a check refuses it."""
OF_THE_VERDICTS: list[Trap] = []
"""Traps seen in what the policy in force answers to synthetic requests."""


def in_text(trap: Trap) -> Trap:
    """This will register a trap that reads the file."""
    OF_THE_TEXT.append(trap)
    return trap


def in_verdicts(trap: Trap) -> Trap:
    """This will register a trap that asks the policy."""
    OF_THE_VERDICTS.append(trap)
    return trap
