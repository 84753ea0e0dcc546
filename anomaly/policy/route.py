"""From method and URL to the attributes the policy sees: the resolver of k8s.io/apiserver/pkg/endpoints/request, as measured.

The audit event shows the finished request; its URL is what tells what was known when the policy was asked.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl, unquote

from anomaly.policy.request import Request

_VERBS: Final = {
    "POST": "create",
    "GET": "get",
    "HEAD": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_OF_NAMESPACES: Final = frozenset({"status", "finalize"})
_SPECIAL: Final = frozenset({"proxy", "watch"})
_TERM: Final = re.compile(r"(?:^|,)\s*metadata\.name\s*==?(?!=)([^,]*)")


def route(method: str, url: str, user: str | None = None, groups: tuple[str, ...] = ()) -> Request:
    """This will return the request that the server makes of a method and a URL (path with query)."""
    raw, _, query = url.partition("?")
    path = unquote(raw, errors="replace")
    plain = Request(user, groups, method.lower(), False, path=path)
    parts = path.strip("/").split("/")
    if len(parts) < 3 or parts[0] not in {"api", "apis"}:
        return plain
    prefix, parts = parts[0], parts[1:]
    group = ""
    if prefix == "apis":
        if len(parts) < 3:
            return plain
        group, parts = parts[0], parts[1:]
    version, parts = parts[0], parts[1:]
    verb = _VERBS.get(method.upper(), "")
    if parts[0] in _SPECIAL and len(parts) > 1:
        verb, parts = parts[0], parts[1:]
    request = replace(plain, verb=verb, is_resource=True, group=group, version=version)
    return _of_query(_of_parts(request, parts), query)


def _of_parts(request: Request, parts: list[str]) -> Request:
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _OF_NAMESPACES:
            parts = parts[2:]
    subresource = parts[2] if len(parts) > 2 and request.verb != "proxy" else ""
    name = parts[1] if len(parts) > 1 else ""
    return replace(
        request,
        namespace=namespace,
        resource=parts[0],
        name=name,
        subresource=subresource,
    )


def _of_query(request: Request, query: str) -> Request:
    if request.name:
        return request
    if request.verb == "delete":
        return replace(request, verb="deletecollection")
    if request.verb != "get":
        return request
    values = parse_qsl(query, keep_blank_values=True)
    watch = next((value for key, value in values if key == "watch"), None)
    verb = "list" if watch is None or watch.lower() in {"false", "0"} else "watch"
    selector = next((value for key, value in values if key == "fieldSelector"), "")
    return replace(request, verb=verb, name=_selected_name(selector))


def _selected_name(selector: str) -> str:
    """A list of one name by field selector has that name, unless no object could be called so."""
    match = _TERM.search(selector)
    name = match[1].strip() if match else ""
    return "" if name in {".", ".."} or "/" in name or "%" in name else name
