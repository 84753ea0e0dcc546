"""A rule, read and ready: what it looks for, how bad that is, how its matches are grouped and what it says about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from anomaly.events.event import Event
from anomaly.events.shape import Shape
from anomaly.rules.fields import Field, field_of
from anomaly.rules.tree import Node, reduce
from anomaly.rules.view import View
from anomaly.rules.words import fill, joined

DEFAULT_TIMEFRAME: Final = 3600
DEFAULT_GROUP: Final = ("entity.username",)


class Stages(StrEnum):
    """Which events of a request a rule looks at."""

    FINAL = "final"
    OPENED = "opened"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class Example:
    """Events beside a rule and whether it must fire on them; each is a whole audit event as JSON."""

    name: str
    events: tuple[bytes, ...]
    firing: bool
    line: int = 0


@dataclass(frozen=True, slots=True)
class Card:
    """What a person reads about a rule, the same for rules and correlations.

    `id` is the file's name (with the document's own `name` when a file holds several); `uuid` is Sigma's `id`.
    """

    id: str
    title: str
    uuid: str = ""
    severity: str = "medium"
    description: str = ""
    falsepositives: tuple[str, ...] = ()
    look_at_first: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    attack: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    """Every name by which a correlation may refer to it."""
    file: str = ""
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule. `timeframe` is in seconds; matches with one group key within one timeframe are one finding.

    `stages` is None when the rule tests `stage` itself. A `silent` rule only feeds correlations.
    """

    card: Card
    condition: Node
    selections: dict[str, Node]
    group_by: tuple[Field, ...]
    timeframe: int = DEFAULT_TIMEFRAME
    stages: frozenset[Stages] | None = frozenset({Stages.FINAL})
    says: str = ""
    silent: bool = field(default=False)

    @property
    def id(self) -> str:
        return self.card.id

    @property
    def title(self) -> str:
        return self.card.title

    @property
    def severity(self) -> str:
        """info, low, medium, high or critical."""
        return self.card.severity

    @property
    def attack(self) -> tuple[str, ...]:
        """ATT&CK technique ids, as in T1609."""
        return self.card.attack

    def sees(self, shape: Shape) -> bool:
        """This will tell whether the rule looks at events of this stage at all."""
        if self.stages is None:
            return True
        if shape.final:
            return Stages.FINAL in self.stages
        kind = Stages.RECEIVED if shape.stage == "RequestReceived" else Stages.OPENED
        return kind in self.stages

    @property
    def sees_stages(self) -> bool:
        """Whether one request may match more than once, as at its opening and at its end: it must count once all the same."""
        return self.stages is None or len(self.stages) > 1

    def matches(self, event: Event, shape: Shape) -> bool:
        """This will evaluate the rule plainly: the yardstick for the compiled plans, and good enough for one event."""
        view = View(event, shape)
        return self.sees(shape) and reduce(self.condition, lambda asked: asked.values(view)) is True

    def group_key(self, event: Event, shape: Shape) -> tuple[str, ...]:
        """This will return the values of the `group_by` fields, each as one text (lists joined by commas)."""
        view = View(event, shape)
        return tuple(joined(asked.values(view)) for asked in self.group_by)

    def why(self, event: Event, shape: Shape) -> str:
        """This will return one sentence about this match, filled from the event. Control characters are escaped."""
        return fill(self.says, View(event, shape), field_of)
