"""How much of a feature, in words: odds and nats are for the detector, people read how often a thing came before."""

from __future__ import annotations

from typing import Final, Protocol

MOST: Final = 1_000
"""Windows: what came less often than that is told apart by nobody."""
_ODDS: Final = ("windows to one", "windows to one, weighted")
_NEWS: Final = ("spans without", "spans without, weighted")
_UNLIKELY: Final = ((1.0, "ordinary"), (6.0, "unlikely"), (20.0, "very unlikely"))
_NATS: Final = ("weighted nats",)
FORMS: Final = (
    "unknown", "none", "nothing rare", "about 1 in %(number)s windows", "less than 1 in %(number)s windows", "nothing new",
    "news that is common", "never seen in %(number)s windows", "never seen in over %(number)s windows", "ordinary", "unlikely",
    "very unlikely", "extremely unlikely", "%(number)s of 10", "%(number)s %(unit)s",
)  # fmt: skip
"""Every form of words an amount can have, but for the bare number."""


class Amount(Protocol):
    """What a contribution tells, of a finding or of a deviation."""

    @property
    def title(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def usual(self) -> float | None: ...
    @property
    def peers(self) -> float | None: ...


Words = tuple[str, dict[str, str]]
"""A form of `FORMS` and what is put into it: so that it can be said in another language."""


def in_words(value: float | None, unit: str) -> str:
    """This will return a feature's value as people say it: "25 secrets", "never seen in 270 windows", "less than 1 in 1,000
    windows", "none"."""
    form, parts = words_for(value, unit)
    return form % parts


def words_for(value: float | None, unit: str) -> Words:
    """This will return a feature's value as a form of words and its parts."""
    if value is None:
        return "unknown", {}
    if unit in _ODDS:
        return _odds(value)
    if unit in _NEWS:
        return _news(value)
    if unit in _NATS:
        return next((said for limit, said in _UNLIKELY if value < limit), "extremely unlikely"), {}
    if unit == "tenths":
        return "%(number)s of 10", {"number": f"{min(value, 10.0):.0f}"}
    said = number(value)
    if unit == "nats" or not unit or said == "none":
        return "%(number)s", {"number": said}
    return "%(number)s %(unit)s", {"number": said, "unit": unit if said != "1" else singular(unit)}


def number(value: float | None) -> str:
    """This will return a plain number: "none", "1.4", "25", "2,412", "3.1 million"."""
    if value is None:
        return "unknown"
    if value < 0.05:
        return "none"
    if value >= 1e6:
        return f"{value / 1e6:,.1f} million" if value < 1e9 else "more than a thousand million"
    return f"{value:,.0f}" if value >= 10 or abs(value - round(value)) < 0.05 else f"{value:.1f}"


def _odds(value: float) -> Words:
    if value < 1.0:
        return "nothing rare", {}
    if value + 1 < MOST:
        return "about 1 in %(number)s windows", {"number": f"{value + 1:,.0f}"}
    return "less than 1 in %(number)s windows", {"number": f"{MOST:,}"}


def once_in(windows: float) -> str:
    """This will return "about 1 in 22", and never pretend to know rarer things than one in a thousand."""
    return f"about 1 in {windows:,.0f}" if windows < MOST else f"less than 1 in {MOST:,}"


def _news(value: float) -> Words:
    if value < 0.5:
        return "nothing new", {}
    if value < 1.5:
        return "news that is common", {}
    if value < MOST:
        return "never seen in %(number)s windows", {"number": f"{value:,.0f}"}
    return "never seen in over %(number)s windows", {"number": f"{MOST:,}"}


def singular(unit: str) -> str:
    """This will return a unit for one of it."""
    if unit.endswith("ies"):
        return unit[:-3] + "y"
    if unit.endswith(("sses", "xes")):
        return unit[:-2]
    return unit[:-1] if unit.endswith("s") and not unit.endswith("ss") else unit


def title_of(title: str) -> str:
    """This will return a feature's title without the words that its amount says again."""
    bare = title.removeprefix("how unlikely ").removeprefix("how many of ten ")
    return bare.removesuffix(" is").removesuffix(" are") if bare != title else title


def contribution_text(part: Amount) -> str:
    """This will return one contribution as a line: title, value, what is usual for it and its peers."""
    value, usual = in_words(part.value, part.unit), in_words(part.usual, part.unit)
    peers = "" if part.peers is None else f", its peers {in_words(part.peers, part.unit)}"
    return f"{title_of(part.title)}: {value}, usually {usual}{peers}"
