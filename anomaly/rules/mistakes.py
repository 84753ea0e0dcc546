"""Field names that public rules use and audit events do not have, and the name each stands for."""

from __future__ import annotations

from typing import Final

RENAMED: Final[dict[str, str]] = {
    "apiGroup": "objectRef.apiGroup",
    "apigroup": "objectRef.apiGroup",
    "apiVersion": "objectRef.apiVersion",
    "capabilities": "pod.containers[].securityContext.capabilities.add",
    "client": "userAgent",
    "containers.image": "pod.containers[].image",
    "event.request.user.groups": "user.groups",
    "event.resource.resource": "objectRef.resource",
    "event.response.status.code": "responseStatus.code",
    "group": "user.groups",
    "groups": "user.groups",
    "hostIPC": "pod.hostIPC",
    "hostNetwork": "pod.hostNetwork",
    "hostPID": "pod.hostPID",
    "hostPath": "pod.volumes[].hostPath.path",
    "image": "pod.containers[].image",
    "name": "objectRef.name",
    "namespace": "objectRef.namespace",
    "objectRef.apigroup": "objectRef.apiGroup",
    "objectRef.group": "objectRef.apiGroup",
    "objectRef.kind": "objectRef.resource",
    "privileged": "pod.containers[].securityContext.privileged",
    "request.user.username": "user.username",
    "requestObject.spec.containers.securityContext.privileged": "pod.containers[].securityContext.privileged",
    "requestURL": "requestURI",
    "response.code": "responseStatus.code",
    "responseStatus": "responseStatus.code",
    "sourceIP": "sourceIPs",
    "source.ip": "sourceIPs",
    "src_ip": "sourceIPs",
    "uri": "requestURI",
    "user": "user.username",
    "user.name": "user.username",
    "user_agent": "userAgent",
    "userAgent.original": "userAgent",
    "username": "user.username",
    "user.group": "user.groups",
    "impersonatedUser": "impersonatedUser.username",
}
_FOLDED: Final = {name.casefold(): real for name, real in RENAMED.items()}


def meant(name: str) -> str:
    """This will return "did you mean X?" for a name in the table of usual mistakes, or an empty text."""
    real = _FOLDED.get(name.casefold())
    return f"did you mean {real}?" if real and real != name else ""
