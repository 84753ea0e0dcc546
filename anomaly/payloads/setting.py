"""Settings as data: every one with its value and where it came from; secrets are masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from anomaly.settings import Loaded


class SettingPayload(TypedDict):
    """One setting; `origin` is the layer it came from."""

    name: str
    value: Any
    origin: str


def setting_payloads(loaded: Loaded) -> list[SettingPayload]:
    """This will return every setting as data. It masks every secret, and of a database URL only the password."""
    from anomaly.settings.layers import fields

    plain = loaded.settings.model_dump(mode="json")
    rows: list[SettingPayload] = []
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
