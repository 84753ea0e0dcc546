"""The dimensions of a window: what is counted about an entity's requests.

A term is one value in one dimension ("pods/exec" in RESOURCE). Numbers are stored: never change one, only add.
"""

from __future__ import annotations

from enum import IntEnum


class Dimension(IntEnum):
    """What a term says. Unless stated otherwise each request counts once, when it is final (`Shape.final`)."""

    REQUESTS = 1
    """All requests; its only term is ""."""
    VERB = 2
    RESOURCE = 3
    """"group/resource/subresource", the core group without prefix; the path of other requests."""
    NAMESPACE = 4
    CODE = 5
    """HTTP status as text, "403"."""
    ACTION = 6
    """Verb and RESOURCE, "create pods/exec"."""
    DENIED = 7
    """ACTION of requests answered 401 or 403, or forbidden by the authorizer."""
    FAILED = 8
    """ACTION of other requests answered 400 or above."""
    TARGET = 9
    """RESOURCE and namespace, "secrets @kube-system"."""
    ADDRESS = 10
    """The peer's own address: the last of sourceIPs."""
    AGENT = 11
    """The user agent as sent."""
    CREDENTIAL = 12
    """The credential id: a token's JTI or a certificate's hash."""
    IMPERSONATED = 13
    """The user acted as."""
    NAME = 14
    """RESOURCE, namespace and name of one object, "pods shop/web-0"."""
    SECRET = 15
    """Namespace and name of a secret that was read; name "*" for a list or watch."""
    DELETED = 16
    """TARGET of delete and deletecollection that were allowed."""
    RISK = 17
    """What a written workload may do to its node: "privileged", "hostPID", "hostPath:/etc" ..."""
    IMAGE = 18
    REGISTRY = 19
    GRANT = 20
    """What a written RBAC object gives: "role:cluster-admin", "verb:impersonate", "subject:Group/system:anonymous"."""
    CHECKED = 21
    """A permission asked for in a Self*Review: "create pods/exec"."""
    MINUTE = 22
    """Minute of the window, from "0": how the requests spread over it."""
    OPENED = 23
    """ACTION of long-running requests when they start (exec, attach, port-forward, watch): they may end hours later."""
    EXEC = 24
    """Namespace and name of pods that were entered: exec, attach, portforward, ephemeralcontainers, proxy."""
    BYTES = 25
    """Sum of the raw sizes of the events in bytes; its only term is ""."""
    GROUP = 26
    """Groups of the user, as authenticated."""
    CLAIMED = 27
    """Addresses before the last of sourceIPs: X-Forwarded-For claims, which anybody can write."""
    ISSUED = 28
    """The credential id of a token that was issued: joined with CREDENTIAL it shows where a token went."""


NOVEL = frozenset(
    {
        Dimension.RESOURCE,
        Dimension.NAMESPACE,
        Dimension.ACTION,
        Dimension.DENIED,
        Dimension.TARGET,
        Dimension.ADDRESS,
        Dimension.AGENT,
        Dimension.CREDENTIAL,
        Dimension.IMPERSONATED,
        Dimension.SECRET,
        Dimension.RISK,
        Dimension.IMAGE,
        Dimension.REGISTRY,
        Dimension.GRANT,
        Dimension.EXEC,
        Dimension.ISSUED,
    }
)
"""Dimensions whose first sighting is remembered for ever, for the entity and for the cluster."""
