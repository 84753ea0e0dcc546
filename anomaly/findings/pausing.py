"""When a rule makes so many findings that nobody would read them: how many are too many."""

from __future__ import annotations

from math import ceil
from typing import Final

MOST_AN_HOUR: Final = 50
"""New findings of one rule in one hour of events that are never too many."""
TIMES_USUAL: Final = 10
USUAL_HOURS: Final = 7 * 24
"""The week before the hour says what is usual."""
HOUR_US: Final = 3_600_000_000
NAME: Final = "rule_paused"
EXAMPLES: Final = 20


def most(week: int) -> int:
    """This will return how many findings an hour may bring when the week before it brought `week`."""
    return max(MOST_AN_HOUR, ceil(TIMES_USUAL * week / USUAL_HOURS))


def sentence(rule: str, found: int, usual: float) -> str:
    """This will say why a rule is paused and what ends it."""
    return (
        f"{rule} made {found:,} new findings of one hour of events, usually {usual:.1f} an hour; further ones are held back"
        f" until `anomaly rules resume {rule}`."
    )
