"""The template engine: one environment a language, everything escaped, a name that is not there an error instead of a blank."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from anomaly.scoring.amounts import Words
from anomaly.web.console import moments
from anomaly.web.console.files import url_of
from anomaly.web.console.language import ENGLISH, Language, catalogue

FOLDER: Final = Path(__file__).parents[1] / "templates"
_BREAKS: Final = re.compile("[\n\t]")


@cache
def environment(language: Language) -> Environment:
    """This will return the environment in which pages of a language are rendered."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        # For every template, whatever it is called.
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        # Templates do not change while the service runs.
        auto_reload=False,
    )
    known = catalogue(language)
    # The extension adds this to the environment, unseen by type checkers.
    install: Any = made.install_gettext_callables  # type: ignore[attr-defined]
    install(known.gettext, known.ngettext, newstyle=True)
    made.globals["static"] = url_of
    made.filters |= {
        "moment": _moment,
        "when": _when,
        "utc": moments.in_utc,
        "machine": moments.machine,
        "lasting": _lasting,
        "number": number,
        # For texts that stand elsewhere: what `_()` returns is taken for markup, so it is only given what templates say.
        "translated": known.gettext,
        "spoken": partial(_spoken, known.gettext, language != ENGLISH),
        "amount": partial(_amount, known.gettext),
        "commands": _commands,
        "segment": lambda text: quote(str(text), safe=""),
        "data": lambda value: json.dumps(value, ensure_ascii=True),
    }
    return made


def compile_all(language: Language) -> None:
    """This will compile every template of a language, so that no visitor waits for it."""
    made = environment(language)
    for name in made.list_templates(("html",)):
        made.get_template(name)


def _amount(said: Callable[[str], str], words: Words) -> str:
    """How much of a feature there is, its form and each part put into the language."""
    form, parts = words
    return said(form) % {name: said(part) for name, part in parts.items()}


def _spoken(said: Callable[[str], str], foreign: bool, text: str) -> str:
    """A text of the detectors' vocabulary; one that the language has no words for, as of a rule of one's own, is marked as English."""
    words = said(text)
    if words != text or not foreign:
        return words
    return Markup('<span lang="en">{}</span>').format(text)


def _commands(text: str) -> str:
    """A sentence for the terminal, in which `such marks` stand around what is to be typed."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(text.split("`"))
    )


def visible(value: Any) -> Any:
    """This will show what does not print and could turn a text round or hide part of it (bidirectional marks, controls) as escapes.

    Line ends and tabs stay. Markup is held to it too: sentences into which templates put what outsiders wrote are markup.
    """
    # Thousands of texts a page, nearly all of them plain: the quick question comes first.
    if not isinstance(value, str) or value.isprintable():
        return value
    if all(part.isprintable() for part in _BREAKS.split(value)):
        return value
    shown = "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in value
    )
    return Markup(shown) if isinstance(value, Markup) else shown  # noqa: S704 -- escapes only, no markup is added


@pass_context
def _moment(context: Context, at: datetime, form: str = "minute") -> str:
    return moments.moment(at, context["view"].zone, form)


@pass_context
def _when(context: Context, at: datetime, form: str = "minute") -> str:
    return _written(at, context["view"].zone, form)


@lru_cache(4_096)
def _written(at: datetime, zone: tzinfo, form: str) -> str:
    """A time as an element. Here and not in a template: lists have hundreds of them, and are looked at again and again."""
    return Markup(  # noqa: S704 -- digits, and a form that templates name
        f'<time datetime="{moments.machine(at)}" data-form="{form}" title="{moments.in_utc(at)}">'
        f"{moments.moment(at, zone, form)}</time>"
    )


def _lasting(span: timedelta) -> str:
    return moments.lasting(span)


def number(value: Any) -> str:
    """This will write a number for people: whole ones with thousands parted, others with three digits that mean something."""
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
