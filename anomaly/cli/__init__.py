"""The `anomaly` command. One file a command, found because it exposes `app`; no logic, only words in and
words out.

Not here: whatever the HTTP API would need too; that is in the story files below.
To add a command: one file here with `app = cyclopts.App(name=..., help=...)`; import heavy things inside its
functions.
"""

from anomaly.cli.app import main

__all__ = ["main"]
