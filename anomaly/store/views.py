"""Saved views: what somebody asks a page of the console again and again, by a name of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from anomaly.errors import NotFound, UsageError
from anomaly.store.tables import saved_view

MOST: Final = 50
_LONGEST_NAME: Final = 60
_LONGEST_QUERY: Final = 2_000


@dataclass(frozen=True, slots=True)
class SavedView:
    """One view of a page. `query` is what stands behind the question mark of its URL."""

    id: int
    page: str
    name: str
    query: str

    @property
    def url(self) -> str:
        """Where it leads."""
        return f"{self.page}?{self.query}" if self.query else self.page


def views_of(connection: Connection, owner: str, page: str) -> list[SavedView]:
    """This will return the views that somebody keeps of a page, by name."""
    rows = connection.execute(
        select(saved_view)
        .where(saved_view.c.owner == owner, saved_view.c.page == page)
        .order_by(func.lower(saved_view.c.name), saved_view.c.id)
    )
    return [SavedView(row.id, row.page, row.name, row.query) for row in rows]


def keep_view(connection: Connection, owner: str, page: str, name: str, query: str) -> int:
    """This will keep a view, in place of one of the same name. Raises UsageError when it cannot be kept."""
    name = name.strip()
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise UsageError(f"The name of a view has 1 to {_LONGEST_NAME} characters.")
    if len(query) > _LONGEST_QUERY or not query.isprintable():
        raise UsageError("This view is too long to keep.")
    kept = len(views_of(connection, owner, page))
    if kept >= MOST:
        raise UsageError(f"{MOST} views are kept of a page at most.", hint="Remove one that is not used.")
    values = {"owner": owner, "page": page, "name": name, "query": query}
    statement = insert(saved_view).values(values)
    renewed = statement.on_conflict_do_update(
        index_elements=["owner", "page", "name"], set_={"query": query}
    ).returning(saved_view.c.id)
    return int(connection.execute(renewed).scalar_one())


def drop_view(connection: Connection, owner: str, number: int) -> None:
    """This will drop a view. Raises NotFound when there is none of this number that is theirs."""
    done = connection.execute(
        delete(saved_view).where(saved_view.c.id == number, saved_view.c.owner == owner)
    )
    if not done.rowcount:
        raise NotFound("There is no such view.")
