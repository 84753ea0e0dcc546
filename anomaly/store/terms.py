"""The dictionary of texts: every verb, resource, user agent or object name is kept once and named by a number."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import blake2b
from typing import Final, LiteralString, cast

import psycopg

from anomaly.windows.dimension import Dimension
from anomaly.windows.terms import Term
from anomaly.windows.vocabulary import Vocabulary

LONGEST: Final = 512
"""Characters of a text that are kept; the raw event has the whole."""
_REMEMBERED: Final = 150_000
_REMEMBERED_CHARACTERS: Final = 48 << 20


def without_nul(text: str) -> str:
    """This will return the text as PostgreSQL takes it: a sign in place of each NUL, no lone surrogates."""
    return text.replace("\x00", "\u2400").encode("utf-8", "replace").decode("utf-8")


def storable(text: str) -> str:
    """This will return the text as it is kept: no NUL (PostgreSQL takes none), no lone surrogates, at most 512 characters.

    A longer text ends in a hash of the whole, so that two long texts with the same beginning stay two.
    """
    clean = without_nul(text)
    if len(clean) <= LONGEST:
        return clean
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return f"{clean[: LONGEST - 26]}…#{digest}"


class Terms:
    """Looks up and makes ids of terms. One for each process; what it remembers is bounded."""

    def __init__(self) -> None:
        self._ids: dict[Term, int] = {}
        self._characters = 0

    def id(self, dimension: Dimension, text: str) -> int:
        """This will return the id of a text that was resolved before. Raises KeyError when it was not."""
        return self._ids[dimension, text]

    def trim(self) -> None:
        """This will forget all when there is too much to remember. To be called between batches only."""
        if len(self._ids) > _REMEMBERED or self._characters > _REMEMBERED_CHARACTERS:
            self._ids.clear()
            self._characters = 0

    def missing(self, texts: Iterable[Term]) -> set[Term]:
        """This will return those texts whose id is not known here."""
        return {text for text in texts if text not in self._ids}

    def resolve(self, connection: psycopg.Connection[tuple[object, ...]], texts: set[Term]) -> None:
        """This will learn the ids of these texts, making those that do not exist. Committed at once: an unused id does no harm."""
        kept = {text: (int(text[0]), storable(text[1])) for text in texts}
        wanted = set(kept.values())
        found = _ask(connection, _KNOWN, wanted)
        if absent := wanted - found.keys():
            # Sorted: two processes that make the same terms wait for each other, and never in a circle.
            found |= _ask(connection, _MADE, sorted(absent))
            if others := absent - found.keys():
                found |= _ask(connection, _KNOWN, others)
        connection.commit()
        for text, stored in kept.items():
            self._ids[text] = found[stored]
            self._characters += len(text[1])


_KNOWN: Final = (
    "SELECT dimension, value, id FROM anomaly.term JOIN unnest(%s::smallint[], %s::text[]) AS wanted (dimension, value)"
    " USING (dimension, value)"
)
_MADE: Final = (
    "INSERT INTO anomaly.term (dimension, value) SELECT * FROM unnest(%s::smallint[], %s::text[])"
    " ON CONFLICT DO NOTHING RETURNING dimension, value, id"
)


def _ask(
    connection: psycopg.Connection[tuple[object, ...]],
    statement: LiteralString,
    texts: Collection[tuple[int, str]],
) -> dict[tuple[int, str], int]:
    rows = connection.execute(statement, [[number for number, _ in texts], [value for _, value in texts]])
    return {
        (dimension, value): number
        for dimension, value, number in cast("Iterable[tuple[int, str, int]]", rows)
    }


def vocabulary(connection: psycopg.Connection[tuple[object, ...]]) -> Vocabulary:
    """This will load all terms, for features and for showing windows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, dimension, value FROM anomaly.term")
        return Vocabulary(
            (int(str(number)), int(str(dimension)), str(text)) for number, dimension, text in cursor
        )


def terms_from(
    connection: psycopg.Connection[tuple[object, ...]], first: int
) -> list[tuple[int, Dimension, str]]:
    """This will return the terms whose id is `first` or higher, by id: what came since a vocabulary was loaded."""
    rows = connection.execute(
        "SELECT id, dimension, value FROM anomaly.term WHERE id >= %s ORDER BY id", [first]
    )
    return [(int(str(number)), Dimension(int(str(kind))), str(text)) for number, kind, text in rows]
