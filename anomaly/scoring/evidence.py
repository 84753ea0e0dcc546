"""Which terms of the window are the cause, so that the store can fetch the very events behind a finding."""

from __future__ import annotations

from typing import Final

from anomaly.scoring.naming import Naming
from anomaly.scoring.sight import USUAL, Sight, Term
from anomaly.windows.dimension import Dimension

MOST: Final = 24
"""Terms: more would fetch the whole window."""
POINTING: Final = (
    Dimension.IMPERSONATED,
    Dimension.CREDENTIAL,
    Dimension.ADDRESS,
    Dimension.AGENT,
    Dimension.CLAIMED,
    Dimension.DENIED,
    Dimension.FAILED,
    Dimension.ACTION,
    Dimension.TARGET,
    Dimension.NAMESPACE,
    Dimension.CODE,
    Dimension.OPENED,
)
"""Dimensions that stored events can be picked by without reading their bodies."""


def evidence_of(naming: Naming, sight: Sight) -> tuple[tuple[Dimension, str], ...]:
    """This will return (dimension, text) of the terms whose events are the evidence, the strongest first.

    An event belongs to the evidence when it has one of these terms. Names of other things that stand out come last.
    """
    chosen: list[Term] = [*naming.terms]
    for _, terms in naming.also:
        chosen.extend(terms)
    if not any(term.dimension in POINTING for term in chosen):
        chosen.extend(term for term in sight.of(Dimension.ACTION) if term.most >= USUAL)
    return tuple(dict.fromkeys((term.dimension, term.text) for term in chosen))[:MOST]
