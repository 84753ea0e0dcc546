"""How a command ends: every failure as one sentence, a hint and an exit code; a trace only with `--debug`.

Exit codes: 0 fine, 1 failure, 2 usage or settings, 3 findings at or above `--fail-on`, 4 refused, 5 a
dependency is down, 130 interrupted, 141 the reader went away.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from anomaly.cli.output import tell
from anomaly.errors import AnomalyError

FAILURE = 1
USAGE = 2
DEPENDENCY_DOWN = 5
INTERRUPTED = 130
READER_GONE = 141


def guarded(deed: Callable[[], int], *, debug: bool = False) -> int:
    """Run a command to its end. This will return its exit code and write the reason of a failure to standard
    error.
    """
    try:
        code = deed()
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        return READER_GONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as failure:
        return _tell(failure, debug=debug)
    return code


def _tell(failure: Exception, *, debug: bool) -> int:
    if debug:
        from traceback import print_exception

        print_exception(failure)
    message, hint, code = explain(failure)
    tell(f"anomaly: {message}")
    if hint:
        tell(f"hint: {hint}")
    return code


def explain(failure: Exception) -> tuple[str, str | None, int]:
    """Put a failure into words. This will return one sentence, a hint if there is one, and the exit code."""
    if isinstance(failure, AnomalyError):
        return str(failure), failure.hint, failure.exit_code
    kind = type(failure)
    library = kind.__module__.partition(".")[0]
    # By name, so that no command imports a library just to find out that it was not the one that failed.
    if library == "cyclopts":
        return _usage(failure), "`anomaly --help`, or `--help` after a command, shows what is there.", USAGE
    if library in {"psycopg", "sqlalchemy"} and kind.__name__ in {
        "OperationalError",
        "InterfaceError",
        "AdminShutdown",
    }:
        words = str(getattr(failure, "orig", failure)).strip().splitlines()
        return (
            f"The database failed: {words[0] if words else kind.__name__}",
            "Try again, or see `anomaly db status`.",
            (DEPENDENCY_DOWN),
        )
    if isinstance(failure, OSError) and failure.strerror:
        place = f": {failure.filename}" if failure.filename else ""
        return f"{failure.strerror}{place}.", None, FAILURE
    reason = str(failure) or "no reason given"
    return f"Unexpected {kind.__name__}: {reason}", "This is a bug; --debug shows where.", FAILURE


def _usage(failure: Exception) -> str:
    return " ".join(str(failure).split())


def _forget_stdout() -> None:
    # Python would try to write the rest once more at exit and complain.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
