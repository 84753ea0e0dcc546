"""Our rules as queries of other systems, by the pySigma backends; what a target cannot say is told, not left out.

The backends are an optional extra. As of late 2026 they say that they need pySigma 1, and work with 2: so they are installed
with `--no-deps`; or the rules are exported as plain Sigma and converted elsewhere. Graylog reads the Lucene query syntax of OpenSearch. Derived fields are rewritten to fields of the
event where that says the same; a rule that rests on others is not exported.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import yaml
from sigma.collection import SigmaCollection

from anomaly.errors import AnomalyError
from anomaly.rules.document import Document, read_file, read_text
from anomaly.rules.parse import SIGMA_KEYS
from anomaly.rules.portable import NotPortable, portable


class Target(StrEnum):
    """Systems a rule can be exported to."""

    ELASTICSEARCH = "elasticsearch"
    OPENSEARCH = "opensearch"
    SPLUNK = "splunk"
    GRAYLOG = "graylog"
    SIGMA = "sigma"
    """Plain Sigma over fields of the event alone, for any other converter."""


class BackendMissing(AnomalyError):
    """The pySigma backend for this target is not installed."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Exported:
    """One rule in another system's words; `queries` is empty and `reason` says why when it cannot be said there.

    `notes` tell what the query cannot promise.
    """

    rule: str
    queries: tuple[str, ...]
    reason: str = ""
    notes: tuple[str, ...] = ()


_BACKENDS: Final = {
    Target.ELASTICSEARCH: ("sigma.backends.elasticsearch", "LuceneBackend", "pysigma-backend-elasticsearch"),
    Target.OPENSEARCH: ("sigma.backends.opensearch", "OpensearchLuceneBackend", "pysigma-backend-opensearch"),
    Target.SPLUNK: ("sigma.backends.splunk", "SplunkBackend", "pysigma-backend-splunk"),
    Target.GRAYLOG: ("sigma.backends.opensearch", "OpensearchLuceneBackend", "pysigma-backend-opensearch"),
}
_STAGE: Final = (
    "the final stage of a request is not asked for: add stage ResponseComplete if all stages are indexed"
)


def export(documents: Iterable[tuple[str, Document]], target: Target) -> list[Exported]:
    """This will convert rules (id and document) to queries. Raises BackendMissing when the backend is not installed."""
    backend = _backend(target)
    return [_export(name, document, backend) for name, document in documents]


def documents_at(path: Path | None) -> list[tuple[str, Document]]:
    """This will return the documents of rule files, of the pack when no path is given, with the rules' ids."""
    from importlib.resources import files

    from anomaly.rules.pack import SUFFIXES, name_of, rule_files

    if path is None:
        folder = sorted((files("anomaly.rules") / "pack").iterdir(), key=lambda entry: entry.name)
        texts = [entry for entry in folder if entry.name.endswith(SUFFIXES)]
        listed = [read_text(entry.read_text(encoding="utf-8"), entry.name) for entry in texts]
    else:
        listed = [read_file(file) for file in rule_files(path)]
    return [(name_of(one, place, len(group)), one) for group in listed for place, one in enumerate(group)]


class _Plain:
    """The backend of plain Sigma."""

    def convert(self, collection: SigmaCollection) -> list[str]:
        return [
            yaml.safe_dump(rule.to_dict(), sort_keys=False, allow_unicode=True, width=110)
            for rule in collection.rules
        ]


def _backend(target: Target) -> Any:
    if target is Target.SIGMA:
        return _Plain()
    module, name, package = _BACKENDS[target]
    try:
        return getattr(import_module(module), name)()
    except (ImportError, AttributeError) as error:
        raise BackendMissing(
            f"no backend for {target} is installed", hint=f"pip install --no-deps {package}"
        ) from error


def _export(name: str, document: Document, backend: Any) -> Exported:
    if not isinstance(document.data, dict):
        return Exported(name, (), "it is no rule")
    if "correlation" in document.data:
        return Exported(
            name, (), "correlations are exported together with their rules, which this target needs at once"
        )
    notes: list[str] = []
    try:
        rule: dict[str, Any] = {key: value for key, value in document.data.items() if key in SIGMA_KEYS}
        rule["detection"] = portable(document.data.get("detection"), notes)
        rule.setdefault("logsource", {"product": "kubernetes", "service": "audit"})
        queries = backend.convert(SigmaCollection.from_dicts([rule]))
    except NotPortable as error:
        return Exported(name, (), str(error))
    except Exception as error:  # a backend refuses with whatever exception it has
        return Exported(name, (), f"the backend refuses it: {str(error)[:200]}")
    if "stage" not in str(rule["detection"]):
        notes.append(_STAGE)
    return Exported(name, tuple(map(str, queries)), notes=tuple(dict.fromkeys(notes)))
