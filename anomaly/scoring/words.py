"""A deviation in plain words: what happened, what is usual for the entity and its peers, and what would have been normal.

Names in it come from whoever made the requests, so they are cut, and freed of everything that is not a plain character.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from math import exp
from typing import Final

from anomaly.scoring.amounts import number, once_in
from anomaly.scoring.deviation import Part
from anomaly.scoring.naming import Naming
from anomaly.scoring.sight import USUAL, Sight, Term
from anomaly.windows.dimension import Dimension

LONGEST: Final = 80
_SHOWN: Final = 2
_TERM: Final = 40
_NAME: Final = 48
_SENTENCE: Final = 110
"""Characters of deeds in the first sentence; with the name and the second sentence about 300."""
_SURPRISES: Final = ("novelty.", "rarity.", "credentials.moved", "credentials.arrived", "hours.")
_RARE: Final = {
    "rarity.address": "address",
    "rarity.agent": "tool",
    "rarity.place": "place",
    "rarity.three_places": "places",
    "rarity.place_for_peers": "place",
    "rarity.sensitive_action": "harmful action",
    "rarity.sensitive_total": "harmful actions",
}
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
    # What is printable holds no character of the categories C; most texts are, and need not be looked at letter by letter.
    clean = (
        text
        if text.isprintable()
        else "".join("?" if unicodedata.category(letter)[0] == "C" else letter for letter in text)
    )
    clean = " ".join(clean.split())
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def reason(
    title: str, naming: Naming, sight: Sight, parts: Sequence[Part], peers: str, confidence: float
) -> str:
    """This will return what was done and how unusual that is, in two sentences of about 300 characters, then how sure it is."""
    deeds = _fitting(_deeds(naming.terms)) or "made an unusual mix of requests"
    sentences = [f"{plain(title, _NAME)} {deeds}."]
    unusual = [said for said in (_news(naming, peers), _compared(parts)) if said]
    if unusual:
        said = "; ".join(unusual)
        sentences.append(f"{said[0].upper()}{said[1:]}.")
    if naming.also:
        sentences.append(f"Also: {', '.join(name.title.lower() for name, _ in naming.also)}.")
    sentences.append(_confidence(confidence, sight.stranger))
    return " ".join(sentences)


def normal(changes: Sequence[tuple[str, float]] | None, titles: dict[str, str]) -> str:
    """This will say what would have made the window normal: the fewest features and the values they would need."""
    if changes is None:
        return "No small number of changes would have made this window normal: too much of it is unusual at once."
    if not changes:
        return ""
    said = [_change(titles.get(name, name), name, value) for name, value in changes[:_SHOWN]]
    rest = f", and {len(changes) - _SHOWN} more likewise" if len(changes) > _SHOWN else ""
    return f"It would have been normal with {'; '.join(said)}{rest}."


def _change(title: str, name: str, value: float) -> str:
    """What would have had to be otherwise; a rarity has no amount that people can read."""
    if name.startswith("rarity."):
        return f"no rare {_RARE.get(name, 'actions')}"
    short = _short(title)
    return f"no {short}" if value < 0.05 else f"{short} at {number(value)}"


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
        rest = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        said.append(f"{_LEADS[dimension]} {', '.join(shown)}{rest}")
    return said


def _fitting(deeds: Sequence[str]) -> str:
    """The deeds that fit into the first sentence, at least one."""
    said = ""
    for deed in deeds:
        longer = f"{said}; {deed}" if said else deed
        if said and len(longer) > _SENTENCE:
            break
        said = longer
    return said


def _counted(term: Term) -> str:
    text = plain(term.text, _TERM) or "(nothing)"
    return f'"{text}"' if term.count == 1 else f'"{text}" {term.count:,} times'


def _compared(parts: Sequence[Part]) -> str:
    """The number that stands out most, beside what is usual; odds against news tell people nothing, nor do nats."""
    for part in parts:
        odd = part.usual is None or part.unit.endswith("nats") or part.feature.startswith(_SURPRISES)
        if odd or part.value < 1.5 * (part.usual or 0.0) or number(part.value) == number(part.usual):
            continue
        return f"{_short(part.title)}: {number(part.value)}, usually {number(part.usual)}"
    return ""


def _short(title: str) -> str:
    """The title up to its first explanation."""
    return title.partition(" (")[0].partition(", ")[0].partition(": ")[0]


def _news(naming: Naming, peers: str) -> str:
    new = [term for term in naming.terms if term.fresh]
    among = f" ({plain(peers, _NAME)})" if peers else ""
    if any(term.unlike >= USUAL for term in new):
        return f"never before by it or its peers{among}"
    if new:
        return "never before by it"
    rarest = max(naming.terms, key=lambda term: term.most, default=None)
    if rarest is None or rarest.most < USUAL:
        return ""
    whose = "its own" if rarest.strange >= rarest.unlike else "its peers'"
    return f"seen in {once_in(exp(rarest.most))} of {whose} windows"


def _confidence(confidence: float, stranger: bool) -> str:
    if stranger or confidence <= 0:
        return "Confidence: low, since it is seen for the first time and judged by its peers."
    if confidence < _UNSURE:
        return "Confidence: low, little of its own past is known."
    return f"Confidence: {'high' if confidence >= _SURE else 'fair'}."
