"""What holds for one run of the command whatever the subcommand: the configuration file, how much to say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anomaly.settings import Loaded, Settings
    from anomaly.store.database import Database


@dataclass(frozen=True, slots=True)
class Invocation:
    """The options that every command has."""

    config: Path | None = None
    debug: bool = False
    quiet: bool = False

    def say(self, message: str) -> None:
        """Tell the person at the terminal. This will write one line to standard error, or nothing with
        `--quiet`.
        """
        if not self.quiet:
            from anomaly.cli.output import tell

            tell(message)

    def loaded(self) -> Loaded:
        """Read the settings with their origins. This will raise SettingsInvalid if one is not usable."""
        from anomaly.bootstrap import read_settings

        return read_settings(self.config)

    def settings(self) -> Settings:
        """Read the settings. This will raise SettingsInvalid if one is not usable."""
        return self.loaded().settings

    @contextmanager
    def database(self, settings: Settings | None = None) -> Iterator[Database]:
        """Open the database for one command. This will start the embedded one if need be, and close the pool
        after.
        """
        from anomaly.bootstrap import open_database

        with open_database(settings or self.settings(), self.say) as database:
            yield database


_CURRENT: ContextVar[Invocation] = ContextVar("invocation", default=Invocation())  # noqa: B039 -- it is frozen


def current() -> Invocation:
    """The options of this run. This will be the defaults outside the command line."""
    return _CURRENT.get()


@contextmanager
def invoked(invocation: Invocation) -> Iterator[None]:
    """Run with these options. This will put the former ones back at the end."""
    token = _CURRENT.set(invocation)
    try:
        yield
    finally:
        _CURRENT.reset(token)
