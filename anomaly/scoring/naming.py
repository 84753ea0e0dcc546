"""What to call a deviation, chosen from what was really done and how unusual each deed was, not from the score.

Every name has a witness: a function that looks at the window and returns the terms that speak for it. A name's standing is its
weight, times how unusual its most unusual term is or how much of the score its features carry. The highest standing names the
deviation; the others that stand out too are said beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anomaly.scoring.catalogue import CATALOGUE, Name
from anomaly.scoring.sight import USUAL, Sight, Term
from anomaly.scoring.witnesses import WITNESSES, Testimony
from anomaly.windows.dimension import Dimension

CERTAIN: Final = 6.0
"""Nats: once in 400 windows is as unusual as a name needs."""
REFUSED: Final = 0.6
"""What was only tried stands for less than what was done."""
SHARE: Final = 20.0
"""Points for carrying the whole score."""
CARRIED: Final = 0.25
"""A quarter of the score makes a name certain, even where nothing about it is new: four tokens where none is usual."""
ALSO: Final = 0.6
"""Share of the first name's standing that a second must reach to be said."""
MOST_ALSO: Final = 3


@dataclass(frozen=True, slots=True)
class Naming:
    """The name, the terms that speak for it (most unusual first), and what else stands out."""

    name: Name
    terms: tuple[Term, ...]
    also: tuple[tuple[Name, tuple[Term, ...]], ...]
    refused: bool


def name_of(sight: Sight) -> Naming:
    """This will name a deviation; "unusual_mix" when nothing in particular stands out."""
    standings = []
    for title, witness in WITNESSES.items():
        said = witness(sight)
        if said.terms or said.force > 0:
            standings.append((_standing(CATALOGUE[title], said, sight), CATALOGUE[title], said))
    standings = [each for each in standings if each[0] > 0]
    if not standings:
        return Naming(CATALOGUE["unusual_mix"], _strangest(sight), (), False)
    standings.sort(key=lambda each: (-each[0], each[1].name))
    first, name, said = standings[0]
    also = tuple(
        (other, _spoken(others.terms))
        for standing, other, others in standings[1:]
        if standing >= ALSO * first and other.weight >= 30
    )[:MOST_ALSO]
    terms = _spoken(said.terms) or _strangest(sight)
    return Naming(name, terms, also, all_refused(sight, terms))


def all_refused(sight: Sight, terms: tuple[Term, ...]) -> bool:
    """This will say whether every action among the terms was refused each time."""
    refused = {term.text: term.count for term in sight.of(Dimension.DENIED)}
    actions = [term for term in terms if term.dimension in {Dimension.ACTION, Dimension.DENIED}]
    return bool(actions) and all(refused.get(term.text, 0) >= term.count for term in actions)


def _standing(name: Name, said: Testimony, sight: Sight) -> float:
    strange = max((term.most for term in said.terms), default=0.0)
    carried = sight.share(*said.features)
    force = max(
        said.force,
        min(1.0, strange / CERTAIN) if strange >= USUAL else 0.0,
        min(1.0, carried / CARRIED) if said.terms else 0.0,
    )
    tried = REFUSED if said.terms and all_refused(sight, said.terms) and not said.tried_counts else 1.0
    return (name.weight * tried + said.bonus) * force + SHARE * carried * force


def _spoken(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The unusual ones; all of them where the number is what is unusual."""
    unusual = tuple(term for term in terms if term.most >= USUAL)
    return unusual or terms


def _strangest(sight: Sight) -> tuple[Term, ...]:
    everything = [term for terms in sight.terms.values() for term in terms if term.most >= USUAL]
    everything.sort(key=lambda term: (-term.most, term.dimension, term.text))
    return tuple(everything[:8]) or sight.of(Dimension.ACTION)[:3]
