"""Every text of the console in every language, and which one a page speaks."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from starlette.requests import Request

from anomaly import web
from anomaly.features.registry import definitions
from anomaly.findings.unseen import BLIND
from anomaly.rules import pack
from anomaly.scoring.amounts import FORMS, singular, title_of, words_for
from anomaly.scoring.catalogue import CATALOGUE
from anomaly.web.console import po
from anomaly.web.console.language import CHINESE, ENGLISH, FOLDER, LANGUAGES, catalogue, language_of
from anomaly.web.console.templates import environment

ROOM = Path(web.__file__).parent
PLACE = re.compile(r"%\((\w+)\)[sd]")


SAID_OTHERWISE = {"spans without", "spans without, weighted", "tenths", "nats", "weighted nats", "windows to one", "windows to one, weighted"}  # fmt: skip
"""Units that people never read: forms of words stand for them."""


def vocabulary():
    """What detectors say of themselves in fixed words, kept in English with findings and put into a language where it is shown."""
    rules = pack()
    units = {one.feature.unit for one in definitions()} - SAID_OTHERWISE
    yield from (one.title for one in (*rules.rules, *rules.correlations))
    yield from (one.title for one in CATALOGUE.values())
    yield from (title_of(one.title) for one in definitions())
    yield from (text for one in BLIND for text in (one.text, one.instead))
    yield from FORMS
    yield from (form for unit in units for form in (unit, singular(unit)))


@pytest.fixture(scope="module")
def marked():
    """Every text that is marked or of the vocabulary: message -> (plural or "", where)."""
    found = dict.fromkeys(vocabulary(), ("", "vocabulary"))
    methods = [("**.py", "python"), ("**.html", "jinja2.ext.babel_extract")]
    options = {"**.html": {"trimmed": "true", "silent": "false"}}
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
    for file, line, message, *_ in extract_from_dir(ROOM, methods, options, keywords):
        single, plural = message if isinstance(message, tuple) else (message, "")
        found[single] = (plural, f"{file}:{line}")
    return found


def entries_of(language):
    """(file, message, plural, translations) of a language."""
    for file in sorted((FOLDER / language.folder).glob("*.po")):
        for message, plural, said in po.entries(file.read_text("utf-8")):
            yield file.name, message, plural, said


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != ENGLISH], ids=lambda one: one.tag)
def test_every_text_is_there_in_every_language(marked, language):
    known = {message for _, message, _, said in entries_of(language) if all(said)}
    missing = [f'# {where}\nmsgid "{text}"' for text, (_, where) in marked.items() if text not in known]
    assert not missing, "\n\n".join(missing)


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != ENGLISH], ids=lambda one: one.tag)
def test_no_translation_is_of_a_text_that_is_gone_or_twice_there(marked, language):
    seen = set()
    for file, message, plural, said in entries_of(language):
        assert message in marked, (file, message)
        assert plural == marked[message][0], (file, message)
        assert message not in seen, (file, message)
        assert len(said) == (language.forms if plural else 1), (file, message)
        seen.add(message)


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != ENGLISH], ids=lambda one: one.tag)
def test_translations_have_the_places_of_their_text(language):
    for file, message, plural, said in entries_of(language):
        wanted = set(PLACE.findall(message)) | set(PLACE.findall(plural))
        for text in said:
            assert set(PLACE.findall(text)) == wanted, (file, message)
            assert re.sub(PLACE, "", text).count("%") == re.sub(PLACE, "", message).count("%"), (
                file,
                message,
            )


def asking(header="", cookie=""):
    headers = [(b"accept-language", header.encode("latin-1")), (b"cookie", cookie.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("header", "cookie", "language"),
    [
        pytest.param("", "", ENGLISH, id="nothing said"),
        pytest.param("zh-CN,zh;q=0.9,en;q=0.8", "", CHINESE, id="a browser in Chinese"),
        pytest.param("zh-Hans-SG", "", CHINESE, id="simplified by its script"),
        pytest.param("zh", "", CHINESE, id="Chinese and no more"),
        pytest.param("zh-TW, en;q=0.5", "", ENGLISH, id="traditional characters are another language"),
        pytest.param("en;q=0.3, zh-CN;q=0.9", "", CHINESE, id="by weight, not by place"),
        pytest.param("zh-CN;q=0, en", "", ENGLISH, id="refused"),
        pytest.param("fr, de;q=0.9", "", ENGLISH, id="neither is there"),
        pytest.param("zh-CN", "anomaly_language=en", ENGLISH, id="the choice wins"),
        pytest.param("en", "anomaly_language=zh-CN", CHINESE, id="the choice wins in Chinese"),
        pytest.param("en", "anomaly_language=../../etc", ENGLISH, id="a choice that there is not"),
        pytest.param(";;;q=x,,;q=", "", ENGLISH, id="rubbish"),
    ],
)
def test_a_page_speaks_the_language_that_is_wanted_most(header, cookie, language):
    assert language_of(asking(header, cookie)) == language


def test_a_text_that_is_not_known_stays_english():
    known = catalogue(CHINESE)
    assert known.gettext("Inbox") == "收件箱"
    assert known.gettext("no such text") == "no such text"
    assert known.ngettext("%(num)s egg", "%(num)s eggs", 1) == "%(num)s egg"
    assert known.ngettext("%(num)s egg", "%(num)s eggs", 2) == "%(num)s eggs"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        pytest.param(ENGLISH, ["25 secrets", "1 secret", "none", "never seen in 270 windows"], id="English"),
        pytest.param(CHINESE, ["25 个机密", "1 个机密", "无", "270 个窗口中从未见过"], id="Chinese"),
    ],
)
def test_amounts_are_said_in_the_language_of_who_looks(language, said):
    amount = environment(language).filters["amount"]
    amounts = ((25.0, "secrets"), (1.0, "secrets"), (0.0, "secrets"), (270.0, "spans without"))
    assert [amount(words_for(value, unit)) for value, unit in amounts] == said


def test_a_title_that_a_language_has_no_words_for_is_marked_as_english_and_escaped():
    page = environment(CHINESE).from_string("{{ title|spoken }}")
    assert page.render(title="Secrets collected") == "机密被收集"
    assert (
        page.render(title="<b>Our own rule</b>") == '<span lang="en">&lt;b&gt;Our own rule&lt;/b&gt;</span>'
    )
    assert environment(ENGLISH).from_string("{{ title|spoken }}").render(title="<b>") == "&lt;b&gt;"
