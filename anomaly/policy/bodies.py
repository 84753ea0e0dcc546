"""Which bodies are written of a request, and whether with managedFields, as far as it follows from what is known of it.

Source: measured on kube-apiserver v1.36.2. Bodies come with the finished event, an answer sometimes with the started one;
who is refused (401, 403) had no body read; a body that cannot be read (400) is not written; a patch keeps its managedFields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anomaly.policy.document import Level, Stage
from anomaly.policy.match import Decision, is_long_running
from anomaly.policy.request import Request
from anomaly.policy.strip import managed_bytes

_WITH_BODY: Final = frozenset({"create", "update", "patch"})
_MAY_HAVE_BODY: Final = _WITH_BODY | {"delete", "deletecollection"}
_UNREAD: Final = frozenset({400, 401, 403, 404, 405, 406, 413, 415})


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a request and its answer: None for what is not known, empty bytes for no body.

    `cut` says that managedFields may have been cut from the bodies, so that their absence tells nothing.
    """

    code: int | None = None
    request: bytes | None = None
    response: bytes | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Bodies:
    """What is written: True, False, or None when it cannot be known."""

    request: bool | None
    response: bool | None
    managed_in_request: bool | None
    managed_in_response: bool | None

    def as_json(self) -> dict[str, bool | None]:
        """This will return it in the words of a recorded verdict."""
        return {
            "has_request_object": self.request,
            "has_response_object": self.response,
            "has_managed_fields": _either(self.managed_in_request, self.managed_in_response),
            "managed_fields_in_request": self.managed_in_request,
            "managed_fields_in_response": self.managed_in_response,
        }


def bodies(request: Request, decision: Decision, stages: Mapping[str, Level], known: Known) -> Bodies:
    """This will say which bodies the policy's decision writes, `stages` being those that are written."""
    sent = _request(request, decision.level, stages, known)
    answered = _response(request, decision.level, stages, known)
    cut = decision.omit_managed_fields
    return Bodies(
        sent,
        answered,
        _managed(sent, known.request, known.cut, cut and request.verb != "patch"),
        _managed(answered, b"" if _is_status(known.code) else known.response, known.cut, cut),
    )


def _request(request: Request, level: Level, stages: Mapping[str, Level], known: Known) -> bool | None:
    if level.rank < Level.REQUEST.rank or Stage.RESPONSE_COMPLETE not in stages:
        return False
    if not request.is_resource or request.verb not in _MAY_HAVE_BODY or is_long_running(request):
        return False
    if known.request == b"" or known.code in _UNREAD & {400, 401, 403}:
        return False
    if known.code is None or known.code in _UNREAD:
        return None
    if request.verb in _WITH_BODY or known.request:
        return True
    return None


def _response(request: Request, level: Level, stages: Mapping[str, Level], known: Known) -> bool | None:
    if level is not Level.REQUEST_RESPONSE or not set(stages) - {Stage.REQUEST_RECEIVED}:
        return False
    if known.response is not None:
        return bool(known.response)
    if known.code is not None and known.code >= 400:
        return True if known.code == 403 and Stage.RESPONSE_COMPLETE in stages else None
    if request.is_resource and not is_long_running(request):
        return None if known.code is None else Stage.RESPONSE_COMPLETE in stages
    return False if request.verb == "watch" and known.code is not None else None


def _managed(written: bool | None, body: bytes | None, lost: bool, cut: bool) -> bool | None:
    """Whether managedFields are written with a body, None when the body is not known well enough."""
    if written is False or cut:
        return False
    if body is None:
        return None
    if managed_bytes(body):
        return written
    return None if lost else False


def _is_status(code: int | None) -> bool:
    return code is not None and code >= 400


def _either(one: bool | None, other: bool | None) -> bool | None:
    if one or other:
        return True
    return None if one is None or other is None else False
