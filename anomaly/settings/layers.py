"""Where settings are read from, strongest first, and which layer each value came from.

`--config FILE` (or ANOMALY_CONFIG), the environment, `./anomaly.toml`,
`$XDG_CONFIG_HOME/anomaly/config.toml`, `/etc/anomaly/config.toml`, the defaults. Own code instead of
pydantic-settings, because that keeps no origins, passes over misspelt variables in silence, names no file
when TOML is broken, and takes 0.15 s of every command to import.
"""

from __future__ import annotations

import difflib
import os
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, SecretStr, ValidationError

from anomaly.errors import SettingsInvalid
from anomaly.settings.groups import Settings
from anomaly.settings.units import parse_list

PREFIX = "ANOMALY_"
_CONFIG = "ANOMALY_CONFIG"

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One setting as the layers see it: its place, and whether it is a path, several, or a secret."""

    key: Key
    is_path: bool
    is_list: bool
    is_secret: bool

    @property
    def name(self) -> str:
        """The dotted name. This will be `serve.port` for the key ("serve", "port")."""
        return ".".join(self.key)

    @property
    def variable(self) -> str:
        """The environment variable. This will be `ANOMALY_SERVE__PORT` for `serve.port`."""
        return PREFIX + "__".join(self.key).upper()


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings with the origin of every value, by dotted name."""

    settings: Settings
    origins: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Value:
    value: object
    origin: str
    shown: str


def fields(group: type[BaseModel] = Settings, above: Key = ()) -> Iterator[Field]:
    """Every single setting. This will yield them in the order in which they are declared, groups opened."""
    for name, field in group.model_fields.items():
        annotation, key = field.annotation, (*above, name)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from fields(annotation, key)
        else:
            inside = _types_in(annotation)
            yield Field(
                key,
                Path in inside,
                typing.get_origin(annotation) is tuple,
                SecretStr in inside,
            )


