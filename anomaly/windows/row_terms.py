"""Which terms the stored row of an event says by itself, so that most events need not be unpacked to know what they added.

What a row cannot say is said to be open, never guessed: whoever needs it reads the event.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from anomaly.windows.dimension import Dimension
from anomaly.windows.terms import ENTERING, FORBIDDEN, REFUSED_IMPERSONATION, WRITES, Term, request_terms


@dataclass(frozen=True, slots=True)
class EventRow:
    """The texts and flags of a row. `name` is a term of NAME, "pods shop/web-0", or empty; `resource_text` of other requests is a path."""

    verb: str
    resource_text: str
    namespace: str
    name: str
    address: str
    agent: str
    acting_as: str
    code: int
    allowed: bool
    final: bool

    @property
    def is_resource(self) -> bool:
        return not self.resource_text.startswith("/")


_ANY: Final = frozenset({Dimension.CREDENTIAL, Dimension.ISSUED, Dimension.GROUP, Dimension.CLAIMED})
_BODY: Final = frozenset(
    {Dimension.CHECKED, Dimension.GRANT, Dimension.RISK, Dimension.IMAGE, Dimension.REGISTRY}
)


def row_terms(row: EventRow) -> tuple[Term, ...]:
    """This will return the terms that the event surely added."""
    if not row.final or not row.resource_text:
        return ()
    terms = request_terms(row)
    if row.acting_as:
        terms.append((Dimension.IMPERSONATED, row.acting_as))
    if row.name and row.is_resource:
        terms.append((Dimension.NAME, row.name))
    return tuple(terms)


def open_terms(row: EventRow, asked: Iterable[Term]) -> bool:
    """This will say whether the event may have added one of these terms, although its row does not say so."""
    return any(_open(row, term) for term in asked)


def _open(row: EventRow, term: Term) -> bool:
    dimension = term[0]
    if dimension is Dimension.OPENED:
        return not row.final
    if not row.final:
        return False
    if not row.resource_text:
        # Neither a kind nor a path: only the event tells which of the two was meant.
        return True
    if dimension is Dimension.IMPERSONATED:
        # Acting as a user without a name leaves no number in the row.
        return not row.acting_as and not term[1]
    if dimension is Dimension.SECRET:
        return "secrets" in row.resource_text
    if dimension is Dimension.EXEC:
        return row.resource_text.rpartition("/")[2] in ENTERING
    if term == REFUSED_IMPERSONATION:
        return row.code == FORBIDDEN
    return dimension in _ANY or (dimension in _BODY and row.verb in WRITES)
