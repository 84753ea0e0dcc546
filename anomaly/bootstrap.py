"""The only place that wires the program together: installation checked, settings read, database opened."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from anomaly.errors import AnomalyError

if TYPE_CHECKING:
    from anomaly.redaction import Redactor
    from anomaly.rules import RuleSet
    from anomaly.settings import Loaded, Settings
    from anomaly.store.database import Database

_BESIDE = ("models", "training")


def check_installation() -> None:
    """Look where our other packages would come from. This will raise AnomalyError if another program's would
    be taken.

    `models` and `training` are common names: `python -m anomaly` in a folder that has its own would import
    those.
    """
    ours = Path(__file__).resolve().parent.parent
    for name in _BESIDE:
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        if found != ours:
            raise AnomalyError(
                f"The package {name!r} is taken from {found or 'nowhere'}, but this program's is in {ours}.",
                hint="Start it as `anomaly`, or as `python -P -m anomaly`, or from another folder.",
            )


def read_settings(config: Path | None = None) -> Loaded:
    """Check the installation and read all layers. This will raise SettingsInvalid if a setting is not usable."""
    from anomaly.settings import load_settings

    check_installation()
    return load_settings(config)


def load_rules(settings: Settings) -> RuleSet:
    """Put the rules in use together. This will be the pack and the rules of `rules.folders`, without those of `rules.disabled`
    and without correlations that need one of these.

    Raises RuleInvalid for rules that cannot be used and SettingsInvalid for a disabled rule that there is not.
    """
    from anomaly.errors import SettingsInvalid
    from anomaly.rules import load, pack
    from anomaly.rules.pack import joined
    from anomaly.rules.problem import closest

    sets = [pack(), *(load(folder) for folder in settings.rules.folders)]
    if len(sets) == 1 and not settings.rules.disabled:
        return sets[0]
    known = {one for each in sets for one in each.by_id}
    for name in settings.rules.disabled:
        if name not in known:
            raise SettingsInvalid(
                f"rules.disabled names {name!r}, but there is no such rule.",
                hint=closest(name, known) or None,
            )
    return joined(sets, frozenset(settings.rules.disabled))


def redactor_of(settings: Settings) -> Redactor:
    """This will return what every event passes before it is stored, as `redaction` says."""
    from anomaly.redaction import Redactor

    chosen = settings.redaction
    key = chosen.key.get_secret_value().encode() if chosen.key is not None else b""
    return Redactor(enabled=chosen.enabled, key=key, configmaps=chosen.configmaps)


def open_database(settings: Settings, say: Callable[[str], None] | None = None) -> Database:
    """Open the configured database, ready for use. This will start and upgrade the embedded one if need be.

    Raises DatabaseUnavailable or SchemaOutdated. The caller closes it, best by `with`.
    """
    from anomaly.store.database import open_database as opened

    return opened(settings, say)
