"""The audit webhook's kubeconfig: what stops the server, what it ignores in silence, and what it makes of the rest.

Measured on kube-apiserver v1.36.2: unknown fields are dropped without a word, a missing context ends the start, and
the server's URL loses its query.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from anomaly.policy import known
from anomaly.policy.delivery import STOPS, delivery
from anomaly.policy.kubeconfig_tree import field_of, items, named, text_of
from anomaly.policy.node import MAX_BYTES, Node, Unreadable
from anomaly.policy.reindent import reindented_kubeconfig
from anomaly.policy.remark import Remark, Severity, in_order
from anomaly.policy.yaml_reader import read_yaml

NO_CONFIGURATION: Final = (
    "initializing audit webhook: invalid configuration: no configuration has been provided,"
    " try setting KUBERNETES_MASTER environment variable"
)
_CLUSTER: Final = (
    "server",
    "certificate-authority",
    "certificate-authority-data",
    "insecure-skip-tls-verify",
    "tls-server-name",
    "proxy-url",
    "disable-compression",
    "extensions",
)
_USER: Final = (
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "token",
    "tokenFile",
    "username",
    "password",
    "exec",
    "auth-provider",
    "as",
    "as-uid",
    "as-groups",
    "as-user-extra",
    "extensions",
)
_CONTEXT: Final = ("cluster", "user", "namespace", "extensions")
_TOP: Final = (
    "apiVersion",
    "kind",
    "clusters",
    "users",
    "contexts",
    "current-context",
    "preferences",
    "extensions",
)
_OTHER_NAMES: Final = {
    "tls-client-config": "certificate-authority (and client-certificate, client-key under user)",
    "ca-file": "certificate-authority",
    "caFile": "certificate-authority",
    "cafile": "certificate-authority",
    "caData": "certificate-authority-data",
    "caBundle": "certificate-authority-data",
    "cert-file": "client-certificate (under user)",
    "key-file": "client-key (under user)",
    "insecure": "insecure-skip-tls-verify",
    "url": "server",
    "bearer-token": "token",
    "token-file": "tokenFile",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the file in force sends events: the context's cluster and user, as nodes, if they are there."""

    cluster: Node | None
    user: Node | None


def lint_kubeconfig(data: bytes, name: str = "webhook.yaml") -> list[Remark]:
    """This will return all remarks on a webhook kubeconfig, by line. A file without indentation is examined as it was meant."""
    root = _tree(data)
    if isinstance(root, Remark):
        return [root]
    problems = list(_structure(root))
    if any(problem.id == "no-configuration" for problem in problems):
        mended_bytes = reindented_kubeconfig(data)
        mended = _tree(mended_bytes) if mended_bytes is not None else None
        if isinstance(mended, Node) and not any(p.id == "no-configuration" for p in _structure(mended)):
            lost = "list items stand without the fields below them: the indentation is lost"
            effect = f"{STOPS}: {NO_CONFIGURATION}"
            remedy = (
                "indent `cluster:`, `user:` and `context:` below their `- name:`, and their fields once more"
            )
            first = Remark("indentation-lost", Severity.ERROR, _first_list(root), lost, effect, remedy)
            return in_order([first, *_structure(mended), *_fields(mended), *_delivered(mended)])
    return in_order([*problems, *_fields(root), *_delivered(root)])


def target(root: Node) -> Target:
    """This will return the cluster and user of the context in force."""
    context = named(root, "contexts", text_of(root, "current-context"), "context")
    if context is None:
        return Target(None, None)
    cluster = named(root, "clusters", text_of(context, "cluster"), "cluster")
    return Target(cluster, named(root, "users", text_of(context, "user"), "user"))


def _tree(data: bytes) -> Node | Remark:
    if len(data) > MAX_BYTES:
        return Remark(
            "refused",
            Severity.ERROR,
            1,
            "the file is too large",
            "it is no kubeconfig",
            "give the right file",
        )
    try:
        root = read_yaml(data).root
    except Unreadable as error:
        remedy = "correct the YAML; indent with spaces"
        return Remark(
            "refused", Severity.ERROR, error.line or 1, f"initializing audit webhook: {error}", STOPS, remedy
        )
    if root.kind != "object":
        return Remark(
            "refused", Severity.ERROR, 1, NO_CONFIGURATION, STOPS, "write a kubeconfig (kind: Config)"
        )
    return root


def _structure(root: Node) -> Iterator[Remark]:
    """What makes the server end: no context in force, or one that points nowhere."""
    current = field_of(root, "current-context")
    names = [text_of(item, "name") for item in items(root, "contexts")]
    wanted = text_of(root, "current-context")
    if not wanted:
        remedy = (
            f"add current-context: {names[0]}" if names and names[0] else "add contexts and current-context"
        )
        yield Remark(
            "no-configuration",
            Severity.ERROR,
            current.line if current else 1,
            NO_CONFIGURATION,
            STOPS,
            remedy,
        )
        return
    line = current.line if current else 1
    if wanted not in names:
        near = known.close(wanted, [name for name in names if name])
        remedy = (
            f"did you mean {near}?"
            if near
            else f"the contexts are: {', '.join(filter(None, names)) or 'none'}"
        )
        says = f"current-context {wanted!r} is no context of the file: {NO_CONFIGURATION}"
        yield Remark("no-configuration", Severity.ERROR, line, says, STOPS, remedy)
        return
    found = target(root)
    if found.cluster is None or not text_of(found.cluster, "server"):
        says = "the context in force has no cluster with a server"
        yield Remark(
            "no-configuration",
            Severity.ERROR,
            line,
            f"{says}: {NO_CONFIGURATION}",
            STOPS,
            "give the cluster a server",
        )


def _fields(root: Node) -> Iterator[Remark]:
    """Fields the client does not know, anywhere in the file."""
    yield from _unknown(root, _TOP, "the file")
    for section, holder, allowed in (
        ("clusters", "cluster", _CLUSTER),
        ("users", "user", _USER),
        ("contexts", "context", _CONTEXT),
    ):
        for item in items(root, section):
            yield from _unknown(item, ("name", holder), f"an item of {section}")
            held = field_of(item, holder)
            if held is not None and held.node.kind == "object":
                yield from _unknown(held.node, allowed, holder)


def _unknown(node: Node, allowed: tuple[str, ...], where: str) -> Iterator[Remark]:
    for field in node.fields:
        if field.name in allowed:
            continue
        right = _OTHER_NAMES.get(field.name) or known.close(field.name, allowed)
        effect = "the field is dropped without a word"
        if right and "certificate-authority" in right:
            effect += (
                ", so the sink's certificate is checked against the system's authorities only: every batch fails with"
                " `x509: certificate signed by unknown authority` and its events are lost after five attempts"
            )
        says = f"{where} has no field {field.name}"
        if right is None:
            yield Remark(
                "unknown-field",
                Severity.WARNING,
                field.line,
                says,
                effect,
                f"{where} knows {', '.join(allowed)}",
            )
            continue
        yield Remark("unknown-field", Severity.ERROR, field.line, says, effect, f"did you mean {right}?")


def _delivered(root: Node) -> Iterator[Remark]:
    found = target(root)
    return delivery(found.cluster, found.user)


def _first_list(root: Node) -> int:
    return next((field.line for field in root.fields if field.name in {"clusters", "contexts", "users"}), 1)
