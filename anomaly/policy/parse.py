"""An audit policy as kube-apiserver v1.36 reads it: strictly, then leniently with a warning; then checked; or refused.

Source: k8s.io/apiserver/pkg/audit/policy (reader), k8s.io/apimachinery (decoding), held against recordings of a real server
(`tests/data/policy-verdicts`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anomaly.errors import PolicyInvalid
from anomaly.policy.decode import Complaint, Decoded, decode
from anomaly.policy.document import Policy, policy_from
from anomaly.policy.go_text import quoted
from anomaly.policy.json_reader import looks_like_json, read_json
from anomaly.policy.node import MAX_BYTES, Node, TooMuch, Unreadable
from anomaly.policy.schema import INTERNAL, POLICY
from anomaly.policy.validate import Violation, said, validate
from anomaly.policy.yaml_reader import YamlDocument, read_yaml

GROUP: Final = "audit.k8s.io"
_INTERNAL: Final = "__internal"
_SCHEME: Final = 'scheme "k8s.io/apiserver/pkg/audit/scheme.go:30"'
_KIND_TYPE: Final = (
    r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
)
_OTHER_KINDS: Final = frozenset(
    [
        "Event",
        "EventList",
        "PolicyList",
        "WatchEvent",
        "ListOptions",
        "GetOptions",
        "DeleteOptions",
        "CreateOptions",
        "UpdateOptions",
        "PatchOptions",
    ]
)


class PolicyRefused(PolicyInvalid):
    """kube-apiserver would not start with this audit policy."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading.error, hint=f"see `anomaly policy lint {reading.name}`")
        self.reading = reading


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a file came to: the policy or the server's error, its warnings, and where everything stands.

    `draft` is what the file says even if a check refuses it; `policy` is it when it is in force.
    `error` is the server's line as it ends the process; `ours` says that a limit of this product refused the file instead.
    `lines` gives the line of a path such as `rules[0].users[1]`. `rest` is the line from which the file is ignored.
    """

    name: str
    policy: Policy | None
    error: str | None
    draft: Policy | None = None
    warnings: tuple[str, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    violations: tuple[Violation, ...] = ()
    doubles: tuple[tuple[str, int], ...] = ()
    lines: dict[str, int] | None = None
    tree: Node | None = None
    line: int = 0
    rest: int | None = None
    ours: bool = False

    def line_of(self, path: str) -> int:
        """This will return the line of a path, or of the nearest thing around it, or 1."""
        while self.lines and path:
            if path in self.lines:
                return self.lines[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.line or 1


def parse(data: bytes, name: str = "policy.yaml") -> Policy:
    """This will return the policy in force, or raise PolicyRefused with the server's words."""
    reading = read(data, name)
    if reading.policy is None:
        raise PolicyRefused(reading)
    return reading.policy


def read(data: bytes, name: str = "policy.yaml") -> Reading:
    """This will read a file as the server would; it never raises, whatever the bytes are."""
    if len(data) > MAX_BYTES:
        size = f"{len(data):,} bytes, more than the {MAX_BYTES:,} an audit policy may have here"
        return Reading(name, None, f"{name}: the file is too large: {size}", ours=True)
    try:
        document = _document(data)
    except Unreadable as error:
        return _unreadable(name, error)
    try:
        group, version, kind = _kind(document.root)
        decoded = _decoded(document.root, group, version, kind)
    except Unreadable as error:
        return Reading(
            name,
            None,
            _failed(name, f"failed decoding: {error}"),
            line=error.line,
            tree=document.root,
        )
    return _judged(name, document, decoded, f"{group}/{version}", kind)


def _document(data: bytes) -> YamlDocument:
    if not looks_like_json(data):
        return read_yaml(data)
    try:
        return YamlDocument(read_json(data), (), None)
    except TooMuch:
        raise
    except Unreadable as error:
        message = f"couldn't get version/kind; json parse error: {error}"
        raise Unreadable(message, error.line) from error


