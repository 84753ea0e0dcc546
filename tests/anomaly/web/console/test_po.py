"""Reading .po files."""

import pytest
from babel.messages.pofile import read_po

from anomaly.web.console import po
from anomaly.web.console.language import FOLDER

TEXT = r"""
msgid ""
msgstr "Language: xx\n"

# a remark
#: where:1
msgid "one \"quoted\"\n"
"and long"
msgstr "eins"

msgid "%(num)s event"
msgid_plural "%(num)s events"
msgstr[0] "%(num)s Ereignis"
msgstr[1] "%(num)s Ereignisse"
#~ msgid "gone"
#~ msgstr "weg"
"""


def test_messages_plurals_and_long_texts_are_read():
    assert list(po.entries(TEXT)) == [
        ('one "quoted"\nand long', "", ("eins",)),
        ("%(num)s event", "%(num)s events", ("%(num)s Ereignis", "%(num)s Ereignisse")),
    ]


@pytest.mark.parametrize("line", ["msgid unquoted", 'msgctxt "menu"', '"open', "rubbish"])
def test_a_line_that_cannot_be_read_is_named(line):
    with pytest.raises(ValueError, match="line 1"):
        list(po.entries(line))


def test_a_catalogue_chooses_the_form():
    known = po.Catalogue(po.entries(TEXT), forms=2)
    assert known.ngettext("%(num)s event", "%(num)s events", 1) == "%(num)s Ereignis"
    assert known.ngettext("%(num)s event", "%(num)s events", 7) == "%(num)s Ereignisse"


def test_every_catalogue_reads_as_gettext_itself_reads_it():
    files = sorted(FOLDER.rglob("*.po"))
    assert files
    for file in files:
        with file.open("rb") as opened:
            theirs = read_po(opened)
        ours = {message: said for message, _, said in po.entries(file.read_text("utf-8"))}
        for message in theirs:
            if message.id:
                single = message.id[0] if isinstance(message.id, tuple) else message.id
                said = message.string if isinstance(message.string, tuple) else (message.string,)
                assert ours.pop(single) == said, (file, single)
        assert not ours
