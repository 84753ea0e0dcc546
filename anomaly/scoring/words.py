"""A deviation in plain words: what happened, what is usual for the entity and its peers, and what would have been normal.

Names in it come from whoever made the requests, so they are cut, and freed of everything that is not a plain character.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from anomaly.scoring.deviation import Part
from anomaly.scoring.naming import Naming
from anomaly.scoring.sight import USUAL, Sight, Term
from anomaly.windows.dimension import Dimension

LONGEST: Final = 80
_SHOWN: Final = 3
_SURE: Final = 0.5
_UNSURE: Final = 0.2
_LEADS: Final = {
    Dimension.ACTION: "did",
    Dimension.DENIED: "was refused",
    Dimension.FAILED: "failed at",
    Dimension.SECRET: "read secrets",
    Dimension.EXEC: "entered",
    Dimension.RISK: "asked for",
    Dimension.GRANT: "granted",
    Dimension.IMPERSONATED: "acted as",
    Dimension.ADDRESS: "came from",
    Dimension.AGENT: "used",
    Dimension.CLAIMED: "claimed to come from",
    Dimension.TARGET: "went to",
    Dimension.NAME: "touched",
    Dimension.IMAGE: "ran",
    Dimension.REGISTRY: "pulled from",
    Dimension.CHECKED: "asked about",
    Dimension.DELETED: "deleted",
    Dimension.CREDENTIAL: "used the credential",
    Dimension.NAMESPACE: "worked in",
}
_ORDER: Final = {dimension: place for place, dimension in enumerate(_LEADS)}


def plain(text: str, longest: int = LONGEST) -> str:
    """This will return the text on one line without control or invisible characters, cut with an ellipsis."""
    clean = "".join("?" if unicodedata.category(letter)[0] == "C" else letter for letter in text)
    clean = " ".join(clean.split())
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def reason(
    title: str, naming: Naming, sight: Sight, parts: Sequence[Part], peers: str, confidence: float
) -> str:
    """This will return what happened and what is usual, in two or three sentences."""
    deeds = "; ".join(_deeds(naming.terms)) or "made an unusual mix of requests"
    sentences = [f"{plain(title)} {deeds}."]
    if naming.also:
        sentences.append(f"Also: {', '.join(name.title.lower() for name, _ in naming.also)}.")
    compared = [part for part in parts if part.usual is not None and not _surprise(part)][:2]
    sentences.extend(_compared(part, peers) for part in compared)
    news = _news(naming, peers)
    if news:
        sentences.append(news)
    sentences.append(_confidence(confidence, sight.stranger))
    return " ".join(sentences)


def normal(changes: Sequence[tuple[str, float]] | None, titles: dict[str, str]) -> str:
    """This will say what would have made the window normal: the fewest features and the values they would need."""
    if changes is None:
        return "No few changes would have made this window normal: too much of it is unusual at once."
    if not changes:
        return ""
    said = [_change(titles.get(name, name), name, value) for name, value in changes[:_SHOWN]]
    rest = f", and {len(changes) - _SHOWN} more likewise" if len(changes) > _SHOWN else ""
    return f"It would have been normal with {'; '.join(said)}{rest}."


def _change(title: str, name: str, value: float) -> str:
    """What would have had to be otherwise; a rarity has no amount that people can read."""
    if name.startswith("rarity."):
        return f"more usual ones ({title})"
    return f"no {title}" if value < 0.05 else f"{title} at {_amount(value)}"


def _deeds(terms: Sequence[Term]) -> list[str]:
    by_dimension: dict[Dimension, list[Term]] = {}
    for term in terms:
        by_dimension.setdefault(term.dimension, []).append(term)
    said = []
    refused = {term.text for term in by_dimension.get(Dimension.DENIED, ())}
    for dimension in sorted(by_dimension, key=lambda each: _ORDER.get(each, len(_ORDER))):
        found = by_dimension[dimension]
        if dimension is Dimension.ACTION:
            found = [term for term in found if term.text not in refused]
        if not found or dimension not in _LEADS:
            continue
        shown = [_counted(term) for term in found[:_SHOWN]]
        rest = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        said.append(f"{_LEADS[dimension]} {', '.join(shown)}{rest}")
    return said[:4]


def _counted(term: Term) -> str:
    text = plain(term.text) or "(nothing)"
    return f'"{text}"' if term.count == 1 else f'"{text}" {term.count} times'


def _compared(part: Part, peers: str) -> str:
    among = f", its peers ({plain(peers)}) {_amount(part.peers)}" if part.peers is not None and peers else ""
    title = part.title[0].upper() + part.title[1:]
    return f"{title}: {_amount(part.value)}, usually {_amount(part.usual or 0.0)}{among}."


def _surprise(part: Part) -> bool:
    """Odds against news tell people nothing; the news itself is said instead."""
    return part.feature.startswith(
        ("novelty.", "rarity.", "credentials.moved", "credentials.arrived", "hours.")
    )


def _news(naming: Naming, peers: str) -> str:
    new = [term for term in naming.terms if term.fresh]
    alone = [term for term in new if term.unlike >= USUAL]
    if alone:
        among = f" nor any of its peers ({plain(peers)})" if peers else ""
        return f"Neither it{among} had shown {_listed(alone)} before."
    if new:
        return f"It had not shown {_listed(new)} before."
    return ""


def _listed(terms: Sequence[Term]) -> str:
    shown = ", ".join(f'"{plain(term.text, 48)}"' for term in terms[:2])
    return f"{shown} and {len(terms) - 2} more" if len(terms) > 2 else shown


def _confidence(confidence: float, stranger: bool) -> str:
    if stranger or confidence <= 0:
        return "Confidence: low, since it is seen for the first time and is judged by its peers alone."
    if confidence < _UNSURE:
        return "Confidence: low, little of its own past is known."
    return f"Confidence: {'high' if confidence >= _SURE else 'fair'}."


def _amount(value: float | None) -> str:
    if value is None:
        return "unknown"
    if value < 0.05:
        return "none"
    return f"{value:,.0f}" if value >= 10 or abs(value - round(value)) < 0.05 else f"{value:.1f}"
