"""`anomaly api`: the HTTP API, described for programs."""

from __future__ import annotations

from cyclopts import App

from anomaly.cli.output import write_text

app = App(name="api", help="The HTTP API of `anomaly serve`, described for programs.")


@app.command
def describe() -> None:
    """Print the OpenAPI 3.1 document of the API. Starts nothing; the same stands at /v1/openapi.json of a running service."""
    from anomaly.web.described import document

    write_text(document().rstrip("\n"))
