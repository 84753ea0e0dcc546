"""Our rules as queries of other systems, by the pySigma backends; what a target cannot say is told, not left out.

The backends are an optional extra. As of late 2026 they say that they need pySigma 1, and work with 2: so they are installed
with `--no-deps`; or the rules are exported as plain Sigma and converted elsewhere. Graylog reads the Lucene query syntax of OpenSearch. Derived fields are rewritten to fields of the
event where that says the same; a rule that rests on others is not exported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import yaml
from sigma.collection import SigmaCollection

from anomaly.errors import AnomalyError
from anomaly.rules.document import Data, Document, read_file, read_text
from anomaly.rules.parse import SIGMA_KEYS
from anomaly.rules.resources import split_text


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


class _Untranslatable(ValueError):
    pass


_BACKENDS: Final = {
    Target.ELASTICSEARCH: ("sigma.backends.elasticsearch", "LuceneBackend", "pysigma-backend-elasticsearch"),
    Target.OPENSEARCH: ("sigma.backends.opensearch", "OpensearchLuceneBackend", "pysigma-backend-opensearch"),
    Target.SPLUNK: ("sigma.backends.splunk", "SplunkBackend", "pysigma-backend-splunk"),
    Target.GRAYLOG: ("sigma.backends.opensearch", "OpensearchLuceneBackend", "pysigma-backend-opensearch"),
}
_STAGE: Final = (
    "the final stage of a request is not asked for: add stage ResponseComplete if all stages are indexed"
)
_LOOSER: Final = {
    "address": "asks all claimed addresses, not the peer's own alone",
    "allowed": "asks the authorizer's decision: requests refused by admission (403) count as allowed",
    "refused": "asks the authorizer's decision: requests refused by admission (403) count as allowed",
    "resource": "leaves out the API group",
    "path": "asks the whole URI, query included, of resources too",
}
_POD: Final = "reads pods only: other workloads hold the pod spec deeper"


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
        rule["detection"] = _detection(document.data.get("detection"), notes)
        rule.setdefault("logsource", {"product": "kubernetes", "service": "audit"})
        queries = backend.convert(SigmaCollection.from_dicts([rule]))
    except _Untranslatable as error:
        return Exported(name, (), str(error))
    except Exception as error:  # a backend refuses with whatever exception it has
        return Exported(name, (), f"the backend refuses it: {str(error)[:200]}")
    if "stage" not in str(rule["detection"]):
        notes.append(_STAGE)
    return Exported(name, tuple(map(str, queries)), notes=tuple(dict.fromkeys(notes)))


def _detection(detection: Data, notes: list[str]) -> Data:
    if not isinstance(detection, dict):
        raise _Untranslatable("it has no detection")
    return {
        name: value if name == "condition" else _selection(value, notes) for name, value in detection.items()
    }


def _selection(selection: Data, notes: list[str]) -> Data:
    if isinstance(selection, list):
        return [_selection(item, notes) for item in selection]
    if not isinstance(selection, dict):
        return selection
    plain: dict[str, Data] = {}
    for key, value in selection.items():
        name, bar, modifiers = key.partition("|")
        rewrite = _REWRITES.get(name)
        if name in _LOOSER:
            notes.append(_LOOSER[name])
        lines = rewrite(value, modifiers) if rewrite else {f"{_path(name, notes)}{bar}{modifiers}": value}
        for line, wanted in lines.items():
            plain[line] = _both(line, plain[line], wanted) if line in plain else wanted
    return plain


def _both(line: str, first: Data, second: Data) -> Data:
    """Two demands on one field in one line: the narrower beginnings, where both are beginnings."""
    if line != "user.username|startswith":
        raise _Untranslatable(f"{line} would be asked for twice")
    ones, others = (one if isinstance(one, list) else [one] for one in (first, second))
    pairs = [(str(one), str(other)) for one in ones for other in others]
    narrower = [
        max(pair, key=len) for pair in pairs if pair[0].startswith(pair[1]) or pair[1].startswith(pair[0])
    ]
    if not narrower:
        raise _Untranslatable("it asks for two kinds of caller at once")
    return [*dict.fromkeys(narrower)]


def _path(name: str, notes: list[str]) -> str:
    if name in _ONLY_OURS:
        raise _Untranslatable(f"{name} is worked out by this product and stands in no event")
    if name.startswith("pod."):
        notes.append(_POD)
        name = f"requestObject.spec.{name.removeprefix('pod.')}"
    return name.replace("[]", "")


def _resource(value: Data, modifiers: str) -> dict[str, Data]:
    listed = value if isinstance(value, list) else [value]
    if modifiers or not all(isinstance(one, str) for one in listed):
        raise _Untranslatable("resource is exported with plain values only")
    pairs = {split_text(str(one))[1:] for one in listed}
    resources, subs = sorted({pair[0] for pair in pairs}), sorted({pair[1] for pair in pairs})
    if len(resources) * len(subs) != len(pairs):
        raise _Untranslatable(
            "resource with different subresources for different resources needs several queries"
        )
    return {"objectRef.resource": [*resources], "objectRef.subresource": [sub or None for sub in subs]}


def _allowed(value: Data, modifiers: str) -> dict[str, Data]:
    if str(value).casefold() not in {"true", "false"} or modifiers:
        raise _Untranslatable("allowed and refused are exported as plain true or false")
    return {
        "annotations.authorization.k8s.io/decision": "allow" if str(value).casefold() == "true" else "forbid"
    }


_KINDS: Final = {
    "node": "system:node:",
    "serviceaccount": "system:serviceaccount:",
    "anonymous": "system:anonymous",
    "system": "system:",
}


def _kind(value: Data, modifiers: str) -> dict[str, Data]:
    """Kinds are told apart by reserved beginnings of names: those wanted, less those that are not."""
    words = {str(one) for one in (value if isinstance(value, list) else [value])}
    if modifiers or not words <= {*_KINDS, "human"}:
        raise _Untranslatable("entity.kind is exported with plain values only")
    if "system" in words or "human" in words:
        missing: list[Data] = [prefix for kind, prefix in _KINDS.items() if kind not in words]
        if "system:" in missing:
            if len(words) > 1:
                raise _Untranslatable(
                    "entity.kind: human beside nodes or service accounts cannot be said in one line"
                )
            missing = ["system:"]
        wanted: dict[str, Data] = {} if "human" in words else {"user.username|startswith": "system:"}
        return wanted | ({"user.username|startswith|neq": missing} if missing else {})
    return {"user.username|startswith": [_KINDS[word] for word in sorted(words)]}


def _namespace(value: Data, modifiers: str) -> dict[str, Data]:
    listed = value if isinstance(value, list) else [value]
    if modifiers or not all(isinstance(one, str) and one for one in listed):
        raise _Untranslatable("entity.namespace is exported with plain values only")
    return {"user.username|startswith": [f"system:serviceaccount:{one}:" for one in listed]}


def _name(value: Data, modifiers: str) -> dict[str, Data]:
    if modifiers != "endswith":
        raise _Untranslatable("entity.name is part of a name in the event; only its end can be asked for")
    return {"user.username|endswith": value}


def _impersonated(value: Data, modifiers: str) -> dict[str, Data]:
    return {"impersonatedUser.username|exists": str(value).casefold() == "true"}


def _same(name: str) -> Callable[[Data, str], dict[str, Data]]:
    return lambda value, modifiers: {f"{name}{'|' if modifiers else ''}{modifiers}": value}


_REWRITES: Final[dict[str, Callable[[Data, str], dict[str, Data]]]] = {
    "address": _same("sourceIPs"),
    "allowed": _allowed,
    "decision": _same("annotations.authorization.k8s.io/decision"),
    "entity.kind": _kind,
    "entity.name": _name,
    "entity.namespace": _namespace,
    "entity.username": _same("user.username"),
    "impersonated": _impersonated,
    "path": _same("requestURI"),
    "refused": lambda value, modifiers: _allowed(
        "false" if str(value).casefold() == "true" else "true", modifiers
    ),
    "resource": _resource,
    "subresource": _same("objectRef.subresource"),
}
_ONLY_OURS: Final = frozenset({"interactive", "codeClass", "credential"})
