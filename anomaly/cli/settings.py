"""`anomaly settings`: what is set, and by which layer."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_table, write_text

app = App(name="settings", help="Show every setting, its value and where it came from; secrets are masked.")


@app.default
def show(
    *,
    changed: Annotated[bool, Parameter(negative="")] = False,
    reference: Annotated[bool, Parameter(negative="")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show every setting, its value and where it came from; secrets are masked.

    Parameters
    ----------
    changed
        Only those that are not at their default.
    reference
        Instead print the page that explains them all (Markdown).
    """
    if reference:
        from anomaly.settings.reference import page

        write_text(page().rstrip("\n"))
        return
    from anomaly.payloads.setting import setting_payloads

    rows = [row for row in setting_payloads(current().loaded()) if not changed or row["origin"] != "default"]
    columns = [Column("name", "setting"), Column("value"), Column("origin")]
    write_table(rows, columns, output=output, empty="Every setting is at its default.")