def load_settings(
    config: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Loaded:
    """Read all layers. This will return checked settings with the origin of each value.

    `directory` is where `anomaly.toml` and relative paths of variables are looked up (default: the working
    directory). Raises SettingsInvalid, with the file or variable named, on broken TOML, unknown names and
    values out of bounds.
    """
    environ = os.environ if environ is None else environ
    directory = Path.cwd() if directory is None else directory
    named = config or (Path(environ[_CONFIG]) if environ.get(_CONFIG) else None)
    merged: dict[Key, _Value] = {}
    # Weakest first, so that a stronger layer overwrites.
    for file in reversed(_config_files(environ, directory)):
        merged |= _file_layer(file)
    merged |= _environment_layer(environ, directory)
    if named is not None:
        path = directory / named.expanduser()
        if not path.is_file():
            raise SettingsInvalid(f"The configuration file {path} does not exist or is no file.")
        merged |= _file_layer(path)
    origins = {
        field.name: merged[field.key].origin if field.key in merged else "default" for field in fields()
    }
    return Loaded(_validated(merged), MappingProxyType(origins))


def _config_files(environ: Mapping[str, str], directory: Path) -> list[Path]:
    base = environ.get("XDG_CONFIG_HOME", "")
    home = environ.get("HOME", "")
    user = Path(base) if os.path.isabs(base) else (Path(home) / ".config" if home else None)
    candidates = [directory / "anomaly.toml", Path("/etc/anomaly/config.toml")]
    if user is not None:
        candidates.insert(1, user / "anomaly" / "config.toml")
    return [path for path in candidates if _exists(path)]


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _file_layer(path: Path) -> dict[Key, _Value]:
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        last = f"at line {text.count(chr(10)) + 1}, the end"
        words = str(broken).replace("at end of document", last)
        raise SettingsInvalid(f"{path} is not valid TOML: {words}.") from broken
    except (OSError, UnicodeDecodeError) as unreadable:
        raise SettingsInvalid(f"{path} cannot be read: {unreadable}.") from unreadable
    known = {field.key: field for field in fields()}
    layer: dict[Key, _Value] = {}
    for key, value in _leaves(document, known):
        name = ".".join(key)
        field, value = _resolve(known, key, value, path.parent, f"{path}: {name}")
        if field is None:
            raise SettingsInvalid(f"{path}: {name} is not a setting.{_suggest(name, known)}")
        layer[field.key] = _Value(value, str(path), f"{path}: {name}")
    return layer


def _leaves(
    document: Mapping[str, object], known: Mapping[Key, Field], above: Key = ()
) -> Iterator[tuple[Key, object]]:
    for name, value in document.items():
        key = (*above, name)
        # `[database.parameters]` is a value of its own, every other table is a group.
        if isinstance(value, dict) and key not in known:
            if not any(field[: len(key)] == key for field in known):
                yield key, value
            yield from _leaves(value, known, key)
        else:
            yield key, value


def _environment_layer(environ: Mapping[str, str], directory: Path) -> dict[Key, _Value]:
    known = {field.key: field for field in fields()}
    # ANOMALY_DATABASE_URL and ANOMALY_DATABASE__URL are the same: people write both.
    flat = {"_".join(key): key for key in known}
    layer: dict[Key, _Value] = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable == _CONFIG:
            continue
        spelled = variable.removeprefix(PREFIX).lower().replace("__", "_")
        key = flat.get(spelled) or (
            (
                *flat[spelled.removesuffix("_file")][:-1],
                f"{flat[spelled.removesuffix('_file')][-1]}_file",
            )
            if spelled.removesuffix("_file") in flat
            else (spelled,)
        )
        field, value = _resolve(known, key, environ[variable], directory, variable)
        if field is None:
            close = difflib.get_close_matches(spelled, flat, n=1, cutoff=0.6)
            hint = f" Did you mean {known[flat[close[0]]].variable}?" if close else ""
            raise SettingsInvalid(f"{variable} is not a setting.{hint}")
        layer[field.key] = _Value(value, f"environment {variable}", variable)
    return layer


def _resolve(
    known: Mapping[Key, Field], key: Key, value: object, base: Path, shown: str
) -> tuple[Field | None, object]:
    field = known.get(key)
    if field is None:
        secret = known.get((*key[:-1], key[-1].removesuffix("_file")))
        if secret is None or not secret.is_secret or not key[-1].endswith("_file"):
            return None, value
        return secret, _secret_from(base, value, shown)
    if not field.is_path:
        return field, value
    try:
        items = parse_list(value) if field.is_list else [value]
    except ValueError:
        return field, value
    if not isinstance(items, list):
        return field, value
    placed = [base / Path(item).expanduser() if item and isinstance(item, str) else item for item in items]
    return field, placed if field.is_list else placed[0]


def _secret_from(base: Path, value: object, shown: str) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsInvalid(f"{shown} must be the path of a file that holds the secret.")
    path = base / Path(value).expanduser()
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as unreadable:
        raise SettingsInvalid(f"{shown}: the file {path} cannot be read: {unreadable}.") from unreadable


def _validated(merged: Mapping[Key, _Value]) -> Settings:
    tree: dict[str, object] = {}
    for key, item in merged.items():
        place = tree
        for name in key[:-1]:
            place = typing.cast("dict[str, object]", place.setdefault(name, {}))
        place[key[-1]] = item.value
    try:
        return Settings.model_validate(tree)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        origin = _blamed(merged, tuple(str(part) for part in first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsInvalid(f"{origin} is not usable: {reason[0].lower()}{reason[1:]}.") from None


def _blamed(merged: Mapping[Key, _Value], place: Key) -> str:
    exact = [item.shown for key, item in merged.items() if place[: len(key)] == key]
    # What is wrong with a whole group, such as a certificate without its key, came from whoever set part of it.
    within = [item.shown for key, item in merged.items() if key[: len(place)] == place]
    return (exact or within or [".".join(place)])[0]


def _suggest(name: str, known: Mapping[Key, Field]) -> str:
    names = [".".join(key) for key in known]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if not close:
        last = name.rpartition(".")[2]
        close = [other for other in names if other.rpartition(".")[2] == last][:1]
    return f" Did you mean {close[0]}?" if close else " `anomaly settings` lists all settings."


def _types_in(annotation: object) -> set[object]:
    inside = {annotation}
    for part in typing.get_args(annotation):
        inside |= _types_in(part)
    return inside
