"""`anomaly settings`: what is set, and by which layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_table, write_text

if TYPE_CHECKING:
    from anomaly.settings import Loaded

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
    rows = [row for row in described(current().loaded()) if not changed or row["origin"] != "default"]
    columns = [Column("name", "setting"), Column("value"), Column("origin")]
    write_table(rows, columns, output=output, empty="Every setting is at its default.")


def described(loaded: Loaded) -> list[dict[str, object]]:
    """Put settings into rows. This will mask every secret, and only the password of a database URL."""
    from anomaly.settings.layers import fields

    plain = loaded.settings.model_dump(mode="json")
    rows = []
    for field in fields():
        value: object = plain
        for name in field.key:
            value = value[name] if isinstance(value, dict) else None
        if field.is_secret and value is not None:
            value = _masked_url(loaded) if field.name == "database.url" else "********"
        rows.append({"name": field.name, "value": value, "origin": loaded.origins[field.name]})
    return rows


def _masked_url(loaded: Loaded) -> str:
    from anomaly.errors import SettingsInvalid
    from anomaly.store.database import parse_url

    url = loaded.settings.database.url
    try:
        return (
            parse_url(url.get_secret_value() if url else "").set(drivername="postgresql").render_as_string()
        )
    except SettingsInvalid:
        return "********"
