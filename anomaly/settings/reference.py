"""The page about every setting, made from the docstrings under the fields, so that it can never differ from
them.
"""

from __future__ import annotations

import ast
from pathlib import Path

from pydantic import BaseModel

from anomaly.settings import groups, sources
from anomaly.settings.layers import PREFIX

_HEAD = """# Settings

<!-- Made by `anomaly settings --reference`; change the docstrings in anomaly/settings instead. -->

Settings are read from these layers, the strongest first:

1. the file named by `--config` (or by the variable `ANOMALY_CONFIG`);
2. environment variables `ANOMALY_<GROUP>__<NAME>`; one underscore will do as well, as in
`ANOMALY_DATABASE_URL`; 3. `anomaly.toml` in the working directory; 4. `$XDG_CONFIG_HOME/anomaly/config.toml`
(`~/.config` if that is unset); 5. `/etc/anomaly/config.toml`; 6. the defaults below.

`anomaly settings` shows each value and the layer that it came from.
Unknown names are errors.
Durations are written `90s`, `15m`, `1h`, `7d`; sizes `512`, `64MiB`, `2GB`; lists in variables `a,b`.
A secret can be kept in a file: add `_file` to its name, as in
`ANOMALY_DATABASE_URL_FILE=/run/secrets/database`. Relative paths in a file count from that file.
"""


def page() -> str:
    """Write the page. This will be Markdown, one section a group, in the order of the code."""
    said = docstrings()
    defaults = groups.Settings.model_construct().model_dump(mode="json")
    parts = [_HEAD, "\n## General\n"]
    nested: list[tuple[str, type[BaseModel]]] = []
    for name, field in groups.Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            nested.append((name, field.annotation))
        else:
            parts.append(_entry((name,), "`$XDG_DATA_HOME/anomaly`", said["Settings", name]))
    for group, kind in nested:
        parts.append(f"\n## `[{group}]`\n\n{(kind.__doc__ or '').strip()}\n")
        parts += [
            _entry((group, name), _default(defaults[group][name]), said[kind.__name__, name])
            for name in kind.model_fields
        ]
    return "".join(parts)


def docstrings() -> dict[tuple[str, str], str]:
    """Read what stands under each field. This will map (class, field) to its docstring; Python itself drops
    them.
    """
    found = {}
    trees = [ast.parse(Path(str(one.__file__)).read_text(encoding="utf-8")) for one in (groups, sources)]
    for kind in (node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)):
        for field, below in zip(kind.body, kind.body[1:], strict=False):
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                continue
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                found[kind.name, field.target.id] = " ".join(str(below.value.value).split())
    return found


def _entry(key: tuple[str, ...], default: str, words: str) -> str:
    variable = PREFIX + "__".join(key).upper()
    return f"\n### `{'.'.join(key)}`\n\n{words}\n\nDefault {default}, variable `{variable}`.\n"


def _default(value: object) -> str:
    if value is None or value in ("", [], {}):
        return "unset" if value is None else "empty"
    return f"`{value}`"