def _unreadable(name: str, error: Unreadable) -> Reading:
    if isinstance(error, TooMuch):
        return Reading(
            name,
            None,
            f"{name}: the file is no audit policy: {error}",
            line=error.line,
            ours=True,
        )
    return Reading(name, None, _failed(name, f"failed decoding: {error}"), line=error.line)


def _failed(name: str, reason: str) -> str:
    return f"loading audit policy file: {reason}: from file {name}"


def _kind(root: Node) -> tuple[str, str, str]:
    """Group, version and kind as the server finds them: these two names may be written in any case."""
    version, kind = "", ""
    wrong: Unreadable | None = None
    if root.kind not in {"null", "object"}:
        wrong = Unreadable(
            f"json: cannot unmarshal {root.kind} into Go value of type {_KIND_TYPE}",
            root.line,
        )
    for item in root.fields:
        name = {"apiversion": "apiVersion", "kind": "kind"}.get(item.name.lower())
        if name is None or item.node.kind == "null":
            continue
        if item.node.kind != "string":
            message = f"json: cannot unmarshal {item.node.kind} into Go struct field .{name} of type string"
            wrong = wrong or Unreadable(message, item.line)
        elif name == "kind":
            kind = item.node.text
        else:
            version = item.node.text
    if wrong is not None:
        raise Unreadable(f"couldn't get version/kind; json parse error: {wrong}", wrong.line)
    group, version = _group_version(version)
    if not version and group in {"", GROUP}:
        group, version = GROUP, _INTERNAL
    return group, version, kind or "Policy"


def _group_version(text: str) -> tuple[str, str]:
    if text in {"", "/"}:
        return "", ""
    if text.count("/") > 1:
        raise Unreadable(f"unexpected GroupVersion string: {text}")
    group, slash, version = text.rpartition("/")
    return (group, version) if slash else ("", text)


def _decoded(root: Node, group: str, version: str, kind: str) -> Decoded:
    if not version:
        raise Unreadable("Object 'apiVersion' is missing")
    spoken = f"{group}/{version}" if group else version
    if kind == "Policy" and group == GROUP and version in {"v1", _INTERNAL}:
        return decode(root, POLICY if version == "v1" else INTERNAL)
    if spoken == f"{GROUP}/v1" and kind in _OTHER_KINDS:
        raise Unreadable(f"converting (v1.{kind}) to (audit.Policy): unknown conversion")
    if version == _INTERNAL:
        where = f"the internal version of group {quoted(group)}"
        raise Unreadable(f"no kind {quoted(kind)} is registered for {where} in {_SCHEME}")
    raise Unreadable(f"no kind {quoted(kind)} is registered for version {quoted(spoken)} in {_SCHEME}")


def _judged(name: str, document: YamlDocument, decoded: Decoded, version: str, kind: str) -> Reading:
    policy = policy_from(decoded.value)
    violations = validate(policy) if version == f"{GROUP}/v1" else ()
    if version != f"{GROUP}/v1":
        error = f"unknown group version field {version}, Kind={kind} in policy"
    elif violations:
        error = said(violations)
    elif not policy.rules:
        error = "loaded illegal policy with 0 rules"
    else:
        error = ""
    return Reading(
        name=name,
        policy=None if error else policy,
        error=_failed(name, error) if error else None,
        draft=policy,
        warnings=_warnings(document, decoded),
        complaints=tuple(decoded.complaints),
        violations=violations,
        doubles=document.doubles,
        lines=decoded.lines,
        tree=document.root,
        rest=document.rest,
    )


def _warnings(document: YamlDocument, decoded: Decoded) -> tuple[str, ...]:
    texts = [complaint.text for complaint in decoded.complaints]
    if document.doubles:
        doubles = "\n  ".join(text for text, _ in document.doubles)
        texts.insert(0, f"yaml: unmarshal errors:\n  {doubles}")
    if not texts:
        return ()
    strict = f"strict decoding error: {', '.join(texts)}"
    return (f"Audit policy contains errors, falling back to lenient decoding: {strict}",)
