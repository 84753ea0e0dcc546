"""`anomaly policy webhook`: the audit webhook's kubeconfig and the API server's flags."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Format, Output, write_json, write_text
from anomaly.cli.policy_input import read_bytes
from anomaly.cli.policy_remarks import write_remarks
from anomaly.errors import UsageError

if TYPE_CHECKING:
    from anomaly.policy.remark import Remark

webhook = App(name="webhook", help="The audit webhook's kubeconfig and the API server's flags.")


@webhook.command(name="lint")
def lint_webhook(
    kubeconfig: Path | None = None, *, flags: Path | None = None, output: Output = Format.TABLE
) -> int:
    """Name every mistake in a webhook kubeconfig, and in the audit flags of a manifest, with its effect.

    Parameters
    ----------
    flags
        A file with the API server's flags: a static pod manifest, a unit file, or a command line.
    """
    from anomaly.policy.flags import lint_flags
    from anomaly.policy.kubeconfig import lint_kubeconfig

    if kubeconfig is None and flags is None:
        raise UsageError("give a webhook kubeconfig, or --flags FILE, or both")
    found: dict[str, list[Remark]] = {}
    if kubeconfig is not None:
        found[kubeconfig.name] = lint_kubeconfig(read_bytes(kubeconfig), kubeconfig.name)
    if flags is not None:
        found[flags.name] = lint_flags(read_bytes(flags).decode("utf-8", "replace"))
    return write_remarks(found, output)


@webhook.command(name="generate")
def generate_webhook(
    server: str,
    *,
    cluster: str = "",
    certificate_authority: Annotated[str | None, Parameter(show_default=False)] = None,
    client_certificate: str = "",
    client_key: str = "",
    token: str = "",
    output: Output = Format.TABLE,
) -> int:
    """Print the webhook kubeconfig and the API server's flags for a sink. `anomaly cluster add` prints the same, with a token.

    Parameters
    ----------
    server
        The https address of `anomaly serve`, or without --cluster the whole address of any other sink.
    cluster
        The cluster's name there. It goes into the path, as the API server drops a query.
    certificate_authority
        Where the sink's CA certificate lies on the control plane's disk; default /etc/kubernetes/audit/ca.crt.
    """
    from anomaly.policy.webhook import AUTHORITY, FLAGS, Sink, kubeconfig

    sink = Sink(server, cluster, certificate_authority or AUTHORITY, client_certificate, client_key, token)
    text = kubeconfig(sink)
    if output is Format.JSON:
        write_json({"kubeconfig": text, "flags": FLAGS})
    else:
        write_text("# " + "\n# ".join(["flags of kube-apiserver:", *FLAGS]) + "\n" + text.rstrip("\n"))
    if not token and not client_certificate:
        current().say(
            "It has no credentials; `anomaly cluster add` makes a token, --token or --client-certificate take one."
        )
    return 0
