"""Reads gettext's .po files as they are, so that nothing has to be compiled and no binary stands beside its text.

The format: https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html. Contexts and obsolete entries are not used here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from gettext import NullTranslations
from pathlib import Path
from typing import Final

_LINE: Final = re.compile(r'(?:(msgid|msgid_plural|msgstr(?:\[(\d)\])?)\s+)?(".*")')
_REFUSED: Final = frozenset({"msgctxt"})

Entry = tuple[str, str, tuple[str, ...]]
"""A message, its plural or "", and its translations: one, or one a plural form."""


def entries(text: str) -> Iterator[Entry]:
    """This will yield every entry of a .po text, the header (the empty message) left out. Raises ValueError for a line it cannot read."""
    fields: dict[str, str] = {}
    here = ""
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None or line.split()[0] in _REFUSED:
            raise ValueError(f"line {number} cannot be read: {line[:80]}")
        keyword, _, quoted = found.groups()
        if keyword == "msgid" and fields:
            yield from _entry(fields)
            fields = {}
        here = keyword or here
        # A PO string is a C string; of C's escapes only those that Python shares are in use.
        fields[here] = fields.get(here, "") + str(ast.literal_eval(quoted))
    yield from _entry(fields)


def _entry(fields: dict[str, str]) -> Iterator[Entry]:
    if fields.get("msgid"):
        forms = tuple(value for name, value in fields.items() if name.startswith("msgstr"))
        yield fields["msgid"], fields.get("msgid_plural", ""), forms


class Catalogue(NullTranslations):
    """The texts of one language; what it does not know stays English."""

    def __init__(self, found: Iterable[Entry], forms: int) -> None:
        super().__init__()
        self._forms = forms
        self._known: dict[str, tuple[str, ...]] = {message: said for message, _, said in found if all(said)}

    def gettext(self, message: str) -> str:
        """This will return the text in this language."""
        said = self._known.get(message)
        return said[0] if said else message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """This will return the text for so many. Languages here have one form, or English's two."""
        said = self._known.get(msgid1)
        if said:
            return said[0 if n == 1 or self._forms == 1 else len(said) - 1]
        return msgid1 if n == 1 else msgid2


def read(folder: Path, forms: int) -> Catalogue:
    """This will read all .po files of a folder as one catalogue: one file a page, so that pages can be added side by side."""
    found = [one for file in sorted(folder.glob("*.po")) for one in entries(file.read_text("utf-8"))]
    return Catalogue(found, forms)
