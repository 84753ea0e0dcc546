"""What can be set, in what unit, why the default is what it is, and where each value came from.

Here: the typed groups (`groups.py`), their units (`units.py`), the layers they are read from (`layers.py`)
and the generated reference page (`reference.py`). Not here: anything that acts on a setting. To add a
setting: one field with a docstring in `groups.py`; environment, TOML, `anomaly settings` and the page follow.
"""

from anomaly.settings.groups import (
    AccessSettings,
    CompletenessSettings,
    DatabaseSettings,
    IngestSettings,
    JobSettings,
    LogSettings,
    OidcSettings,
    RetentionSettings,
    RulesSettings,
    ScoringSettings,
    ServeSettings,
    Settings,
    TracingSettings,
    TrainingSettings,
    WindowSettings,
)
from anomaly.settings.layers import Loaded, load_settings
from anomaly.settings.sources import SourceSettings

__all__ = [
    "AccessSettings",
    "CompletenessSettings",
    "DatabaseSettings",
    "IngestSettings",
    "JobSettings",
    "Loaded",
    "LogSettings",
    "OidcSettings",
    "RetentionSettings",
    "RulesSettings",
    "ScoringSettings",
    "ServeSettings",
    "Settings",
    "SourceSettings",
    "TracingSettings",
    "TrainingSettings",
    "WindowSettings",
    "load_settings",
]
