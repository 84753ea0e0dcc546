"""Events sent as a file, all that answer up to a bound, as fast as the client takes them; the page and the API share it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from starlette.responses import StreamingResponse

from anomaly.reports.event_export import MEDIA, Form, written
from anomaly.store.database import Database
from anomaly.store.found import Found
from anomaly.store.search import Asked, count_events, search_events

MOST: Final = 100_000
"""Events in one file; its name and a header say when there were more."""
_AT_ONCE: Final = 2_000


def event_file(database: Database, query: Asked, form: Form, now: datetime) -> StreamingResponse:
    """This will send the events that answer, in the order that was asked for."""
    with database.read() as connection:
        total, whole = count_events(connection, query, MOST)
    cut = not whole or total > MOST
    stamp = now.strftime("%Y%m%d-%H%M%S")
    name = f"events-{stamp}{f'-first-{min(total, MOST)}' if cut else ''}.{form}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Anomaly-Complete": "no" if cut else "yes",
        "Anomaly-Events": str(total) if whole else f"over {total}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    # A plain generator is run beside the loop, a piece at a time, as fast as the client takes them.
    return StreamingResponse(
        written(_all(database, query, form == "jsonl"), form), headers=headers, media_type=MEDIA[form]
    )


def _all(database: Database, query: Asked, raw: bool) -> Iterator[Found]:
    """A connection for each page of events, so that a slow client holds none."""
    cursor: str | None = None
    left = MOST
    read = 0
    while left > 0 and read < MOST:
        with database.read() as connection:
            found = search_events(connection, query, cursor, min(_AT_ONCE, left), raw=raw)
        yield from found.found
        left -= len(found.found)
        read += found.read
        cursor = found.cursor
        if cursor is None:
            return
