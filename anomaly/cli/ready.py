"""`anomaly ready`: whether the service on this machine can do its work, for health checks of containers and for people."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from typing import Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Format, Output, write_details

app = App(name="ready", help="Ask the service on this machine whether it can do its work.")


@app.default
def ready(
    *,
    within: Annotated[float, Parameter(help="Seconds to wait for the answer.")] = 4.0,
    output: Output = Format.TABLE,
) -> int:
    """Ask the service on this machine, at the address and port of the settings, whether it can do its work.

    Exit code 0 when it is ready, 1 when it says no or does not answer.
    """
    from anomaly.errors import UsageError

    if not 0 < within <= 600:
        raise UsageError("--within must be more than 0 and at most 600 seconds.")
    options = current().settings().serve
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)  # noqa: S104 -- asked, not listened on
    shown = f"[{host}]" if ":" in host else host
    url = f"{'https' if options.tls_cert else 'http'}://{shown}:{options.port}/readyz"
    # Our own service on our own machine: its certificate is made out to the name that others call it by.
    context = ssl._create_unverified_context() if options.tls_cert else None  # noqa: S323
    try:
        with urllib.request.urlopen(url, timeout=within, context=context) as answer:  # noqa: S310 -- http(s) only
            state = "ready" if answer.status == 200 else f"answers {answer.status}"
    except urllib.error.HTTPError as refused:
        state = "not ready" if refused.code == 503 else f"answers {refused.code}"
    except OSError as silent:
        state = f"does not answer: {getattr(silent, 'reason', silent)}"
    write_details({"url": url, "state": state}, output=output)
    return 0 if state == "ready" else 1
