"""Which language a page speaks: the one chosen, else the first the browser asks for that there is, else English."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request

from anomaly.web.console import po

COOKIE: Final = "anomaly_language"
FOLDER: Final = Path(__file__).parents[1] / "locale"


@dataclass(frozen=True, slots=True)
class Language:
    """`tag` as in HTML (BCP 47), `folder` under `locale/`, `title` in the language itself, `forms` of plural."""

    tag: str
    folder: str
    title: str
    forms: int


ENGLISH: Final = Language("en", "en", "English", 2)
CHINESE: Final = Language("zh-CN", "zh_Hans_CN", "简体中文", 1)
LANGUAGES: Final = (ENGLISH, CHINESE)


def language_of(request: Request) -> Language:
    """This will choose the language of a request."""
    chosen = request.cookies.get(COOKIE, "")
    for wanted in (chosen, *_accepted(request.headers.get("accept-language", ""))):
        for one in LANGUAGES:
            if wanted.lower() == one.tag.lower() or (
                wanted and wanted.lower() in one.tag.lower().split("-")[:1]
            ):
                return one
        # Every Chinese that is written in these characters; traditional ones are told apart by script or place.
        if wanted.lower().startswith(("zh-hans", "zh-sg", "zh-my")):
            return CHINESE
    return ENGLISH


def _accepted(header: str) -> list[str]:
    """Tags of Accept-Language, the most wanted first (RFC 9110, 12.5.4); what cannot be read is passed over."""
    found = []
    for place, part in enumerate(header[:500].split(",")[:20]):
        tag, _, rest = part.strip().partition(";")
        quality = rest.strip().removeprefix("q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        if tag and weight > 0:
            found.append((-weight, place, tag.strip()))
    return [tag for _, _, tag in sorted(found)]


@cache
def catalogue(language: Language) -> po.Catalogue:
    """This will return the texts of a language, read once."""
    return po.read(FOLDER / language.folder, language.forms)


def N_(text: str) -> str:
    """This will return the text: it marks what is translated later, where it is shown."""
    return text
