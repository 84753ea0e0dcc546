"""Whether a candidate replaces the champion, decided on the same windows, with the reason in one sentence."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from training.evaluate import Report

WORSE = 0.03
"""Recall a candidate may lose and still be let in for being fresher: about the spread of 400 plants."""
OVERSHOOT = 3.0
"""Times the upper end of the promised alerts a day that refuses a candidate."""
BLIND = 0.2
"""Share of planted deviations below which a model is said to find few."""
RESTLESS = 0.5
"""Rank correlation with the champion below which being no better is not good enough."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Promote or keep, and why."""

    promote: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """This will give the decision as plain data, for the card."""
        return asdict(self)


def decide(candidate: Report, champion: Report | None, steady: float | None) -> Decision:
    """This will weigh the candidate's report against the champion's on the same windows (None: no champion).

    A candidate that lost a confirmed attack, floods people, or finds clearly less is refused; one that finds as
    much is let in for being fresher, unless it ranks windows quite differently without finding more.
    """
    flood = _floods(candidate)
    if champion is None:
        doubts = [doubt for doubt in (flood, _blind(candidate), _thin(candidate)) if doubt]
        although = f", although {' and '.join(doubts)}" if doubts else ""
        advice = "; train again with more history before you rely on it" if doubts else ""
        return Decision(True, f"Promoted, as there is no other model{although}{advice}.")
    if candidate.confirmed_found < champion.confirmed_found:
        lost = champion.confirmed_found - candidate.confirmed_found
        return Decision(
            False, f"Kept the champion: the candidate misses {lost} confirmed attacks that it finds."
        )
    if flood and not _floods(champion):
        return Decision(False, f"Kept the champion: {flood}.")
    if candidate.recall is None or champion.recall is None:
        return Decision(True, "Promoted for being fresher; there were too few windows to compare the two.")
    gain = candidate.recall - champion.recall
    both = f"{candidate.recall:.0%} of planted deviations against {champion.recall:.0%}"
    if gain < -WORSE:
        return Decision(False, f"Kept the champion: the candidate finds {both}.")
    if gain > WORSE:
        return Decision(True, f"Promoted: it finds {both}.")
    if steady is not None and steady < RESTLESS:
        return Decision(
            False, f"Kept the champion: the candidate finds no more ({both}) but ranks otherwise."
        )
    return Decision(True, f"Promoted for being fresher: it finds as much, {both}.")


def _floods(report: Report) -> str:
    if report.alerts_a_day is None:
        return ""
    # One window of a small held-back part may stand for hundreds a day; it alone proves no flood.
    one = report.windows_a_day / max(report.held_back, 1)
    most = OVERSHOOT * max(report.threshold.high, 1.0) + one
    if report.alerts_a_day <= most:
        return ""
    return f"{report.alerts_a_day:.0f} quiet windows a day would be shown where {report.threshold.high:.0f} were promised"


def _blind(report: Report) -> str:
    if report.recall is None or report.recall >= BLIND:
        return ""
    return f"it finds only {report.recall:.0%} of planted deviations"


def _thin(report: Report) -> str:
    if report.threshold.promised:
        return ""
    kinds = f" of {', '.join(report.threshold.unproven)}" if report.threshold.unproven else ""
    return f"it is calibrated on too few windows{kinds} to promise the budget"
