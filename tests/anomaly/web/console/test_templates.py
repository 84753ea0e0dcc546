"""The template engine: what outsiders wrote is text, whatever they wrote."""

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from anomaly.web.console.language import CHINESE, ENGLISH
from anomaly.web.console.templates import environment, number, visible


def rendered(source, language=ENGLISH, **values):
    return environment(language).from_string(source).render(**values)


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'{{7*7}}'"]
)
def test_markup_in_a_value_is_text(hostile):
    text = rendered('<p title="{{ it }}">{{ it }}</p>', it=hostile)
    assert text.count("<") == 2
    assert text.count('"') == 2
    assert "49" not in text


def test_markup_in_a_value_of_a_translated_sentence_is_text():
    assert rendered('{{ _("Sign in with %(name)s", name=it) }}', CHINESE, it="<b>") == "使用 &lt;b&gt; 登录"


def test_what_turns_a_text_round_is_shown_instead_of_done():
    assert visible("a\u202egpj.exe\x07") == "a\\u202egpj.exe\\x07"
    assert rendered("{{ it }}", it="x\u200b\u2066y") == "x\\u200b\\u2066y"
    assert visible("line\n\tanother 中文 é") == "line\n\tanother 中文 é"
    assert visible(Markup("<b>\u202e</b>\n")) == Markup("<b>\\u202e</b>\n")
    assert rendered('{{ _("Sign in with %(name)s", name=it) }}', it="a\u202eb") == "Sign in with a\\u202eb"


def test_commands_in_a_sentence_stand_out_and_are_text():
    said = rendered("{{ it|commands }}", it="Run `anomaly <b>` & wait; then `x`.")
    assert said == "Run <code>anomaly &lt;b&gt;</code> &amp; wait; then <code>x</code>."
    assert rendered("{{ it|commands }}", it="Nothing to do.") == "Nothing to do."


def test_a_name_that_is_not_there_is_an_error():
    with pytest.raises(UndefinedError):
        rendered("{{ nothing }}")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (1234567, "1,234,567"),
        (25.0, "25"),
        (0.1, "0.1"),
        (0.12345, "0.123"),
        (1234.5, "1,234"),
        (2.5e-7, "2.5e-07"),
    ],
)
def test_numbers_are_written_for_people(value, said):
    assert number(value) == said
