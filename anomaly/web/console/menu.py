"""The menu: every page that has an entry, found because it is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from anomaly.rights import Right
from anomaly.web import pages


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a page stands in the menu. `title` is marked for translation with `N_`; `g` and then `key` goes there; `icon` is a
    macro of `templates/icons.html`; who lacks the `right` does not see it."""

    path: str
    title: str
    icon: str
    key: str
    order: int
    right: Right = Right.READ


def page_modules() -> Iterator[ModuleType]:
    """This will yield the modules of all pages by name."""
    for module in sorted(iter_modules(pages.__path__), key=lambda found: found.name):
        yield import_module(f"{pages.__name__}.{module.name}")


@cache
def entries() -> tuple[Entry, ...]:
    """This will return all entries in their order."""
    found = [module.ENTRY for module in page_modules() if hasattr(module, "ENTRY")]
    return tuple(sorted(found, key=lambda entry: entry.order))
