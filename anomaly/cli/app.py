"""The root of the command: gathers the commands of this folder, takes the options that all of them share,
runs one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from pathlib import Path
from pkgutil import iter_modules
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter

from anomaly.cli.failure import guarded
from anomaly.cli.invocation import Invocation, invoked
from anomaly.cli.output import write_text

_SHARED = Group("Options of every command", sort_key=90)


def build() -> App:
    """Put the command together. This will find every module of this folder that exposes `app`."""
    root = App(
        name="anomaly",
        help="Behaviour analytics for the Kubernetes API: audit events in, explained findings out.",
        version=_version,
        # The failure table decides what is printed and with which exit code, for all of it alike.
        suppress_keyboard_interrupt=False,
        help_format="plaintext",
        result_action="return_value",
    )
    root.meta.group_parameters = _SHARED
    for module in sorted(iter_modules([str(Path(__file__).parent)]), key=lambda found: found.name):
        command = getattr(import_module(f"anomaly.cli.{module.name}"), "app", None)
        if isinstance(command, App):
            root.command(command)
    root.command(_completion, name="completion")

    @root.meta.default
    def start(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        config: Annotated[Path | None, Parameter(group=_SHARED)] = None,
        debug: Annotated[bool, Parameter(negative="", group=_SHARED)] = False,
        quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", group=_SHARED)] = False,
    ) -> object:
        """Run one command.

        Parameters
        ----------
        config
            Configuration file (TOML) that wins over the environment and all other files.
        debug
            Show the whole trace when something fails.
        quiet
            Write no progress and no messages to standard error, only failures.
        """
        with invoked(Invocation(config, debug=debug, quiet=quiet)):
            return root(tokens, exit_on_error=False, print_error=False, result_action="return_value")

    return root


def _completion(shell: Literal["bash", "zsh", "fish"]) -> None:
    """Print the completion script of a shell, to be sourced from its start file."""
    write_text(build().generate_completion(shell=shell))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. This will never return: it ends the process with the exit code of the outcome."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    # Known before anything is parsed, because parsing itself may fail.
    before = tokens[: tokens.index("--")] if "--" in tokens else tokens
    sys.exit(guarded(lambda: _run(tokens), debug="--debug" in before))


def _run(tokens: list[str]) -> int:
    outcome = build().meta(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    return outcome if isinstance(outcome, int) and not isinstance(outcome, bool) else 0


def _version() -> str:
    try:
        return metadata.version("anomaly")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"
