"""`anomaly serve`: take in what API servers send, until told to stop."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current

app = App(name="serve", help="Take in audit events from API servers by webhook, until told to stop.")


@app.default
def serve(
    *,
    host: Annotated[str | None, Parameter(show_default=False)] = None,
    port: Annotated[int | None, Parameter(show_default=False)] = None,
) -> None:
    """Take in audit events from API servers by webhook, until told to stop (Ctrl-C or SIGTERM).

    Everything else, TLS among it, is a setting: `anomaly settings` shows those of the group `serve`.

    Parameters
    ----------
    host
        Address to listen on instead of the setting serve.host.
    port
        Port to listen on instead of the setting serve.port; 0 takes a free one and says which.
    """
    from anomaly.bootstrap import load_rules
    from anomaly.settings import ServeSettings
    from anomaly.web.server import run

    settings = current().settings()
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    if given:
        # Checked as if it had been set; model_copy alone would take any number for a port.
        options = ServeSettings.model_validate(settings.serve.model_dump() | given)
        settings = settings.model_copy(update={"serve": options})
    run(settings, load_rules(settings), current().say)
