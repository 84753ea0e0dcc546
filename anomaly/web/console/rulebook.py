"""The cards of the rules in use: what a reviewer looks at first, and when a match is often harmless."""

from __future__ import annotations

import re
from typing import Final

from anomaly.findings.finding import Finding, FindingKind
from anomaly.rules import RuleSet
from anomaly.rules.rule import Card
from anomaly.scoring.first_looks import FIRST_LOOKS

_PARTS: Final = re.compile(r"(Why it matters|Often harmless):\s*")


def card_of(rules: RuleSet, name: str) -> Card | None:
    """This will return the card of a rule; None for one that is not in use any more, and for deviations."""
    found = rules.by_id.get(name)
    return None if found is None else found.card


def first_looks(one: Finding, card: Card | None) -> tuple[str, ...]:
    """This will return what to look at first: the rule's own list, or that of the deviation."""
    if one.kind is FindingKind.RULE:
        return card.look_at_first if card else ()
    return FIRST_LOOKS.get(one.name, ())


def meaning(card: Card | None) -> tuple[str, str]:
    """This will return why a rule's match matters and when it is often harmless, as its description says; "" where it does not."""
    if card is None:
        return "", ""
    said = _PARTS.split(card.description.strip())
    named = dict(zip(said[1::2], (part.strip() for part in said[2::2]), strict=False))
    if not named:
        return card.description.strip(), "; ".join(card.falsepositives)
    harmless = named.get("Often harmless", "") or "; ".join(card.falsepositives)
    return named.get("Why it matters", ""), harmless
