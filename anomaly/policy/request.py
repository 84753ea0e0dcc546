"""A request as the audit policy is asked about it: who, which verb, which resource or path. Nothing of the answer is known yet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """The attributes of one request. `user` is None when nobody was authenticated (401): then no user or group rule matches.

    `path` is decoded and without the query. For resource requests `group` "" is the core group and `name` is the one the
    server knows before the body is read.
    """

    user: str | None
    groups: tuple[str, ...]
    verb: str
    is_resource: bool
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    path: str = ""

    @property
    def target(self) -> str:
        """`pods/exec`, `apps/deployments`, or the path."""
        if not self.is_resource:
            return self.path
        group = f"{self.group}/" if self.group else ""
        return f"{group}{self.resource}/{self.subresource}" if self.subresource else f"{group}{self.resource}"

    @property
    def sentence(self) -> str:
        """The request in words a person can check: "create secrets in shop by alice"."""
        parts = [self.verb or "(no verb)", self.target]
        parts += [f'"{self.name}"'] if self.name else []
        parts += [f"in {self.namespace}"] if self.namespace else []
        return f"{' '.join(parts)} by {self.user if self.user is not None else 'nobody (401)'}"
